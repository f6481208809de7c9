"""What a checkpoint holds of a network beside its tensors, and whether that is all there is."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from torch import nn

from spqc.foundation.errors import ModelError

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
    """Raise ModelError for a network that its model's name and configuration do not rebuild: a file holds no more.

    What a caller has added, and no evaluation reads, is neither saved nor refused.
    """
    if network.outline:
        raise ModelError("the network is an outline: nobody drew its weights", where, "create it with models.create")
    own = dict(network.named_modules())
    for name, rebuilt in models.rebuild(network.model, network.config).named_modules():
        _check_alike(name or "the network", own.get(name), rebuilt, where)


def _check_alike(name: str, part: nn.Module | None, rebuilt: nn.Module, where: str) -> None:
    hint = "a checkpoint holds a model's name, its options and its tensors: create the network with these options"
    if type(part) is not type(rebuilt):
        given = type(rebuilt).__name__
        raise ModelError(f"'{name}' is a {type(part).__name__}; the configuration gives a {given}", where, hint)
    for key, value in _plain_values(rebuilt).items():
        own = getattr(part, key, None)
        if own != value:
            raise ModelError(f"'{name}.{key}' is {own!r}; the configuration gives {value!r}", where, hint)


def _plain_values(part: nn.Module) -> dict[str, Any]:
    """Return what a module holds beside tensors and modules."""
    values = {key: value for key, value in vars(part).items() if key[:1] != "_" and key not in _KEPT_ELSEWHERE}
    return {key: value for key, value in values.items() if isinstance(value, _PLAIN) or _is_options(value)}


def _is_options(value: Any) -> bool:
    return dataclasses.is_dataclass(value) and not isinstance(value, type)
