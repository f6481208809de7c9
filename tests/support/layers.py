"""Networks of one or two layers of a given shape, for tests of kernels."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from spqc.ir import Builder, Graph, Type, Value, ops
from spqc.ir.types import state_type

from .random_graphs import integer_neuron

POT8, INT8, INT2 = Type("pot", 8, (1,)), Type("int", 8, (1,)), Type("int", 2, (1,))


def one_layer(channels: int, height: int, width: int) -> Graph:
    """Return a 3x3 convolution, its neuron and a classifier, over an odd map."""
    rng = np.random.default_rng(channels)
    build = Builder("odd", 5)
    x = build.input("x", Type("spike", 1, (channels, height, width)))
    w = build.constant(
        "w", Type("pot", 4, (19, channels, 3, 3)), rng.choice([-64, -4, -1, 0, 1, 8, 64], (19, channels, 3, 3))
    )
    (n,) = build.op(ops.Conv2d, x, w, origin="features.0 (Conv)", padding=1)
    a = build.constant("a", Type("float", 32, (19,)), (rng.normal(0, 0.02, 19)).astype(np.float32))
    b = build.constant("b", Type("float", 32, (19,)), rng.normal(0.2, 0.4, 19).astype(np.float32))
    (current,) = build.op(ops.Affine, n, a, b, origin="features.0 (Conv)")
    state = build.state("m", state_type(-1, 1, n.type.shape))
    spike, following = build.op(ops.Neuron, current, state, origin="features.0 (Conv)", threshold=0.75)
    build.nexts.append(following)
    (flat,) = build.op(ops.Flatten, spike)
    head = build.constant("head", Type("int", 8, (7, flat.type.size)), rng.integers(-127, 128, (7, flat.type.size)))
    (y,) = build.op(ops.Linear, flat, head, origin="classifier (Linear)")
    return build.graph(y)


def two_layers(
    weight: Any, *, size: tuple[int, int], steps: int, pool: str = "", window: int = 2, **options: Any
) -> Graph:
    """Return a 1x1 convolution that copies its input, then `weight` over its spikes (each pooled), and a classifier."""
    rng = np.random.default_rng(5)
    out, channels, *_ = weight.shape
    build = Builder("two", steps)
    x = build.input("x", Type("spike", 1, (channels, *size)))
    copy = build.constant(
        "copy", Type("int", 2, (channels, channels, 1, 1)), np.eye(channels, dtype=int)[..., None, None]
    )
    (n,) = build.op(ops.Conv2d, x, copy, origin="features.0 (Copy)")
    n = neuron(build, n, "features.0 (Copy)", 0, np.full((3, 3, channels), 1))
    if pool:
        (n,) = build.op(ops.SumPool if pool == "sum" else ops.MaxPool, n, kernel=window, stride=window)
    w = build.constant("w", Type("int", 16, weight.shape), weight)
    (n,) = build.op(ops.Conv2d, n, w, origin="features.1 (Conv)", **options)
    middle = np.abs(weight).reshape(out, -1).sum(1) // 8
    theta = np.sort(rng.integers(-middle, middle + 1, (3, 3, out)), axis=1)
    n = neuron(build, n, "features.1 (Conv)", 1, theta)
    if pool:
        (n,) = build.op(ops.SumPool if pool == "sum" else ops.MaxPool, n, kernel=2, stride=2)
    (flat,) = build.op(ops.Flatten, n)
    head = build.constant("head", Type("int", 4, (3, flat.type.size)), rng.integers(-7, 8, (3, flat.type.size)))
    (y,) = build.op(ops.Linear, flat, head, origin="classifier (Linear)")
    return build.graph(y)


def neuron(build: Builder, n: Any, origin: str, index: int, theta: np.ndarray) -> Any:
    """Append automata of three states with these thresholds, and return their spikes."""
    state = build.state(f"m{index}", state_type(-1, 1, n.type.shape))
    limits = build.constant(f"theta{index}", Type("int", 32, theta.shape), theta)
    spike, following = build.op(ops.Automaton, n, state, limits, origin=origin)
    build.nexts.append(following)
    return spike


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


def draw(kind: Type, shape: tuple[int, ...], extreme: bool = False) -> npt.NDArray[np.int64]:
    """Return weights of a kind; `extreme`: those of an output are all the largest, or all its negative."""
    rng = np.random.default_rng(2)
    if kind is POT8:
        return rng.choice([0, 1, -2, 64, -8192, 16384, -16384], shape)
    top = {8: 127, 2: 1}[kind.bits]
    if not extreme:
        return rng.integers(-top, top + 1, shape)
    sign = np.where(np.arange(shape[0]) % 2, -1, 1).reshape(-1, *[1] * (len(shape) - 1))
    return np.broadcast_to(top * sign, shape).astype(np.int64)


def integer_network(seed: int, kind: str, channels: int = 19, steps: int = 6) -> Graph:
    """Return two layers of one kind of integer neuron, a convolution and a linear, behind random weights."""
    rng = np.random.default_rng(seed)
    build = Builder("integers", steps)
    x = build.input("x", Type("spike", 1, (3, 5, 4)))
    w = build.constant("w", Type("int", 6, (channels, 3, 3, 3)), rng.integers(-31, 32, (channels, 3, 3, 3)))
    (n,) = build.op(ops.Conv2d, x, w, origin="features.0 (Conv)", padding=1)
    s = integer_neuron(build, rng, n, 0, "features.0 (Conv)", kind)
    (flat,) = build.op(ops.Flatten, s)
    hidden = build.constant("v", Type("int", 6, (9, flat.type.size)), rng.integers(-31, 32, (9, flat.type.size)))
    (n,) = build.op(ops.Linear, flat, hidden, origin="features.1 (Linear)")
    s = integer_neuron(build, rng, n, 1, "features.1 (Linear)", kind)
    head = build.constant("head", Type("int", 8, (4, 9)), rng.integers(-127, 128, (4, 9)))
    return build.graph(*build.op(ops.Linear, s, head, origin="classifier (Linear)"))
