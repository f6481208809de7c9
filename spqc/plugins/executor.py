"""What runs a compiled network: an executor, its streams, and the package it is opened from."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt

from spqc.ir.graph import Graph
from spqc.ir.types import Array
from spqc.plugins.frontend import Observation
from spqc.plugins.own_stream import OwnStream


@dataclass(frozen=True)
class Package:
    """A built network as its executor sees it."""

    graph: Graph
    files: Mapping[str, bytes]
    settings: Mapping[str, Any]
    data: Mapping[str, npt.NDArray[np.int64]]


class Stream(ABC):
    """What one stream of a network keeps between two steps, for `samples` inputs that advance together.

    Several streams of one executor, also in several threads, know nothing of each other.
    """

    samples: int

    @abstractmethod
    def step(self, frame: Array) -> Array:
        """Advance one step by a frame [N, ...] and return integer logits [N, classes]."""

    @abstractmethod
    def states(self) -> Mapping[str, Array]:
        """Return the codes [N, ...] of each state of the graph, by its name."""

    @abstractmethod
    def restore(self, states: Mapping[str, Array]) -> None:
        """Take over what `states` returned of a stream of as many samples; the caller has checked shapes and ranges."""


class Executor(ABC):
    """Runs one compiled network on integer codes; every method may be called from several threads.

    clock: `wall` where the time of a call is the machine's, `modelled` where a simulator runs in its place.
    """

    clock: ClassVar[Literal["wall", "modelled"]] = "wall"

    def counters(self) -> Mapping[str, float]:
        """Return what was counted during the last call (cycles, events, picojoules); {} where nothing is."""
        return {}

    @abstractmethod
    def run(self, x: Array) -> Array:
        """Return integer logits [N, T, classes] for codes [N, T, ...]; [N, ...] where the input is constant in time."""

    @abstractmethod
    def trace(self, x: Array) -> Observation:
        """Like `run`, with the spikes, state codes and gates of every layer."""

    @abstractmethod
    def stream(self, samples: int) -> Stream:
        """Return a stream of so many samples (1 or more) before its first step."""

    def step(self, frame: Array) -> Array:
        """Advance the executor's own stream, of which there is one; it begins with the first frame [N, ...]."""
        return self._own_stream.step(self.stream, frame)

    def reset(self) -> None:
        """Forget the executor's own stream: the next `step` is the first."""
        self._own_stream.reset()

    def dirty(self, seed: int | None) -> None:
        """Fill all memory that a call may not rely on with seeded garbage before each call; None: leave it be.

        What differs afterwards was read before it was written. An executor without memory of its own does nothing.
        """
        return

    def close(self) -> None:
        """Give back what the executor holds; it is not called afterwards, and neither are its streams."""
        self.reset()

    @property
    def _own_stream(self) -> OwnStream:
        own: OwnStream | None = self.__dict__.get("_own")
        return own or self.__dict__.setdefault("_own", OwnStream())
