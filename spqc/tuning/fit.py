"""Fits the cost function: nanoseconds for each feature of each strategy, never below zero, least relative error.

The errors that are reported are those of kernels held back: the calibration networks are dealt into folds, each of
which is predicted by rates that were fitted to the others.
"""

from __future__ import annotations

import datetime
import statistics
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

_FOLDS = 8
_REWEIGHTED = 3  # times: errors beyond _NEAR count as they are, not squared
_NEAR = 0.05
_TINY = 1e-10
Matrix = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Measurement:
    """What one kernel did, by features of its strategy, and how long that took.

    network: the number of the calibration network that the kernel is of.
    """

    strategy: str
    features: Mapping[str, float]
    time_ns: float
    network: int = 0


@dataclass(frozen=True)
class FittedStrategy:
    """How well one strategy is predicted: relative errors of its measurements, their calibration network held back."""

    strategy: str
    samples: int
    median_error: float
    worst_error: float


@dataclass(frozen=True)
class FitReport:
    """Fitted rates in nanoseconds, and the relative errors of predictions for networks held back."""

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
    """Return rates for each strategy, and how well such rates predict what they were not fitted to."""
    names = sorted({m.strategy for m in measured})
    rates = {name: rates_of([m for m in measured if m.strategy == name]) for name in names}
    errors = {name: held_back([m for m in measured if m.strategy == name]) for name in names}
    rows = [FittedStrategy(n, len(e), round(statistics.median(e), 3), round(max(e), 3)) for n, e in errors.items()]
    every = [error for held_out in errors.values() for error in held_out]
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    median, worst = round(statistics.median(every), 3), round(max(every), 3)
    return FitReport(target, cpu, today, file, len(every), median, worst, rates, rows)


def held_back(measured: list[Measurement]) -> list[float]:
    """Return the relative error of each measurement, under rates fitted without the fold of its network."""
    networks = sorted({m.network for m in measured})
    fold = {network: index % _FOLDS for index, network in enumerate(networks)}
    if len(networks) < 2:
        rates = rates_of(measured)
        return [_error(m, rates) for m in measured]
    errors = []
    for left_out in sorted(set(fold.values())):
        rates = rates_of([m for m in measured if fold[m.network] != left_out])
        errors += [_error(m, rates) for m in measured if fold[m.network] == left_out]
    return errors


def rates_of(measured: list[Measurement]) -> dict[str, float]:
    """Return the rates that make sum(rate * feature) / time come nearest to 1, each at least 0.

    A feature that no measurement has gets no rate: what its strategy declares holds on.
    """
    names = sorted({name for m in measured for name, count in m.features.items() if count > 0})
    rows = np.array([[m.features.get(name, 0.0) / m.time_ns for name in names] for m in measured])
    weights = np.ones(len(rows))
    for _ in range(1 + _REWEIGHTED):
        solved = nonnegative(rows * weights[:, None], weights)
        weights = 1 / np.sqrt(np.maximum(np.abs(rows @ solved - 1) / _NEAR, 1))
    return {name: float(f"{rate:.4g}") for name, rate in zip(names, solved, strict=True)}


def nonnegative(rows: Matrix, wanted: Matrix) -> Matrix:
    """Return x >= 0 with the least |rows x - wanted|, by the active sets of Lawson and Hanson, on scaled columns."""
    scale = np.sqrt((rows**2).sum(axis=0))
    scale[scale == 0] = 1.0
    scaled = rows / scale
    x = np.zeros(rows.shape[1])
    free = np.zeros(len(x), bool)
    for _ in range(10 * len(x)):
        pull = np.where(free, -np.inf, scaled.T @ (wanted - scaled @ x))
        if pull.max(initial=-np.inf) <= _TINY:
            break
        free[pull.argmax()] = True
        x = _least_squares(scaled, wanted, x, free)
    solution: Matrix = x / scale
    return solution


def _least_squares(rows: Matrix, wanted: Matrix, x: Matrix, free: npt.NDArray[np.bool_]) -> Matrix:
    """Return the least squares over the free columns; those that would fall below 0 are no longer free."""
    while free.any():
        best = np.zeros(len(x))
        best[free] = np.linalg.lstsq(rows[:, free], wanted, rcond=None)[0]
        below = free & (best <= 0)
        if not below.any():
            return best
        step = (x[below] / np.maximum(x[below] - best[below], _TINY)).min()
        x = x + step * (best - x)
        free &= x > _TINY
        x = np.where(free, x, 0.0)
    return np.zeros(len(x))


def _error(measurement: Measurement, rates: dict[str, float]) -> float:
    return abs(
        sum(rates.get(name, 0.0) * count for name, count in measurement.features.items()) / measurement.time_ns - 1
    )
