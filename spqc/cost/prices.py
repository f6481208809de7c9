"""A figure is counts times prices: nanoseconds, picojoules and the papers' conventions differ only in the table."""

from __future__ import annotations

from collections.abc import Mapping


def priced(counts: Mapping[str, float], prices: Mapping[str, float]) -> float:
    """Return the sum of each count times the price of its name, in the prices' unit; KeyError where it has none."""
    return sum(prices[name] * count for name, count in counts.items())
