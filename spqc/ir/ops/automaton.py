"""The neuron as a finite automaton over integers: what every table-shaped neuron folds into."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ..types import Array, Type, state_type
from .pointwise import per_channel
from .spiking import Spiking


@dataclass(frozen=True)
class Automaton(Spiking):
    """A neuron whose outcome is a staircase of its integer input n: what every neuron with stored levels folds into.

    The outcome k is how many of the ascending thresholds theta[row, :, c] n reaches (n >= theta), where row = (state
    code - low) * identities + identity, and low is the smallest code in `following`. Outcome k leads to the state
    `following[k]`, and spikes where k >= `fires`. A closed gate gives outcome `rest[state code - low]`. With a `carry`
    the states share one row: n + carry[state code - low] is compared instead of n.

    Operands: n, integers [C, ...]; state, codes of n's shape; theta, integers [rows, outcomes - 1, C], or [rows,
    outcomes - 1, 1] for all channels alike; then the operands that `reads` names, in its order: `identity`, integers of
    n's shape (a residual path); `direction`, +1 or -1 a channel [C], which multiplies n; `gate`, a spike a channel [C].
    Result: spikes of n's shape; the next state, of the type of the state.
    following: the state code behind each outcome, from the lowest outcome to the highest.
    fires: the lowest outcome that spikes.
    identities: how many values the identity takes; 1 without one.
    rest: for each state, the outcome behind a closed gate; empty without a gate.
    reads: the names of the operands behind theta.
    carry: for each state, what it adds to n; empty where states have rows of their own.
    Source: SpQuant-SNN Eq 1, 2, 7 and 10 as integer thresholds; docs/decisions.md, 2 and 27, says why they are exact.
    """

    following: tuple[int, ...] = (-1, 0, 1, 0)
    fires: int = 3
    identities: int = 1
    rest: tuple[int, ...] = ()
    reads: tuple[str, ...] = ()
    carry: tuple[int, ...] = ()
    name: ClassVar[str] = "automaton"

    @property
    def low(self) -> int:
        """The smallest state code."""
        return min(self.following)

    @property
    def states(self) -> int:
        """The number of state codes, from `low` on."""
        return max(self.following) - self.low + 1

    def infer(self) -> tuple[Type, ...]:
        n, state, theta = (self.type_of(i) for i in range(3))
        self.need(n.is_integer, f"reads integers, not {n}")
        wanted = state_type(self.low, max(self.following), n.shape)
        self.need(state == wanted, f"keeps {wanted}, not {state}")
        rows = 1 if self.carry else self.states * self.identities
        table = (rows, len(self.following) - 1, 1 if theta.shape[2:] == (1,) else n.shape[0])
        dims, extra = "x".join(map(str, table)), len(self.inputs) - 3
        self.need(theta.is_integer and theta.shape == table, f"needs thresholds {dims}, not {theta}")
        self.need(len(self.carry) in (0, self.states), f"carries {len(self.carry)} states, not {self.states}")
        self.need(not self.carry or self.identities == 1, "carries its state into n, and has no other rows")
        self.need(extra == len(self.reads), f"names {len(self.reads)} more operands than 3, not {extra}")
        self.need(("gate" in self.reads) == bool(self.rest), "needs `rest` exactly where it reads a gate")
        self.need(len(self.rest) in (0, self.states), f"rests in {len(self.rest)} states, not {self.states}")
        self._check_extra(n)
        return Type("spike", 1, n.shape), state

    def _check_extra(self, n: Type) -> None:
        """Raise GraphError where an optional operand does not meet the sums."""
        self.need(len(set(self.reads)) == len(self.reads), "names an operand twice")
        shapes = {"identity": n.shape, "direction": n.shape[:1], "gate": n.shape[:1]}
        for role in self.reads:
            self.need(role in shapes, f"knows no operand '{role}'", f"known: {', '.join(shapes)}")
            type_ = self.type_of(self.operand(role) or 0)
            fits = type_.is_integer and type_.shape == shapes[role]
            self.need(fits, f"reads as '{role}' integers of shape {list(shapes[role])}, not {type_}")

    def operand(self, role: str) -> int | None:
        """Return the position of an optional operand."""
        return 3 + self.reads.index(role) if role in self.reads else None

    def evaluate(self, *arrays: Array) -> tuple[Array, ...]:
        n, code, theta = arrays[:3]
        extra = dict(zip(self.reads, arrays[3:], strict=True))
        row = (code - self.low) * self.identities + extra.get("identity", 0)
        if "direction" in extra:
            n = n * per_channel(extra["direction"], n)
        if self.carry:
            n, row = n + np.asarray(self.carry)[code - self.low], np.zeros_like(code)
        outcome = np.zeros(row.shape, np.int64)
        for index, thresholds in enumerate(theta):
            passed = sum((n >= per_channel(limit, n)).astype(np.int64) for limit in thresholds)
            outcome = np.where(row == index, passed, outcome)
        if "gate" in extra:
            opened = extra["gate"].reshape(*extra["gate"].shape, *(1,) * (n.ndim - extra["gate"].ndim))
            outcome = np.where(opened != 0, outcome, np.asarray(self.rest)[code - self.low])
        return (outcome >= self.fires).astype(np.int64), np.asarray(self.following)[outcome]
