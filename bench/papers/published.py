"""What the papers and their released code say, each figure with its place."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files


@dataclass(frozen=True)
class Published:
    """One figure as it was printed, and where."""

    value: float
    where: str


@cache
def published() -> dict[str, Published]:
    """Return every figure by its key."""
    content = json.loads((files(__package__) / "published.json").read_text())
    return {key: Published(value, where) for key, (value, where) in content.items()}


def figure(key: str) -> float:
    """Return one figure."""
    return published()[key].value
