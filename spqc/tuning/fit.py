"""Fits the cost function: nanoseconds for each feature of each strategy, never below zero, least relative error."""

from __future__ import annotations

import datetime
import statistics
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

_SWEEPS = 20_000
Matrix = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Measurement:
    """What one kernel did, by features of its strategy, and how long that took."""

    strategy: str
    features: Mapping[str, float]
    time_ns: float


@dataclass(frozen=True)
class FittedStrategy:
    """How well one strategy is predicted: relative errors of its measurements."""

    strategy: str
    samples: int
    median_error: float
    worst_error: float


@dataclass(frozen=True)
class FitReport:
    """Fitted rates in nanoseconds, and the relative errors of what they predict of the measurements."""

    target: str
    cpu: str
    date: str
    file: str
    samples: int
    median_error: float
    worst_error: float
    rates: dict[str, dict[str, float]] = field(default_factory=dict)
    strategies: list[FittedStrategy] = field(default_factory=list)


def fitted(measured: list[Measurement], target: str, cpu: str, file: str) -> FitReport:
    """Return rates for each strategy, and how well they predict what they were fitted to."""
    names = sorted({m.strategy for m in measured})
    rates = {name: rates_of([m for m in measured if m.strategy == name]) for name in names}
    errors = {name: [_error(m, rates[name]) for m in measured if m.strategy == name] for name in names}
    rows = [FittedStrategy(n, len(e), round(statistics.median(e), 3), round(max(e), 3)) for n, e in errors.items()]
    every = [error for found in errors.values() for error in found]
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    median, worst = round(statistics.median(every), 3), round(max(every), 3)
    return FitReport(target, cpu, today, file, len(every), median, worst, rates, rows)


def rates_of(measured: list[Measurement]) -> dict[str, float]:
    """Return the rates that make sum(rate * feature) / time come nearest to 1, each at least 0."""
    names = sorted({name for m in measured for name in m.features})
    rows = np.array([[m.features.get(name, 0.0) / m.time_ns for name in names] for m in measured])
    solved = nonnegative(rows, np.ones(len(rows)))
    return {name: float(f"{rate:.4g}") for name, rate in zip(names, solved, strict=True)}


def nonnegative(rows: Matrix, wanted: Matrix) -> Matrix:
    """Return x >= 0 with the least |rows x - wanted|: coordinate descent on scaled columns."""
    scale = np.sqrt((rows**2).sum(axis=0))
    scale[scale == 0] = 1.0
    scaled = rows / scale
    gram, target = scaled.T @ scaled, scaled.T @ wanted
    x = np.zeros(rows.shape[1])
    for _ in range(_SWEEPS):
        before = x.copy()
        for j in range(len(x)):
            if gram[j, j] > 0:
                x[j] = max(0.0, x[j] + (target[j] - gram[j] @ x) / gram[j, j])
        if np.abs(x - before).max(initial=0) < 1e-12:
            break
    found: Matrix = x / scale
    return found


def _error(found: Measurement, rates: dict[str, float]) -> float:
    return abs(sum(rates[name] * count for name, count in found.features.items()) / found.time_ns - 1)
