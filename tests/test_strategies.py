"""Every kernel strategy against the interpreter, and the choice among them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest
from comparison import compare
from kernel_sites import sites
from random_graphs import Maker, random_codes
from test_llvm import check, needs_v3, one_layer

import spqc
from spqc.foundation.errors import UsageError
from spqc.ir import Builder, Graph, Type, Value, ops
from spqc.ir.types import state_type
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


def convolution(
    weights: npt.NDArray[np.int64], height: int, encoding: Type, *, steps: int = 3, stride: int = 1, pool: bool = False
) -> Graph:
    """Return a padded convolution or a linear layer, with neurons, over spikes of a first layer (`pool`: averages)."""
    rng = np.random.default_rng(1)
    build = Builder("net", steps)
    channels = weights.shape[1] if weights.ndim == 4 else weights.shape[1] // (height * height)
    size = 2 * height if pool else height
    x = build.input("x", Type("spike", 1, (channels, size, size)))
    w = build.constant("w0", Type("int", 2, (channels, 1, 1, 1)), np.ones((channels, 1, 1, 1), np.int64))
    (n,) = build.op(ops.Conv2d, x, w, origin="first (Conv)", groups=channels)
    (s,) = add_neuron(build, n, 0, rng)
    if pool:
        (s,) = build.op(ops.SumPool, s, kernel=2)
    w = build.constant("w1", Type(encoding.encoding, encoding.bits, weights.shape), weights)
    if weights.ndim == 4:
        (n,) = build.op(ops.Conv2d, s, w, origin="second (Conv)", padding=1, stride=stride)
    else:
        (s,) = build.op(ops.Flatten, s)
        (n,) = build.op(ops.Linear, s, w, origin="second (Linear)")
    (s,) = add_neuron(build, n, 1, rng)
    if len(s.type.shape) == 3:
        (s,) = build.op(ops.Flatten, s)
    w = build.constant("w2", Type("int", 8, (3, s.type.size)), rng.integers(-127, 128, (3, s.type.size)))
    (y,) = build.op(ops.Linear, s, w, origin="head (Linear)")
    return build.graph(y)


def add_neuron(build: Builder, n: Value, index: int, rng: np.random.Generator) -> tuple[Value, ...]:
    """Append neurons that see their sum well scaled, so that they fire now and then."""
    channels, spread = n.type.shape[0], float(np.abs(build.data[f"@w{index}"]).max())
    a = build.constant(f"a{index}", Type("float", 32, (channels,)), np.full(channels, 0.6 / spread, np.float32))
    b = build.constant(f"b{index}", Type("float", 32, (channels,)), rng.normal(0.2, 0.3, channels).astype(np.float32))
    (current,) = build.op(ops.Affine, n, a, b, origin=f"layer{index} (Neuron)")
    state = build.state(f"m{index}", state_type(-1, 1, n.type.shape))
    spike, following = build.op(ops.Neuron, current, state, origin=f"layer{index} (Neuron)", threshold=0.75)
    build.nexts.append(following)
    return (spike,)


POT8, INT8, INT2 = Type("pot", 8, (1,)), Type("int", 8, (1,)), Type("int", 2, (1,))


def draw(kind: Type, shape: tuple[int, ...], extreme: bool = False) -> npt.NDArray[np.int64]:
    rng = np.random.default_rng(2)
    if kind is POT8:
        return rng.choice([0, 1, -2, 64, -8192, 16384, -16384], shape)
    top = {8: 127, 2: 1}[kind.bits]
    if not extreme:
        return rng.integers(-top, top + 1, shape)
    sign = np.where(np.arange(shape[0]) % 2, -1, 1).reshape(-1, *[1] * (len(shape) - 1))
    return np.broadcast_to(top * sign, shape).astype(np.int64)


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
