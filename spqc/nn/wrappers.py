"""Networks inside other modules: torch.compile, DataParallel and averaged models are opened, the rest is refused."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import nn
from torch.nn.utils import parametrize

from spqc.foundation.errors import ModelError

from .network import SpikingNetwork

PREFIXES = ("_orig_mod.", "module.")
"""What torch.compile, and DataParallel or AveragedModel, put before the names of the network inside."""
_COUNT = "n_averaged"


def unwrapped(model: Any, where: str) -> SpikingNetwork:
    """Return the network that a module is, or holds. Raises ModelError for anything else."""
    inner: Any = model
    while not isinstance(inner, SpikingNetwork):
        inner = content(inner)
        if inner is None:
            raise ModelError(
                f"{type(model).__name__} is no SpikingNetwork, and holds none", where, "give the whole SpikingNetwork"
            )
    return inner


def content(model: Any) -> Any:
    """Return the module inside a wrapper of torch (see PREFIXES), or None for anything else."""
    parts = vars(model).get("_modules", {}) if isinstance(model, nn.Module) else {}
    return next((parts[prefix[:-1]] for prefix in PREFIXES if prefix[:-1] in parts), None)


def require_bare(network: SpikingNetwork, where: str) -> None:
    """Raise ModelError where a part of a network is wrapped, pruned or parametrised: its numbers are elsewhere."""
    for name, part in network.named_modules():
        if content(part) is not None:
            raise ModelError(
                f"'{name}' is wrapped by {type(part).__name__}", where, "wrap the whole network, not one of its layers"
            )
        if parametrize.is_parametrized(part):
            changed = next(iter(part.parametrizations))
            hint = f'torch.nn.utils.parametrize.remove_parametrizations(module, "{changed}") settles it'
            raise ModelError(f"'{name}.{changed}' is parametrised", where, hint)
        _require_own(name, part, where)


def _require_own(name: str, part: nn.Module, where: str) -> None:
    """Raise ModelError where a tensor of a module is computed from others before each call (torch.nn.utils.prune)."""
    for changed in (key.removesuffix("_orig") for key in part._parameters if key.endswith("_orig")):
        pruned = f"{changed}_mask" in part._buffers
        remove = "prune.remove" if pruned else "remove_spectral_norm"
        kind = "pruned by torch.nn.utils.prune" if pruned else "computed from another"
        hint = f'torch.nn.utils.{remove}(module, "{changed}") settles it'
        raise ModelError(f"'{name}.{changed}' is {kind}", where, hint)
    if "weight_g" in part._parameters:
        hint = 'torch.nn.utils.remove_weight_norm(module, "weight") settles it'
        raise ModelError(f"'{name}.weight' is computed from a direction and a length", where, hint)


def bare_names(state: Mapping[str, Any]) -> dict[str, Any]:
    """Return numbers by their names inside the network, where all were saved under a wrapper's names."""
    names = dict(state)
    while True:
        own = [name for name in names if name != _COUNT]
        prefix = next((p for p in PREFIXES if own and all(str(name).startswith(p) for name in own)), None)
        if prefix is None:
            return names
        names = {name.removeprefix(prefix): names[name] for name in own}
