"""One row of the page: a published figure, ours, and whether they agree."""

from __future__ import annotations

import math
from dataclasses import dataclass

from .published import figure

TO_THE_DIGIT = "yes, to the digit"


@dataclass(frozen=True)
class Row:
    """A published figure beside ours; `verdict` is computed, `why` is ours."""

    what: str
    published: str
    ours: str
    verdict: str
    why: str = ""

    @property
    def cells(self) -> tuple[str, ...]:
        return (self.what, self.published, self.ours, self.verdict, self.why)


def compare(what: str, key: str, ours: float, digits: int, tolerance: float, unit: str, why: str = "") -> Row:
    """Return the row of a figure printed with `digits` decimals, rounded or cut off.

    Where it does not come out so, a relative difference of `tolerance` counts as reproduced, and the row says how large
    it is; beyond, the row says no, and `why` must say why.
    """
    printed = figure(key)
    verdict = verdict_of(printed, ours, digits, tolerance)
    return Row(what, f"{printed:.{digits}f}{unit}", f"{ours:.{max(digits, 2) + 1}f}{unit}", verdict, why)


def verdict_of(printed: float, ours: float, digits: int, tolerance: float) -> str:
    """Return whether a figure is reproduced."""
    scale = 10.0**digits
    whole = round(printed * scale)
    if whole in (round(ours * scale), math.floor(ours * scale + 1e-9)):
        return TO_THE_DIGIT
    difference = (ours - printed) / printed
    return f"{'yes' if abs(difference) <= tolerance else 'no'}, {difference:+.1%}"
