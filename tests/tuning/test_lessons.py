"""Lessons of the cost function: what they cover, and how errors are held back."""

from __future__ import annotations

import numpy as np
import pytest

from spqc.commands.tune import representatives
from spqc.tuning.fit import Measurement, fitted, held_back, rates_of

pytest.importorskip("tvm")

from support.kernel_sites import sites

from spqc.targets.llvm.compile import machine_target
from spqc.targets.llvm.strategies import strategies
from spqc.targets.llvm.tuning.lessons import KINDS, network
from spqc.targets.llvm.tuning.tuner import candidates_of


def test_lessons_teach_every_strategy_of_a_wide_cpu() -> None:
    """Each serves for some lessons, and each feature that is priced for such a CPU occurs."""
    features = frozenset(machine_target("znver5")[1])
    seen: dict[str, set[str]] = {}
    for kind in KINDS:
        one = next(s for s in sites(network(kind), features) if s.region.kernel.ops[0].origin == "measured")
        for candidate in representatives(candidates_of(one)):
            counted = {f for f, count in candidate.features.items() if count > 0}
            seen.setdefault(candidate.strategy, set()).update(counted)
    assert set(seen) == set(strategies()) - {"sparse"}  # the weights of no lesson are sparse
    for name, found in seen.items():
        assert set(strategies()[name].rates) - found <= {"pairs", "words", "portable"}, name


def test_errors_are_those_of_lessons_held_back() -> None:
    """A lesson that is unlike all others is met by rates that know it, and not by rates that do not."""
    usual = [Measurement("s", {"a": n, "b": 0.0}, 2.0 * n, lesson) for lesson, n in enumerate(range(1, 9))]
    unlike = Measurement("s", {"a": 1.0, "b": 5.0}, 42.0, 8)
    errors = dict(zip(["usual", "unlike"], (held_back(usual), held_back([*usual, unlike])), strict=True))
    assert max(errors["usual"]) < 1e-3
    assert max(errors["unlike"]) > 0.9, "without it nobody knows what b costs"
    assert rates_of([*usual, unlike]) == pytest.approx({"a": 2.0, "b": 8.0}, rel=1e-3)
    assert fitted([*usual, unlike], "t", "cpu", "f").worst_error > 0.9


def test_one_wild_measurement_does_not_bend_the_rates() -> None:
    rng = np.random.default_rng(0)
    good = [Measurement("s", {"a": float(n)}, 3.0 * n * rng.uniform(0.98, 1.02), n) for n in range(1, 30)]
    assert rates_of([*good, Measurement("s", {"a": 10.0}, 10.0, 99)])["a"] == pytest.approx(3.0, rel=0.03)


def test_a_feature_that_nobody_measured_keeps_its_declared_rate() -> None:
    assert rates_of([Measurement("s", {"a": 1.0, "never": 0.0}, 2.0)]) == {"a": pytest.approx(2.0)}
