"""The network as a plain torch module: eager, compiled, or with another library's neurons."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from spqc.ir import Graph
from spqc.ir.levels import midpoints

from .form import Floats, hoisted, pair, walk

Step = Callable[[dict[int, Tensor]], Tensor]
NeuronMaker = Callable[[Any, int], nn.Module]


class Ternary(nn.Module):
    """Leaky integrate-and-fire with the graph's own levels, all steps of a layer at once: [T*N, ...] to spikes."""

    def __init__(self, op: Any, steps: int) -> None:
        super().__init__()
        self.steps, self.leak, self.threshold = steps, op.leak, op.threshold
        self.levels, self.middles = op.levels, midpoints(op.levels, op.ties)
        self.input_scale = getattr(op, "input_scale", 1.0)
        plain = op.order == "reset_first" and op.reset == "hard" and op.leak_at == "read" and op.fire == "ge"
        if not plain or op.silence != "none" or any(rises for _, rises in self.middles):
            raise SystemExit("the peers run the default neuron only")

    def forward(self, x: Tensor) -> Tensor:
        current = x.unflatten(0, (self.steps, -1))
        state = torch.zeros_like(current[0])
        spikes = []
        for step in range(self.steps):
            potential = self.leak * state + self.input_scale * current[step]
            fired = potential >= self.threshold
            rest = torch.where(fired, 0.0, potential)
            state = torch.full_like(rest, self.levels[0])
            for (middle, _), low, high in zip(self.middles, self.levels, self.levels[1:], strict=False):
                state = state + (rest > middle) * (high - low)
            spikes.append(fired.float())
        return torch.stack(spikes).flatten(0, 1)


class TorchForm(nn.Module):
    """Runs the walk's steps in order; inputs and results are [T*N, ...] (a static input [N, ...])."""

    def __init__(self, graph: Graph, neuron: NeuronMaker = Ternary) -> None:
        super().__init__()
        self.steps, self.make_neuron = graph.steps, neuron
        self.code: list[Callable[[list[Tensor]], Tensor]] = []
        self.parts = nn.ModuleList()
        self.result = walk(hoisted(graph), self)

    def forward(self, x: Tensor) -> Tensor:
        values = [x]
        for step in self.code:
            values.append(step(values))
        return values[self.result]

    def input(self) -> int:
        return 0

    def repeat(self, x: int) -> int:
        return self._then(lambda v: v[x].repeat(self.steps, *(1,) * (v[x].ndim - 1)))

    def conv(self, x: int, weight: Floats, bias: Floats | None, op: Any) -> int:
        stride, padding = pair(op.stride), pair(op.padding)
        out, width, *kernel = weight.shape
        layer = nn.Conv2d(width * op.groups, out, kernel, stride, padding, groups=op.groups, bias=bias is not None)
        return self._layer(layer, x, weight, bias)

    def linear(self, x: int, weight: Floats, bias: Floats | None) -> int:
        return self._layer(nn.Linear(weight.shape[1], weight.shape[0], bias=bias is not None), x, weight, bias)

    def affine(self, x: int, gain: Floats, offset: Floats, rank: int) -> int:
        shape = (-1, *(1,) * (rank - 1))
        a, b = torch.from_numpy(gain).reshape(shape), torch.from_numpy(offset).reshape(shape)
        return self._then(lambda v: v[x] * a + b)

    def add(self, x: int, y: int, scale: float) -> int:
        return self._then(lambda v: v[x] + scale * v[y])

    def neuron(self, x: int, op: Any) -> int:
        layer = self.make_neuron(op, self.steps)
        self.parts.append(layer)
        return self._then(lambda v: layer(v[x]))

    def sum_pool(self, x: int, op: Any) -> int:
        kernel, stride = pair(op.kernel), pair(op.stride)
        return self._then(lambda v: functional.avg_pool2d(v[x], kernel, stride, divisor_override=1))

    def max_pool(self, x: int, op: Any) -> int:
        kernel, stride, padding = pair(op.kernel), pair(op.stride), pair(getattr(op, "padding", 0))
        return self._then(lambda v: functional.max_pool2d(v[x], kernel, stride, padding))

    def global_sum(self, x: int) -> int:
        return self._then(lambda v: v[x].sum(dim=(2, 3)))

    def flatten(self, x: int) -> int:
        return self._then(lambda v: v[x].flatten(1))

    def attention(self, x: list[int], op: Any) -> int:
        heads = op.heads

        def step(v: list[Tensor]) -> Tensor:
            q, k, value = (v[i].flatten(2).unflatten(1, (heads, -1)) for i in x)  # [M, heads, dh, tokens]
            return (value @ k.transpose(2, 3) @ q).flatten(1, 2).reshape(v[x[0]].shape)

        return self._then(step)

    def _layer(self, layer: Any, x: int, weight: Floats, bias: Floats | None) -> int:
        with torch.no_grad():
            layer.weight.copy_(torch.from_numpy(weight))
            if bias is not None:
                layer.bias.copy_(torch.from_numpy(bias))
        self.parts.append(layer)
        return self._then(lambda v: layer(v[x]))

    def _then(self, step: Callable[[list[Tensor]], Tensor]) -> int:
        self.code.append(step)
        return len(self.code)
