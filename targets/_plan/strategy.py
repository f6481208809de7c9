"""What a strategy declares: where it serves, its settings, and what its work costs."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from spqc.cost.density import Density
from spqc.foundation.errors import InternalError
from spqc.ir import Array
from spqc.ir.program import Program
from spqc.targets._plan.machine import Machine

from .constants import Constants
from .geometry import Region, WeightedSum

Settings = Mapping[str, int]
"""What may be tuned of one kernel, by name: `{"tiles": 2, "pixels": 3}`. `{}` is a strategy's default."""


@dataclass(frozen=True)
class Site:
    """A kernel that begins with a weighted sum, and everything a choice may look at; no code is emitted yet."""

    program: Program
    region: Region
    machine: Machine
    constants: Constants
    density: Density
    rates: Mapping[str, Mapping[str, float]] = field(default_factory=dict)  # fitted, by strategy and feature

    @property
    def sum(self) -> WeightedSum:
        if self.region.sum is None:
            raise InternalError(f"kernel {self.region.kernel.name} begins with no sum", hint="please report this")
        return self.region.sum

    @property
    def weight(self) -> Array:
        """The integer weights, OxCxKxL or OxI: for proofs of ranges."""
        return self.constants.graph.data[self.sum.weight.name]

    @property
    def steps(self) -> int:
        """How many steps the sum is computed for: 1 where its input is constant in time."""
        return 1 if self.sum.constant else self.program.steps


class Strategy(ABC):
    """One way to compute a kernel that begins with a weighted sum; each target derives its own, which also emit."""

    name: ClassVar[str]
    rates: ClassVar[Mapping[str, float]]
    """Nanoseconds for one unit of each feature, where nobody fitted them (`spqc tune --fit` does)."""

    @abstractmethod
    def refuses(self, site: Site) -> str:
        """Return why this strategy cannot compute the kernel exactly; the empty text where it can."""

    def space(self, site: Site) -> Iterator[Settings]:
        """Yield the settings worth measuring, the default `{}` first."""
        yield {}

    def proposed(self, site: Site) -> Iterator[Settings]:
        """Yield the settings of `space` to choose among by prediction, where nothing was measured."""
        yield {}

    @abstractmethod
    def features(self, site: Site, settings: Settings) -> Mapping[str, float]:
        """Return how much of what one sample's kernel does; time is the sum over `rates`."""


@dataclass(frozen=True)
class Choice:
    """How one kernel is emitted, and why; `predicted_ns` of one sample, None where nothing predicts it."""

    kernel: str
    layer: str
    strategy: str
    settings: Settings
    reason: str
    density: Density
    predicted_ns: float | None = None
    measured: bool = False  # taken from a tuning record

    def report(self) -> dict[str, object]:
        """Return the entry of the artifact's report."""
        predicted = None if self.predicted_ns is None else round(self.predicted_ns / 1e3, 1)
        return {
            "kernel": self.kernel,
            "layer": self.layer,
            "strategy": self.strategy,
            "settings": dict(sorted(self.settings.items())),
            "reason": self.reason,
            "density": self.density.active,
            "density_measured": self.density.measured,
            "predicted_us": predicted,
            "tuned": self.measured,
        }
