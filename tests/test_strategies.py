"""Every kernel strategy against the interpreter, and the choice among them."""

from __future__ import annotations

import pytest
from random_graphs import Maker
from test_llvm import check, one_layer

import spqc
from spqc.errors import UsageError
from spqc.ir import Graph

tvm = pytest.importorskip("tvm")

from spqc.targets._tir.choice import choose, site, strategies  # noqa: E402  (tvm must be there)
from spqc.targets._tir.constants import Constants  # noqa: E402
from spqc.targets._tir.context import Machine  # noqa: E402
from spqc.targets._tir.strategy import Site  # noqa: E402

NAMES = sorted(strategies())


def sites(graph: Graph, features: frozenset[str] = frozenset()) -> list[Site]:
    """Return the kernels of a graph that a strategy may compute, over a fused window."""
    from spqc import pipeline
    from spqc.ir.program import Program
    from spqc.targets.llvm import Llvm

    target = Llvm()
    done = pipeline.run(graph, pipeline.parse(target.pipeline()))
    assert isinstance(done, Graph)
    program = pipeline.run(done, pipeline.parse(target.lowerings()["run"]))
    assert isinstance(program, Program)
    found = (site(program, kernel, Machine(features), Constants(done)) for kernel in program.kernels)
    return [s for s in found if s is not None]


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
        found = choose(one)
        assert found.predicted_ns is not None and found.strategy in NAMES
        for name in NAMES:
            if not strategies()[name].refuses(one):
                assert found.predicted_ns <= sum(
                    strategies()[name].rates[f] * n for f, n in strategies()[name].features(one, {}).items()
                )
