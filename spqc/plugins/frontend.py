"""What reads models: a source, the frontend that recognises it and how surely, and what a network did."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Protocol, runtime_checkable

from spqc.ir.graph import Graph
from spqc.ir.types import Array


@dataclass(frozen=True)
class Source:
    """What the user asked to compile: a file, or a live object of a framework; `label` names it in messages."""

    label: str
    path: Path | None = None
    model: Any = None

    def head(self, most: int = 1 << 16) -> bytes:
        """Return the first bytes of the file, at most `most`; none of a live object, nor of what cannot be read."""
        try:
            if self.path is None or not self.path.is_file():  # a pipe would wait for a writer
                return b""
            with self.path.open("rb") as file:
                return file.read(most)
        except (OSError, ValueError):
            return b""


@dataclass(frozen=True)
class Match:
    """How sure a frontend is that it should read a source: `confidence` in 0..1, where 0 declines it.

    reason: what was recognised, or why it was declined, as words that follow the frontend's name in a message.
    Raises ValueError for a confidence outside 0..1 and for a reason left empty.
    """

    confidence: float
    reason: str

    def __post_init__(self) -> None:
        if not 0.0 <= self.confidence <= 1.0:
            raise ValueError(f"a confidence lies in 0..1, not {self.confidence!r}")
        if not self.reason.strip():
            raise ValueError("a match needs a reason")

    @classmethod
    def no(cls, reason: str) -> Match:
        """Return that the source is declined: another frontend's, or nobody's."""
        return cls(0.0, reason)

    @classmethod
    def unsure(cls, reason: str) -> Match:
        """Return that only a name, or a part of a damaged file, speaks for the source: `load` says what is wrong."""
        return cls(0.1, reason)

    @classmethod
    def likely(cls, reason: str) -> Match:
        """Return that the content looks right, though other formats may begin alike."""
        return cls(0.6, reason)

    @classmethod
    def sure(cls, reason: str) -> Match:
        """Return that the content, or the type of a live object, can be nothing else."""
        return cls(1.0, reason)


class Frontend(ABC):
    """Reads one kind of model."""

    name: ClassVar[str]

    @classmethod
    @abstractmethod
    def matches(cls, source: Source) -> Match:
        """Return how sure this frontend is that it should read the source, after a look at the file's first bytes.

        Runs nothing of the file, reads a bounded part of it, and raises nothing: what is damaged is declined, or
        claimed with little confidence where the file was of this frontend's kind, so that `load` says what is wrong.
        """

    @abstractmethod
    def load(self, source: Source) -> Graph:
        """Return the model as a temporal graph; ModelError names the module that cannot be carried over."""

    @abstractmethod
    def observe(self, source: Source, x: Array) -> Observation:
        """Run the model in its own framework on codes [N, T, ...] and return everything that must be equal."""


@runtime_checkable
class Eager(Protocol):
    """A frontend whose framework can be timed: `spqc bench --model` then measures it beside the artifact."""

    def eager(self, source: Source) -> Callable[[Array], object]:
        """Return the model in its own framework as a function of codes [N, T, ...]."""


@dataclass(frozen=True)
class Observation:
    """What a network did: logits [N, T, classes], and for each layer spikes, state codes and gates [N, T, ...]."""

    logits: Array
    spikes: Mapping[str, Array]
    states: Mapping[str, Array]
    gates: Mapping[str, Array] = field(default_factory=dict)
