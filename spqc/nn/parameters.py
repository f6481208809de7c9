"""What the numbers of a network must be: one place for live networks and for files."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from spqc.foundation.errors import ModelError

from . import wrappers
from .network import SpikingNetwork
from .synapse import ChannelNorm

Shapes = Mapping[str, tuple[int, ...]]

_DTYPES = (torch.float32, torch.float64, torch.float16, torch.bfloat16)
_DIVERGED = "the training diverged (lower the learning rate), or the network was damaged"
_OTHER = "the weights belong to another configuration: save the network again"
_CHANGED = "the network was changed after it was built: create one with the options that give this"
_AGAIN = "save networks with spqc.nn.checkpoint.save, or with `spqc train`"


def check_network(network: SpikingNetwork, where: str) -> None:
    """Raise ModelError, with the name of the number, for a live network that no exact program can be made of.

    Refused are NaN and infinity, negative variances, shapes that are not those it was built with, tensors without
    numbers (the meta device) or of several dtypes, and layers that something has wrapped or re-parametrised.
    """
    wrappers.require_bare(network, where)
    check_state(network.state_dict(), network.shapes, where, network.model, _CHANGED)
    for name, buffer in network.named_buffers():  # also those that no file keeps
        _check_numbers(name, buffer, where)
    for name, module in network.named_modules():
        if isinstance(module, ChannelNorm):
            check_epsilon(f"{name}.eps", module.eps, module.variance, where)


def check_state(state: Mapping[str, Any], shapes: Shapes, where: str, model: str, hint: str = _OTHER) -> torch.dtype:
    """Return the one dtype of the numbers of a network. Raises ModelError for those that are not what it needs."""
    for name, shape in shapes.items():
        if name not in state:
            raise ModelError(f"parameter '{name}' is missing", where, hint)
        _check_tensor(name, state[name], shape, where, hint)
    extra = [name for name in state if name not in shapes]
    if extra:
        raise ModelError(f"parameter '{extra[0]}' does not exist in model '{model}'", where, hint)
    return _one_dtype({name: state[name].dtype for name in shapes}, where)


def check_epsilon(name: str, epsilon: Any, variance: Tensor, where: str) -> None:
    """Raise ModelError for an epsilon of a batch norm under which a channel cannot be divided by its deviation."""
    number = isinstance(epsilon, int | float) and not isinstance(epsilon, bool)
    if not number or not math.isfinite(epsilon) or epsilon < 0:
        raise ModelError(f"'{name}' is no number of 0 or more, but {epsilon!r}", where, "1e-5 is common")
    if bool((variance.double() + epsilon <= 0).any()):
        raise ModelError(
            f"'{name}' is 0, and so is the variance of a channel", where, "divide by a positive number: eps=1e-5"
        )


def _check_tensor(name: str, value: Any, shape: tuple[int, ...], where: str, hint: str) -> None:
    if not isinstance(value, Tensor) or value.layout != torch.strided or value.dtype not in _DTYPES:
        kind = f"{value.dtype}, {value.layout}" if isinstance(value, Tensor) else type(value).__name__
        raise ModelError(f"parameter '{name}' is not a dense float tensor ({kind})", where, _AGAIN)
    if tuple(value.shape) != shape:
        raise ModelError(
            f"parameter '{name}' has shape {list(value.shape)}; the configuration gives {list(shape)}", where, hint
        )
    _check_numbers(name, value, where)
    if name.endswith(".variance") and bool((value < 0).any()):
        raise ModelError(f"'{name}' holds a negative variance", where, "it was edited or damaged: measure it again")


def _check_numbers(name: str, value: Tensor, where: str) -> None:
    if value.device.type == "meta":
        raise ModelError(
            f"parameter '{name}' is on the meta device and has no numbers",
            where,
            "create the network on the cpu, or fill it with load_state_dict(..., assign=True)",
        )
    if value.dtype.is_floating_point and not bool(torch.isfinite(value).all()):
        raise ModelError(f"parameter '{name}' holds NaN or infinity", where, _DIVERGED)


def _one_dtype(dtypes: Mapping[str, torch.dtype], where: str) -> torch.dtype:
    first, *others = dict.fromkeys(dtypes.values())
    if others:
        name = next(name for name, dtype in dtypes.items() if dtype == others[0])
        kinds = f"{str(others[0]).removeprefix('torch.')}, others {str(first).removeprefix('torch.')}"
        raise ModelError(f"parameter '{name}' is {kinds}", where, "use one dtype: network.float()")
    return first
