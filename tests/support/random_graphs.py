"""Random networks as temporal graphs, for tests of meaning."""

from __future__ import annotations

from typing import Any

import numpy as np

from spqc.ir import Array, Builder, Graph, Type, Value
from spqc.ir.grids import magnitudes
from spqc.ir.levels import RELEASED, TAPEOUT, TERNARY
from spqc.ir.ops import (
    Add,
    Affine,
    Attention,
    Bias,
    Conv1d,
    Conv2d,
    Conv3d,
    CurrentNeuron,
    Flatten,
    Gate,
    GlobalSum,
    Greater,
    Integrate,
    Linear,
    MaxPool,
    Neuron,
    Repeat,
    Reshape,
    SpatialMask,
    SumPool,
)
from spqc.ir.types import state_type

GRIDS = (("pot", 2), ("pot", 4), ("pot", 5), ("apot", 4), ("apot", 8), ("int", 2), ("int", 4), ("int", 8))


class Maker:
    """Builds one random network; every choice is drawn from one seed."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.build = Builder("net", int(self.rng.choice([1, 2, 3, 7])))

    def pick(self, *choices: Any) -> Any:
        return choices[int(self.rng.integers(len(choices)))]

    def graph(self, layers: int = 3) -> Graph:
        x = self.input()
        for index in range(layers):
            x = self.block(x, index)
        x = self.head(x)
        return self.build.graph(x)

    def stream(self, layers: int = 3) -> Graph:
        """Return a network whose layers read, and add their spikes to, one stream of integers."""
        channels, side = int(self.pick(1, 3, 17)), int(self.pick(4, 6))
        x = total = self.build.input("x", Type("spike", 1, (channels, side, side)))
        for index in range(layers):
            w = self.weight(f"w{index}", (channels, channels, 3, 3))
            (n,) = self.build.op(Conv2d, total, w, origin=f"layers.{index} (Block)", padding=1)
            s = self.neuron(total, n, self.pick(None, x), index, f"layers.{index} (Block)")
            (total,) = self.build.op(Add, *self.pick((total, s), (s, total), (s, x)), origin=f"add.{index} (Add)")
            if index == 0 and self.rng.random() < 0.5:
                (total,) = self.build.op(Add, total, total, origin="twice (Add)")
        if self.rng.random() < 0.5:
            (total,) = self.build.op(self.pick(MaxPool, SumPool), total)
        return self.build.graph(self.head(total))

    def attention(self) -> Graph:
        """Return a network of three convolutions, attention among their spikes (or sums of them), and its neurons."""
        heads, width = self.pick((1, 16), (2, 16), (1, 32), (3, 5), (2, 8), (1, 80))
        height, columns = self.pick((4, 5), (1, 3), (8, 9), (3, 3))
        x = self.build.input("x", Type("spike", 1, (2, height, columns)))
        maps = []
        for index in range(3):
            w = self.weight(f"w{index}", (heads * width, 2, 1, 1))
            (n,) = self.build.op(Conv2d, x, w, origin=f"layers.{index} (Block)")
            maps.append(self.neuron(x, n, None, index, f"layers.{index} (Block)"))
        if self.rng.random() < 0.3:
            (maps[0],) = self.build.op(Add, maps[0], maps[1])
        (n,) = self.build.op(Attention, *maps, origin="attention (Attention)", heads=heads)
        return self.build.graph(self.head(self.neuron(x, n, None, 3, "layers.3 (Block)")))

    def input(self) -> Value:
        sides = self.pick(*[(int(self.pick(1, 5, 8)), int(self.pick(4, 7)))] * 4, (int(self.pick(6, 11)),), (5, 3, 4))
        shape = (int(self.pick(1, 2, 3)), *sides)
        if self.rng.random() < 0.3:
            still = self.build.input("x", Type("uint", 8, shape, "const", 1 / 256))
            return self.build.op(Repeat, still)[0]
        type_ = Type("spike", 1, shape) if self.rng.random() < 0.5 else Type("uint", 8, shape, "step", 1 / 256)
        return self.build.input("x", type_)

    def weight(self, name: str, shape: tuple[int, ...]) -> Value:
        encoding, bits = self.pick(*GRIDS)
        if encoding == "int":
            top = 2 ** (bits - 1) - 1
            array = self.rng.integers(-top, top + 1, shape)
        else:
            array = self.rng.choice(magnitudes(encoding, bits), shape) * self.rng.choice([-1, 1], shape)
        return self.build.constant(name, Type(encoding, bits, shape, "const", 0.25), array)

    def block(self, x: Value, index: int) -> Value:
        channels = int(self.pick(1, 3, 17))
        origin = f"layers.{index} (Block)"
        if len(x.type.shape) == 1 or self.rng.random() < 0.15:
            return self.linear_block(x, index, channels, origin)
        residual = self.rng.random() < 0.25
        kernel = 3 if residual else int(self.pick(1, 3, 5))
        padding = kernel // 2 if residual or min(x.type.shape[1:]) < kernel else int(self.pick(0, 1, 2))
        channels = x.type.shape[0] if residual else channels
        axes = len(x.type.shape) - 1
        stride = 1 if residual else tuple(int(self.pick(1, 1, 2)) for _ in range(axes))
        w = self.weight(f"w{index}", (channels, x.type.shape[0], *(kernel,) * axes))
        (n,) = self.build.op((Conv1d, Conv2d, Conv3d)[axes - 1], x, w, origin=origin, stride=stride, padding=padding)
        if min(n.type.shape[1:]) >= 2 and self.rng.random() < 0.15 and not residual:
            (n,) = self.build.op(SumPool, n, origin=origin)
        small = residual and x.type.range[1] <= 4
        s = self.neuron(x, n, x if small else None, index, origin)
        if min(s.type.shape[1:]) >= 2 and self.rng.random() < 0.5:
            s = self.pool(s, origin)
        if len(s.type.shape) == 4 and self.rng.random() < 0.3:
            channels, depth, *plane = s.type.shape
            (s,) = self.build.op(Reshape, s, origin=origin, shape=(channels * depth, *plane))
        return s

    def pool(self, s: Value, origin: str) -> Value:
        """Pool side by side, with windows that overlap, padded, or of sides that differ."""
        kind = self.pick(SumPool, MaxPool)
        tiles, odd = ((2, 2, 0), (2, 1, 0)), ((2, 1, 1), (3, 2, 1), ((2, 1), (1, 2), 0), ((1, 2), 1, (0, 1)))
        kernel, stride, padding = self.pick(*tiles, *tiles, *(odd if len(s.type.shape) == 3 else odd[:2]))
        return self.build.op(kind, s, origin=origin, kernel=kernel, stride=stride, padding=padding)[0]

    def linear_block(self, x: Value, index: int, channels: int, origin: str) -> Value:
        if len(x.type.shape) > 1:
            (x,) = self.build.op(Flatten, x)
        (n,) = self.build.op(Linear, x, self.weight(f"w{index}", (channels, x.type.size)), origin=origin)
        return self.neuron(x, n, None, index, origin)

    def neuron(self, source: Value, n: Value, identity: Value | None, index: int, origin: str) -> Value:
        if identity is None and self.rng.random() < 0.15:
            return integer_neuron(self.build, self.rng, n, index, origin, self.pick("integrate", "current"))
        channels = n.type.shape[0]
        bits = int(self.pick(32, 32, 64))
        span = 1.0 / max(1.0, n.type.scale * 40)
        gamma = self.rng.normal(0, 1, channels) * span * n.type.scale
        gamma[self.rng.random(channels) < 0.05] = 0
        dtype = np.float32 if bits == 32 else np.float64
        a = self.build.constant(f"a{index}", Type("float", bits, (channels,)), gamma.astype(dtype))
        beta = self.rng.normal(0.2, 0.5, channels).astype(dtype)
        b = self.build.constant(f"b{index}", Type("float", bits, (channels,)), beta)
        if self.rng.random() < 0.1 and identity is None:
            return self.lattice_neuron(n, index, origin)
        (x,) = self.build.op(Affine, n, a, b, origin=origin)
        if identity is not None:
            (x,) = self.build.op(Add, x, identity, origin=origin)
        if self.rng.random() < 0.4:
            (x,) = self.build.op(SpatialMask, x, origin=origin, threshold=float(np.float32(self.rng.random() * 0.6)))
        if self.rng.random() < 0.3 and source.type.range[0] == 0:
            x = self.gated(source, x, index, origin)
        silence = str(self.pick("none", "none", "state", "spikes", "sticky"))
        options = {
            "levels": self.pick(TERNARY, TERNARY, RELEASED, TAPEOUT, (-2.0, -1.0, 0.0, 1.0)),
            "threshold": float(np.float32(self.rng.uniform(0.55, 1.7))),
            "leak": self.pick(0.5, 0.5, 0.75, 1.0),
            "fire": self.pick("ge", "gt"),
            "reset": self.pick("hard", "hard", "soft"),
            "order": self.pick("reset_first", "reset_first", "quantise_first"),
            "leak_at": self.pick("read", "read", "write"),
            "ties": self.pick("down", "even", "away", "up"),
            "silence": silence,
            "input_scale": self.pick(1.0, 1.0, 1.0, 0.5),
        }
        levels = options["levels"]
        low = 0 if silence == "state" else -levels.index(0.0)
        state = self.build.state(f"v{index}", state_type(low, len(levels) - 1 - levels.index(0.0), n.type.shape))
        spike, following = self.build.op(Neuron, x, state, origin=origin, **options)
        self.build.nexts.append(following)
        return spike

    def lattice_neuron(self, n: Value, index: int, origin: str) -> Value:
        """Return a neuron whose membrane lies on the lattice of its sum (MINT): all states share one row."""
        channels = n.type.shape[0]
        offset = self.rng.integers(-9, 10, channels) if self.rng.random() < 0.5 else np.zeros(channels)
        one = self.build.constant(f"one{index}", Type("float", 32, (channels,)), np.ones(channels, np.float32))
        b = self.build.constant(f"int{index}", Type("float", 32, (channels,)), offset.astype(np.float32))
        (x,) = self.build.op(Affine, n, one, b, origin=origin)
        top, grain = int(self.pick(1, 7, 127)), int(self.pick(1, 4))
        state = self.build.state(f"v{index}", state_type(-top, top, n.type.shape))
        levels = tuple(float(grain * k) for k in range(-top, top + 1))
        options = {"threshold": 3.5 * grain, "fire": "gt", "reset": self.pick("hard", "soft"), "ties": "even"}
        place = {"leak_at": "write"} if self.rng.random() < 0.7 else {"leak": 1.0}
        spike, following = self.build.op(Neuron, x, state, origin=origin, levels=levels, **options, **place)
        self.build.nexts.append(following)
        return spike

    def gated(self, source: Value, x: Value, index: int, origin: str) -> Value:
        channels = x.type.shape[0]
        counts = self.build.op(GlobalSum, source, origin=origin)[0] if len(source.type.shape) > 1 else source
        shape = (channels, counts.type.size)
        weights = self.rng.integers(-99, 100, shape)
        w = self.build.constant(f"gw{index}", Type("int", 8, shape, "const", 0.1), weights)
        (z,) = self.build.op(Linear, counts, w, origin=origin)
        t = self.build.constant(f"gt{index}", Type("int", 32, (channels,)), self.rng.integers(-300, 100, channels))
        (gate,) = self.build.op(Greater, z, t, origin=origin)
        return self.build.op(Gate, x, gate, origin=origin)[0]

    def head(self, x: Value) -> Value:
        if len(x.type.shape) > 1 and self.rng.random() < 0.2:
            (x,) = self.build.op(GlobalSum, x)
        elif len(x.type.shape) > 1:
            (x,) = self.build.op(Flatten, x)
        (n,) = self.build.op(Linear, x, self.weight("head", (5, x.type.size)), origin="head (Classifier)")
        b = self.build.constant("bias", Type("int", 16, (5,)), self.rng.integers(-100, 100, 5))
        return self.build.op(Bias, n, b, origin="head (Classifier)")[0]


def integer_neuron(build: Builder, rng: np.random.Generator, n: Value, index: int, origin: str, kind: str) -> Value:
    """Return the spikes of a random neuron with an integer membrane, with or without a bias."""

    def pick(*choices: Any) -> Any:
        return choices[int(rng.integers(len(choices)))]

    channels, bias = n.type.shape[0], []
    if rng.random() < 0.5:
        offsets = rng.integers(-99, 100, channels)
        bias = [build.constant(f"c{index}", Type("int", 9, (channels,)), offsets)]
    if kind == "integrate":
        n = build.op(Bias, n, *bias, origin=origin)[0] if bias else n
        options: dict[str, Any] = {
            "leak": pick(256, 255, 128, 77, 0), "leak_shift": 8, "shift": pick(0, 0, 3, -2),
            "threshold": pick(1, 9, 70), "fire": pick("gt", "ge"), "reset": pick("soft", "soft", "hard", "none"),
            "rounding": pick("truncate", "zero", "nearest"), "overflow": pick("saturate", "wrap"),
        }  # fmt: skip
        states = [build.state(f"m{index}", Type("int", int(pick(8, 16, 20, 31)), n.type.shape))]
        found = build.op(Integrate, n, *states, origin=origin, **options)
    else:
        states = [
            build.state(f"{name}{index}", Type("int", bits, n.type.shape)) for name, bits in (("u", 25), ("m", 24))
        ]
        options = {"current_leak": pick(0, 2048, 4095), "leak": pick(2048, 4096, 1), "threshold": pick(0, 9, 70) << 6}
        found = build.op(CurrentNeuron, n, *states, *bias, origin=origin, **options)
    build.nexts += found[1:]
    return found[0]


def random_codes(graph: Graph, batch: int, seed: int) -> dict[str, Array]:
    """Return random inputs of the graph's own kind."""
    rng = np.random.default_rng(seed)
    found = {}
    for value in graph.inputs:
        steps = () if value.type.clock == "const" else (graph.steps,)
        low, high = value.type.range
        found[value.name] = rng.integers(low, high + 1, (batch, *steps, *value.type.shape))
    return found
