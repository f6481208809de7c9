"""Random networks for the stress suite: those of the other tests, and maps of degenerate geometry."""

from __future__ import annotations

import numpy as np
from support.kernel_sites import serves
from support.random_graphs import Maker

from spqc.ir import Builder, Graph, Type, Value
from spqc.ir.ops import Conv1d, Conv2d, Conv3d, Flatten, Linear, MaxPool, SumPool

CPUS = ("host", "host", "host", "x86-64-v3", "x86-64-v2", "x86-64", "skylake-avx512", "icelake-server", "znver3")
SIZES = (1, 1, 2, 3, 4, 5, 7, 8, 9, 16, 17, 31)
LONG = (33, 64, 65, 100, 257, 500)
CHANNELS = (1, 2, 3, 5, 15, 16, 17, 32, 33, 64, 65, 130)
MOST_ELEMENTS = 60_000
"""Of one value over all steps: a network stays small, so that many fit into an hour."""


class Degenerate(Maker):
    """Networks whose maps have sides of 1 or 2, kernels as large as them or larger, and strides beyond them."""

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        steps = int(self.pick(1, 2, 3, 4, 5, 7, 8, 9, 10, 12, 15, 16, 17, 20, 24, 31, 32, 33))
        self.build = Builder("net", steps)
        self.axes = int(self.pick(1, 2, 2, 2, 2, 3))

    def network(self) -> Graph:
        x = self.input()
        for index in range(int(self.pick(1, 2, 3))):
            x = self.layer(x, index)
        return self.build.graph(self.head(x))

    def weight(self, name: str, shape: tuple[int, ...]) -> Value:
        """Return a constant; in a fifth of the cases most inputs have weights of zero."""
        w = super().weight(name, shape)
        if self.rng.random() < 0.2:
            kept = self.rng.random(shape[1]) >= 0.8
            self.build.data[w.name] = self.build.data[w.name] * kept.reshape(-1, *[1] * (len(shape) - 2))
        return w

    def side(self) -> int:
        return int(self.pick(*SIZES, *((int(self.pick(*LONG)),) if self.rng.random() < 0.5 else ())))

    def input(self) -> Value:
        sides = [self.side() for _ in range(self.axes)]
        channels = int(self.pick(1, 2, 3, 16, 17))
        while np.prod(sides) * channels * self.build.steps > MOST_ELEMENTS:
            sides[int(np.argmax(sides))] = int(self.pick(*SIZES))
            channels = max(1, channels // 2)
        kind = Type("spike", 1, (channels, *sides)) if self.rng.random() < 0.6 else None
        return self.build.input("x", kind or Type("uint", 8, (channels, *sides), "step", 1 / 256))

    def layer(self, x: Value, index: int) -> Value:
        origin = f"layers.{index} (Block)"
        if len(x.type.shape) == 1 or self.rng.random() < 0.1:
            return self.linear_block(x, index, int(self.pick(*CHANNELS, 256)), origin)
        sides = x.type.shape[1:]
        kernel = [int(self.pick(1, 2, 3, 3, 5, min(side + 2, 7))) for side in sides]
        padding = [self.padding(side, k) for side, k in zip(sides, kernel, strict=True)]
        stride = [int(self.pick(1, 1, 1, 2, 2, 3, min(side + 1, 5))) for side in sides]
        channels = int(self.pick(*CHANNELS))
        out = [(s + 2 * p - k) // d + 1 for s, p, k, d in zip(sides, padding, kernel, stride, strict=True)]
        while channels > 1 and np.prod(out) * channels * self.build.steps > MOST_ELEMENTS:
            channels //= 2
        groups = x.type.shape[0] if self.rng.random() < 0.1 else 1
        outputs = x.type.shape[0] if groups > 1 else channels
        w = self.weight(f"w{index}", (outputs, x.type.shape[0] // groups, *kernel))
        form = (Conv1d, Conv2d, Conv3d)[len(sides) - 1]
        options = {"stride": tuple(stride), "padding": tuple(padding), "groups": groups}
        (n,) = self.build.op(form, x, w, origin=origin, **options)
        s = self.neuron(x, n, None, index, origin)
        return self.pooled(s, origin) if self.rng.random() < 0.4 else s

    def padding(self, side: int, kernel: int) -> int:
        """Return a padding under which the kernel fits."""
        least = max(0, -(-(kernel - side) // 2))
        return max(least, int(self.pick(0, 0, kernel // 2, kernel - 1, kernel)))

    def pooled(self, s: Value, origin: str) -> Value:
        kernel = tuple(min(int(self.pick(1, 2, 2, 3)), side) for side in s.type.shape[1:])
        form = SumPool if np.prod(kernel) <= 15 and self.rng.random() < 0.6 else MaxPool
        return self.build.op(form, s, origin=origin, kernel=kernel, stride=kernel)[0]

    def head(self, x: Value) -> Value:
        if len(x.type.shape) > 1:
            (x,) = self.build.op(Flatten, x)
        w = self.weight("head", (int(self.pick(1, 3, 10, 16, 17)), x.type.size))
        return self.build.op(Linear, x, w, origin="head (Classifier)")[0]


def network(seed: int) -> Graph:
    """Return the network of a seed."""
    kind = seed % 8
    if kind < 5:
        return Degenerate(seed).network()
    if kind == 5:
        return Maker(seed).attention()
    return Maker(seed).stream() if kind == 6 else Maker(seed).graph(4)


def target(seed: int, strategies: list[str], cpus: list[str]) -> str:
    """Return a target of a seed: a strategy, a CPU level and a number of threads."""
    rng = np.random.default_rng([seed, 1])
    strategy = str(rng.choice(["auto", *strategies]))
    options = {"strategy": strategy, "cpu": str(rng.choice(cpus)), "threads": int(rng.choice([1, 1, 2, 3]))}
    return f"llvm{{{' '.join(f'{name}={value}' for name, value in options.items())}}}"


def served(name: str, seed: int, features: frozenset[str], attempts: int = 100) -> Graph | None:
    """Return a degenerate network with a layer that a strategy computes; None where no attempt drew one."""
    drawn = (Degenerate(1000 * seed + attempt).network() for attempt in range(attempts))
    return next((graph for graph in drawn if serves(name, graph, features)), None)
