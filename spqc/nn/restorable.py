"""What a checkpoint holds of a network beside its tensors, and whether that is all there is."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from torch import nn

from spqc.errors import ModelError

from . import models, parameters
from .synapse import ChannelNorm

if TYPE_CHECKING:
    from .network import SpikingNetwork

_PLAIN = (bool, int, float, str, tuple, type(None))
_KEPT_ELSEWHERE = ("training", "eps", "momentum")


def epsilons(network: nn.Module) -> dict[str, float]:
    """Return the epsilon of every batch norm by the norm's name."""
    return {name: float(part.eps) for name, part in network.named_modules() if isinstance(part, ChannelNorm)}


def set_epsilons(network: nn.Module, values: Any, where: str) -> None:
    """Give every batch norm its epsilon; those that a file does not name keep the default. Raises ModelError."""
    norms = {name: part for name, part in network.named_modules() if isinstance(part, ChannelNorm)}
    if not isinstance(values, Mapping) or not set(values) <= set(norms):
        raise ModelError("the checkpoint has no valid 'epsilon'", where, "save the network again")
    for name, value in values.items():
        parameters.check_epsilon(f"{name}.eps", value, norms[name].variance, where)
        norms[name].eps = float(value)


def check_restorable(network: SpikingNetwork, where: str) -> None:
    """Raise ModelError for a network that its model's name and configuration do not rebuild: a file holds no more."""
    rebuilt = dict(models.rebuild(network.model, network.config).named_modules())
    for name, part in network.named_modules():
        _check_alike(name or "the network", part, rebuilt.get(name), where)


def _check_alike(name: str, part: nn.Module, rebuilt: nn.Module | None, where: str) -> None:
    hint = "a checkpoint holds a model's name, its options and its tensors: create the network with these options"
    if type(part) is not type(rebuilt):
        found = "nothing" if rebuilt is None else type(rebuilt).__name__
        raise ModelError(f"'{name}' is a {type(part).__name__}; the configuration gives {found}", where, hint)
    own, other = _plain_values(part), _plain_values(rebuilt)
    for key, value in own.items():
        if other.get(key) != value:
            raise ModelError(f"'{name}.{key}' is {value!r}; the configuration gives {other.get(key)!r}", where, hint)


def _plain_values(part: nn.Module | None) -> dict[str, Any]:
    """Return what a module holds beside tensors and modules that an evaluation reads."""
    values = {key: value for key, value in vars(part).items() if key[:1] != "_" and key not in _KEPT_ELSEWHERE}
    return {key: value for key, value in values.items() if isinstance(value, _PLAIN) or _is_options(value)}


def _is_options(value: Any) -> bool:
    return dataclasses.is_dataclass(value) and not isinstance(value, type)
