"""The counts of kernels: by hand on a small network, and the same for every target until a strategy says more."""

from __future__ import annotations

import numpy as np
import pytest

from spqc.commands.compile import lowered, optimised
from spqc.contracts import Advice, KernelCount, Priced
from spqc.cost.account import account_of
from spqc.cost.kernel_counts import count_kernels
from spqc.cost.prices import priced
from spqc.ir import Builder, Graph, Type
from spqc.ir.ops import Affine, Conv2d, Flatten, Linear, Neuron
from spqc.ir.program import Program
from spqc.ir.types import state_type
from spqc.targets._plan.choice import site
from spqc.targets._plan.constants import Constants
from spqc.targets.llvm import Llvm
from spqc.targets.llvm.counting import machine_of
from spqc.targets.llvm.strategies import chooser

STEPS = 3


def network() -> Graph:
    """Return 2x4x4 spikes, a 3x3 convolution to 5 channels with neurons, and a classifier of 3 classes."""
    build = Builder("net", STEPS)
    x = build.input("x", Type("spike", 1, (2, 4, 4)))
    rng = np.random.default_rng(0)
    w = build.constant("w", Type("pot", 4, (5, 2, 3, 3), "const", 0.25), rng.choice([-2, -1, 0, 1, 2], (5, 2, 3, 3)))
    (n,) = build.op(Conv2d, x, w, origin="conv (Conv)", padding=1)
    a, b = (build.constant(k, Type("float", 32, (5,)), np.full(5, v, np.float32)) for k, v in (("a", 0.25), ("b", 0)))
    (charge,) = build.op(Affine, n, a, b, origin="conv (Conv)")
    spike, following = build.op(
        Neuron, charge, build.state("v", state_type(-1, 1, n.type.shape)), origin="conv (Conv)", threshold=1.0
    )
    build.nexts.append(following)
    (flat,) = build.op(Flatten, spike)
    head = build.constant("head", Type("int", 4, (3, 80)), rng.integers(-7, 8, (3, 80)))
    return build.graph(*build.op(Linear, flat, head, origin="head (Linear)"))


def programs() -> tuple[Graph, dict[str, Program]]:
    graph = optimised(network())
    return graph, lowered(graph)


def by_layer(counts: tuple[KernelCount, ...]) -> dict[str, KernelCount]:
    return {count.layer: count for count in counts}


def test_events_of_a_window_by_hand() -> None:
    graph, forms = programs()
    source = graph.inputs[0].name
    counts = by_layer(count_kernels(forms["run"], {source: (0.75, 0.25)}))
    dense = 5 * 16 * 2 * 9 * STEPS
    assert counts["conv"].events == {
        "dense": dense, "synaptic": dense * 0.25, "executed": dense, "gate": 0, "membrane": 80 * STEPS,
    }  # fmt: skip
    assert counts["conv"].rates_measured and not counts["head"].rates_measured
    assert counts["head"].events["dense"] == 3 * 80 * STEPS
    assert counts["head"].events["synaptic"] == pytest.approx(3 * 80 * STEPS * 0.15)


def test_bytes_follow_the_layout_and_the_true_widths() -> None:
    graph, forms = programs()
    counts = by_layer(count_kernels(forms["run"]))
    constants = {v.name: v.type for v in graph.constants}
    theta = next(t for name, t in constants.items() if name.startswith("@theta"))
    assert counts["conv"].bytes == {
        "weights": -(-(90 * 4 + theta.size * theta.bits) // 8),
        "inputs": 32 * STEPS,
        "outputs": 256,  # 16 pixels of 16 padded channels, the steps of each in a byte
        "states": 0,
    }
    stepped = by_layer(count_kernels(forms["step"]))["conv"]
    assert stepped.bytes["states"] == 2 * 80 * 2 // 8 and stepped.events["membrane"] == 80


def test_a_window_does_what_its_steps_do() -> None:
    _, forms = programs()
    run, step = (by_layer(count_kernels(forms[name])) for name in ("run", "step"))
    for layer, count in run.items():
        assert count.events == pytest.approx({name: STEPS * value for name, value in step[layer].events.items()})


def test_the_account_of_the_graph_has_the_same_sums() -> None:
    graph, forms = programs()
    counts = count_kernels(forms["run"])
    assert sum(count.events["dense"] for count in counts) == account_of(graph).macs


def test_the_cpu_counts_what_its_strategies_price() -> None:
    """What predicts the time of a kernel is its features times the rates."""
    graph, forms = programs()
    target = Llvm()
    assert isinstance(target, Priced)
    counts = target.count(graph, forms["run"], Advice())
    machine = machine_of("host", 1, Advice())
    for kernel, count in zip((k for k in forms["run"].kernels if k.name != "k1"), counts, strict=True):
        one = site(forms["run"], kernel, machine, Constants(graph, 16))
        assert one is not None and count.kernel == kernel.name
        choice = chooser().choose(one)
        rates = {**chooser().strategies[choice.strategy].rates, **one.rates.get(choice.strategy, {})}
        assert count.strategy == choice.strategy
        assert priced(count.features, rates) == choice.predicted_ns


def test_a_count_without_a_price_is_an_error() -> None:
    assert priced({"adds": 3, "reads": 2}, {"adds": 0.5, "reads": 10, "other": 1}) == 21.5
    with pytest.raises(KeyError):
        priced({"adds": 3}, {})
