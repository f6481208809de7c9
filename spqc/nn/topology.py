"""Which layer reads which: layers in a list, with names where one reads another than the layer before it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar

from spqc.foundation.errors import ModelError
from spqc.foundation.options import nearest

S = TypeVar("S")

INPUT = "input"
"""What `from` calls the network's input."""


@dataclass(frozen=True)
class Topology:
    """Who reads what. Signals have numbers: 0 is the network's input, i + 1 is what feature i emits.

    sources: for each feature the signals it reads, a residual's branch last; result: what the classifier reads.
    """

    sources: tuple[tuple[int, ...], ...]
    result: int

    def run(self, first: S, apply: Callable[[int, tuple[S, ...]], S]) -> S:
        """Return the signal that the classifier reads: `apply(feature, its signals)` in order, from the input `first`.

        A signal is let go once its last reader has run.
        """
        kept: dict[int, S] = {0: first}
        for index, reads in enumerate(self.sources):
            kept[index + 1] = apply(index, tuple(kept[number] for number in reads))
            for number in self._last_reads[index]:
                kept.pop(number)
        return kept[self.result]

    @cached_property
    def _last_reads(self) -> tuple[frozenset[int], ...]:
        """The signals that nothing reads after each feature."""
        later = {self.result}
        last_reads = []
        for reads in reversed(self.sources):
            last_reads.append(frozenset(reads) - later)
            later.update(reads)
        return tuple(reversed(last_reads))


class Routes:
    """Turns the names of a list of layer specifications into signal numbers."""

    def __init__(self, specs: Sequence[Mapping[str, Any]]) -> None:
        self.numbers = {INPUT: 0}
        self.sources: list[tuple[int, ...]] = []
        for index, spec in enumerate(specs):
            if "name" in spec:
                self._name(index, spec["name"])

    def add(self, spec: Mapping[str, Any]) -> tuple[int, ...]:
        """Return what the next layer reads: `from`, else the layer before; then the branch of its residual."""
        index = len(self.sources)
        reads = self._named(index, spec["from"]) if "from" in spec else (index,)
        if spec.get("residual", "none") != "none":
            reads = self._with_branch(index, spec, reads)
        self.sources.append(reads)
        return reads

    def topology(self, result: int) -> Topology:
        """Return the routes so far; `result` is the signal that the classifier reads."""
        return Topology(tuple(self.sources), result)

    def _name(self, index: int, name: Any) -> None:
        where = f"layer {index}"
        if not isinstance(name, str) or not name:
            raise ModelError(f"a layer's name is a text, not {name!r}", where)
        if name in self.numbers:
            owner = "the network's input" if name == INPUT else f"layer {self.numbers[name] - 1}"
            raise ModelError(f"the name {name!r} is taken by {owner}", where, "give every layer a name of its own")
        self.numbers[name] = index + 1

    def _named(self, index: int, names: Any) -> tuple[int, ...]:
        wanted = [names] if isinstance(names, str) else names
        if not isinstance(wanted, list | tuple) or not wanted or not all(isinstance(name, str) for name in wanted):
            raise ModelError(f"'from' is a layer's name, or a list of names, not {names!r}")
        return tuple(self._number(index, name) for name in wanted)

    def _number(self, index: int, name: str) -> int:
        if name not in self.numbers:
            raise ModelError(f"reads {name!r}, but no layer has that name", hint=nearest(name, self.numbers))
        number = self.numbers[name]
        if number > index:
            what = "which is the layer itself" if number == index + 1 else "which comes after it"
            raise ModelError(
                f"reads {name!r}, {what}", hint="a layer reads layers before it: there are no cycles within a step"
            )
        return number

    def _with_branch(self, index: int, spec: Mapping[str, Any], reads: tuple[int, ...]) -> tuple[int, ...]:
        """Return the reads with the residual's branch: the second of `from`, or the input `residual_span` layers back.

        A span of 1 is the layer's own input.
        """
        if len(reads) > 1:
            if "residual_span" in spec:
                raise ModelError("its residual is told twice", hint="leave out residual_span, or the second of 'from'")
            return reads
        span = spec.get("residual_span", 1)
        if not isinstance(span, int) or isinstance(span, bool) or span < 1:
            raise ModelError(f"residual_span must be a positive integer, not {span!r}")
        if span > index + 1:
            raise ModelError(f"a residual spanning {span} layers starts before the network")
        return (*reads, ([*self.sources, reads])[index + 1 - span][0])
