"""Every kernel strategy against the interpreter, and the choice among them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from support.comparison import compare
from support.exact import check
from support.kernel_sites import sites
from support.layers import INT2, INT8, POT8, convolution, draw, one_layer
from support.processors import needs_v3
from support.random_graphs import Maker, random_codes

import spqc
from spqc.foundation.errors import UsageError
from spqc.ir import Type
from spqc.plugins.target import Advice
from spqc.plugins.tuning import Candidate
from spqc.runtime.observe import observe_graph

tvm = pytest.importorskip("tvm")

from spqc.cost.density import measured  # noqa: E402
from spqc.targets._plan.machine import Machine  # noqa: E402
from spqc.targets._plan.rates import rates_for  # noqa: E402
from spqc.targets.llvm.compile import machine_target  # noqa: E402
from spqc.targets.llvm.kernels.events.strategy import format_of  # noqa: E402
from spqc.targets.llvm.strategies import chooser, strategies  # noqa: E402  (tvm must be there)
from spqc.targets.llvm.tuning.measure import Bench  # noqa: E402

NAMES = sorted(strategies())


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("seed", range(300, 304))
def test_forced_strategy_is_exact(name: str, seed: int) -> None:
    """A network compiled for one strategy (where it serves) equals the interpreter."""
    check(Maker(seed).graph(3), f"llvm{{strategy={name}}}", seed)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("seed", range(310, 330))
def test_forced_strategy_is_exact_on_many(name: str, seed: int) -> None:
    check(Maker(seed).graph(4), f"llvm{{strategy={name} threads={1 + seed % 2}}}", seed)


def test_unknown_strategy_is_named() -> None:
    with pytest.raises(UsageError, match="no kernel strategy 'dens'") as caught:
        spqc.compile(one_layer(1, 4, 4), "llvm{strategy=dens}")
    assert "dense" in caught.value.hint


def test_every_choice_is_reported() -> None:
    artifact = spqc.compile(one_layer(3, 5, 5), "llvm{strategy=dense}")
    for form in ("run", "step"):
        entries = artifact.contents.report["kernels"][form]
        assert [(e["layer"], e["strategy"], e["reason"]) for e in entries] == [
            ("features.0", "dense", "as asked for"),
            ("classifier", "dense", "as asked for"),
        ]


@pytest.mark.parametrize("name", NAMES)
def test_strategies_declare_what_they_cost(name: str) -> None:
    """Features are what `rates` prices, a prediction is positive, and the first settings are the strategy's own."""
    strategy = strategies()[name]
    for one in sites(one_layer(17, 9, 9)):
        if strategy.refuses(one):
            continue
        space = list(strategy.space(one))
        assert space[0] == {}
        for settings in space:
            features = strategy.features(one, settings)
            assert set(features) <= set(strategy.rates)
            assert sum(strategy.rates[f] * n for f, n in features.items()) > 0


def test_the_fastest_prediction_is_chosen() -> None:
    for one in sites(one_layer(17, 9, 9)):
        found = chooser().choose(one)
        assert found.predicted_ns is not None and found.strategy in NAMES
        for name in NAMES:
            if not strategies()[name].refuses(one):
                assert all(
                    found.predicted_ns <= chooser().predict(one, name, s) for s in strategies()[name].proposed(one)
                )


@pytest.mark.parametrize("name", NAMES)
def test_what_is_proposed_untuned_may_be_tuned_too(name: str) -> None:
    for one in sites(one_layer(70, 9, 9)):
        if not strategies()[name].refuses(one):
            space = list(strategies()[name].space(one))
            assert all(settings in space for settings in strategies()[name].proposed(one))


