"""Networks of many shapes to fit the cost function with: a layer of spikes, then the layer that is measured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from spqc.ir import Builder, Graph, Type, Value, ops
from spqc.ir.grids import magnitudes
from spqc.ir.types import Encoding, state_type
from spqc.plugins.tuning import Lesson


@dataclass(frozen=True)
class Kind:
    """The measured layer: a convolution over `size` x `size`, or, with size 1, a linear one.

    `pool`: its inputs are sums of spikes; `frames`: it is the first, over frames of bytes that change.
    """

    inputs: int
    outputs: int
    size: int
    densities: tuple[float, ...] = (0.03, 0.15, 0.4)
    steps: int = 4
    weights: tuple[Encoding, int] = ("pot", 4)
    pool: bool = False
    kernel: int = 3
    stride: int = 1
    groups: int = 1
    frames: bool = False


KINDS = (
    Kind(64, 64, 32),
    Kind(32, 64, 16, weights=("int", 8)),
    Kind(128, 128, 16),
    Kind(128, 128, 16, weights=("int", 2)),
    Kind(128, 256, 8, steps=10, densities=(0.1,)),
    Kind(256, 256, 16, densities=(0.05, 0.3)),
    Kind(512, 512, 4, densities=(0.05, 0.3)),
    Kind(48, 48, 12, steps=2, weights=("int", 2)),
    Kind(64, 128, 8, densities=(0.2, 0.5), pool=True),
    Kind(64, 64, 16, weights=("apot", 8)),
    Kind(16, 32, 8, densities=(0.3,)),
    # sums that wait for each other, staging that few outputs share, sums of 32 bits, borders, columns left out
    Kind(24, 256, 20, densities=(0.1,), kernel=1),
    Kind(128, 40, 28, densities=(0.05,), steps=3, kernel=1),
    Kind(320, 160, 10, densities=(0.2,), steps=8, kernel=1, weights=("int", 2)),
    Kind(160, 16, 40, densities=(0.1,), weights=("int", 2)),
    Kind(96, 48, 40, densities=(0.05,), steps=1, pool=True),
    Kind(384, 96, 14, densities=(0.1,), steps=6, weights=("pot", 5)),
    Kind(32, 192, 20, densities=(0.1,), kernel=5),
    Kind(48, 32, 32, densities=(0.1,), kernel=1, pool=True),
    Kind(100, 128, 28, densities=(0.02, 0.2), steps=2, stride=2),
    Kind(200, 64, 20, densities=(0.3,), steps=5, stride=2, weights=("int", 8)),
    Kind(96, 96, 5, densities=(0.05, 0.5), kernel=5, weights=("int", 4)),
    # frames
    Kind(3, 64, 32, densities=(1.0,), weights=("int", 2), frames=True),
    Kind(3, 96, 40, densities=(1.0,), stride=2, frames=True),
    Kind(2, 32, 34, densities=(0.1,), steps=10, frames=True),
    Kind(1, 16, 28, densities=(0.3,), steps=8, weights=("int", 8), kernel=5, frames=True),
    # a group for each channel
    Kind(40, 40, 24, densities=(0.1,), kernel=7, groups=40),
    Kind(96, 96, 16, densities=(0.1,), steps=2, groups=96),
    Kind(128, 128, 10, densities=(0.1,), steps=8, groups=128),
    Kind(64, 64, 20, densities=(0.1,), kernel=5, stride=2, groups=64),
    # linear
    Kind(1024, 512, 1),
    Kind(2048, 256, 1, densities=(0.05, 0.2), weights=("int", 8)),
    Kind(1024, 1000, 1, densities=(0.1,), weights=("int", 2)),
    Kind(4096, 256, 1, densities=(0.1,), weights=("int", 2)),
    Kind(512, 1024, 1, densities=(0.1,), steps=1, weights=("int", 2)),
    Kind(320, 512, 1, densities=(0.3,), steps=10, weights=("int", 2)),
    Kind(4096, 1024, 1, densities=(0.15,), steps=6, weights=("int", 2)),
    Kind(2048, 64, 1, densities=(0.1,), steps=6, weights=("int", 2)),
)


def lessons() -> Sequence[Lesson]:
    return [Lesson(network(kind), kind.densities) for kind in KINDS]


def network(kind: Kind) -> Graph:
    """Return the network of one lesson; its weights are drawn once and for all."""
    rng = np.random.default_rng(0)
    build = Builder("lesson", kind.steps)
    s = inputs(build, kind, rng)
    s = neurons(build, measured(build, s, kind, rng), "measured", rng)
    if len(s.type.shape) > 1:
        (s,) = build.op(ops.Flatten, s, origin="flat")
    head = build.constant("head", Type("int", 2, (1, s.type.size)), rng.integers(-1, 2, (1, s.type.size)))
    return build.graph(build.op(ops.Linear, s, head, origin="head")[0])


def inputs(build: Builder, kind: Kind, rng: np.random.Generator) -> Value:
    """Return what the measured layer reads: spikes of a layer before it, their sums, or frames."""
    size = 2 * kind.size if kind.pool else kind.size
    shape = (kind.inputs, size, size)
    if kind.frames:
        return build.input("x", Type("uint", 8, shape))
    x = build.input("x", Type("spike", 1, shape))
    one = build.constant("one", Type("int", 2, (kind.inputs, 1, 1, 1)), np.ones((kind.inputs, 1, 1, 1), np.int64))
    (n,) = build.op(ops.Conv2d, x, one, origin="spikes", groups=kind.inputs)
    s = neurons(build, n, "spikes", rng)
    return build.op(ops.SumPool, s, origin="pooled")[0] if kind.pool else s


def measured(build: Builder, s: Value, kind: Kind, rng: np.random.Generator) -> Value:
    window = (kind.inputs,) if kind.size == 1 else (kind.inputs // kind.groups, kind.kernel, kind.kernel)
    encoding, bits = kind.weights
    top = 2 ** (bits - 1) - 1
    values = np.arange(top + 1) if encoding == "int" else np.array(magnitudes(encoding, bits))
    drawn = rng.choice(values, (kind.outputs, *window)) * rng.choice([-1, 1], (kind.outputs, *window))
    weight = build.constant("weight", Type(encoding, bits, drawn.shape), drawn)
    if kind.size == 1:
        (s,) = build.op(ops.Flatten, s, origin="flat")
        return build.op(ops.Linear, s, weight, origin="measured")[0]
    options = {"padding": kind.kernel // 2, "stride": kind.stride, "groups": kind.groups}
    return build.op(ops.Conv2d, s, weight, origin="measured", **options)[0]


def neurons(build: Builder, n: Value, name: str, rng: np.random.Generator) -> Value:
    """Append ternary neurons with nine thresholds a channel, as trained networks have them."""
    channels = n.type.shape[0]
    a = build.constant(f"{name}.a", Type("float", 32, (channels,)), rng.normal(0, 0.02, channels).astype(np.float32))
    b = build.constant(f"{name}.b", Type("float", 32, (channels,)), rng.normal(0.2, 0.4, channels).astype(np.float32))
    (current,) = build.op(ops.Affine, n, a, b, origin=name)
    state = build.state(f"{name}.state", state_type(-1, 1, n.type.shape))
    spike, following = build.op(ops.Neuron, current, state, origin=name, threshold=0.75)
    build.nexts.append(following)
    return spike
