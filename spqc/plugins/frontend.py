"""What reads models: a source, the frontend that recognises it, and what a network did."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from spqc.ir.graph import Graph
from spqc.ir.types import Array


@dataclass(frozen=True)
class Source:
    """What the user asked to compile: a file, or a live object of a framework; `label` names it in messages."""

    label: str
    path: Path | None = None
    model: Any = None


class Frontend(ABC):
    """Reads one kind of model."""

    name: ClassVar[str]

    @classmethod
    @abstractmethod
    def matches(cls, source: Source) -> bool:
        """Return whether this frontend should read the source; looks at names and types, not into files."""

    @abstractmethod
    def load(self, source: Source) -> Graph:
        """Return the model as a temporal graph; ModelError names the module that cannot be carried over."""

    @abstractmethod
    def observe(self, source: Source, x: Array) -> Observation:
        """Run the model in its own framework on codes [N, T, ...] and return everything that must be equal."""

    def examples(self, source: Source, samples: int, seed: int) -> Examples | None:
        """Return real inputs of the model's own kind, or None where only random ones can be drawn."""
        return None

    def eager(self, source: Source) -> Callable[[Array], object] | None:
        """Return the model in its own framework as a function of codes [N, T, ...], to time; None where it has none."""
        return None


@dataclass(frozen=True)
class Examples:
    """Inputs to show a network, what they are in words, and their classes [N] where known."""

    x: Array
    description: str
    labels: Array | None = None


@dataclass(frozen=True)
class Observation:
    """What a network did: logits [N, T, classes], and for each layer spikes, state codes and gates [N, T, ...]."""

    logits: Array
    spikes: Mapping[str, Array]
    states: Mapping[str, Array]
    gates: Mapping[str, Array] = field(default_factory=dict)