def test_few_events_are_added_in_longer_runs() -> None:
    """A run costs as much as several events, so the fewer there are, the more channels a block has."""
    rng = np.random.default_rng(0)
    graph = convolution(rng.integers(-64, 65, (128, 256, 3, 3)), 8, Type("int", 8, (1,)))
    (second,) = [one for one in sites(graph) if one.region.kernel.ops[0].origin.startswith("second")]
    machine = Machine(frozenset({"avx512f", "avx512bw", "avx512vl", "avx512vnni"}))

    def channels(active: float) -> int:
        one = replace(second, machine=machine, density=measured([1 - active, active]))
        found = chooser().choose(replace(one, rates=rates_for(machine, Advice())), "events")
        return found.settings.get("channels", 64)

    assert channels(0.01) > channels(0.15) > channels(0.6)


CASES = {
    "rows of one tile": (convolution(draw(INT8, (16, 5, 3, 3)), 5, INT8), "end"),
    "three tiles": (convolution(draw(INT8, (48, 33, 3, 3)), 4, INT8), "end"),
    "wide rows": (convolution(draw(INT8, (256, 20, 3, 3)), 2, INT8), "end"),
    "added in groups": (convolution(draw(INT2, (64, 48, 3, 3)), 5, INT2), "end"),
    "stride": (convolution(draw(INT2, (32, 16, 3, 3)), 7, INT2, stride=2), "end"),
    "averages": (convolution(draw(INT8, (32, 9, 3, 3)), 3, INT8, pool=True), "end"),
    "widened after runs": (convolution(draw(INT8, (16, 70, 3, 3), extreme=True), 3, INT8), "run"),
    "widened by count": (convolution(draw(INT8, (16, 300, 3, 3), extreme=True), 2, INT8), "count"),
    "two bytes": (convolution(draw(POT8, (32, 17, 3, 3)), 4, POT8), "end"),
    "two bytes, widened": (convolution(draw(POT8, (64, 300, 3, 3)), 2, POT8), "run"),
    "linear": (convolution(draw(INT8, (64, 20 * 4)), 2, INT8), "end"),
    "linear, widened": (convolution(draw(INT8, (16, 300 * 4), extreme=True), 2, INT8), "count"),
}


EVENTS = ("llvm{strategy=events}", "llvm{strategy=events cpu=x86-64-v3 threads=2}")
PAIRS = [
    pytest.param(case, target, marks=() if (i + j) % 2 == 0 else pytest.mark.slow)
    for i, case in enumerate(CASES)
    for j, target in enumerate(EVENTS)
]


@needs_v3
@pytest.mark.parametrize(("case", "target"), PAIRS)
def test_events_are_exact(case: str, target: str) -> None:
    """Every way to store and to widen event-driven sums equals the interpreter."""
    graph, flush = CASES[case]
    one = next(s for s in sites(graph) if s.region.kernel.ops[0].origin.startswith("second"))
    found = format_of(one.sum, one.constants)
    assert found is not None and found.flush == flush and (found.group > 1) == (case in ("added in groups", "stride"))
    codes = random_codes(graph, 3, 0)[graph.inputs[0].name]
    wanted = observe_graph(graph, codes)
    rates = [float(s.mean()) for s in wanted.spikes.values()]
    assert all(0 < rate < 1 for rate in rates), rates
    artifact = spqc.compile(graph, target)
    chosen = {e["layer"]: e["strategy"] for e in artifact.contents.report["kernels"]["run"]}
    assert chosen["second"] == "events"
    assert not compare(graph, artifact.executor, codes).differences


@pytest.mark.parametrize("settings", [{"tiles": t, "channels": c} for t in (1, 2, 4, 8) for c in (32, 64)])
def test_settings_of_events_are_exact(settings: dict[str, int]) -> None:
    """Every shape of rows and blocks gives the bytes that the dense kernel gives."""
    one = next(s for s in sites(CASES["wide rows"][0]) if s.region.kernel.ops[0].origin.startswith("second"))
    target, features = machine_target("host")
    here = replace(one, machine=Machine(frozenset(features)))
    bench = Bench(here, [Candidate("dense", {}, 1), Candidate("events", settings, 1)], target)
    np.testing.assert_array_equal(bench.result(0), bench.result(1))
    assert bench.result(0).any()
