"""While a network is only read, every integer weight is computed once; while it is only counted, never."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
from torch import nn

from .network import SpikingNetwork


def read_once(network: SpikingNetwork) -> AbstractContextManager[None]:
    """Return a block for reading a network: nothing may change in it, and nothing is computed twice."""
    return _outlined(network) if network.outline else _cached(network)


@contextmanager
def _cached(network: nn.Module) -> Iterator[None]:
    """Compute `integer_weight` of every part once, at its first call in the block."""
    with _replaced(_with(network, "integer_weight"), "integer_weight", cache):
        yield


@contextmanager
def _outlined(network: nn.Module) -> Iterator[None]:
    """Let every integer weight be 0 without memory of its own: one element, broadcast to the shape."""
    weighted = [part for part in _with(network, "integer_weight") if "weight" in part._parameters]
    with (
        _replaced(weighted, "integer_weight", lambda own: lambda: (_zeros(own.__self__.weight.shape), 1.0)),
        _replaced(_with(network, "greatest_sum"), "greatest_sum", lambda own: lambda: 1.0),
        _replaced(_with(network, "integer_gate"), "integer_gate", lambda own: lambda: _shut(own.__self__.weight.shape)),
    ):
        yield


def _with(network: nn.Module, name: str) -> list[nn.Module]:
    """Return the parts that have a method, but for those inside another such block."""
    return [part for part in network.modules() if hasattr(type(part), name) and name not in vars(part)]


@contextmanager
def _replaced(parts: list[nn.Module], name: str, wrap: Callable[[Any], Any]) -> Iterator[None]:
    for part in parts:
        vars(part)[name] = wrap(getattr(part, name))
    try:
        yield
    finally:
        for part in parts:
            del vars(part)[name]


def _zeros(shape: tuple[int, ...]) -> npt.NDArray[np.int64]:
    return np.broadcast_to(np.zeros((), np.int64), tuple(shape))


def _shut(shape: tuple[int, ...]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    return _zeros(shape), _zeros(shape[:1])
