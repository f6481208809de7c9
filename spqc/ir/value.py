"""A named value of the temporal graph."""

from __future__ import annotations

from dataclasses import dataclass

from .types import Type


@dataclass(frozen=True)
class Value:
    """A named value: `%x` is computed or an input, `@w` a constant, `$v` a state."""

    name: str
    type: Type

    def __str__(self) -> str:
        return f"{self.name}: {self.type}"
