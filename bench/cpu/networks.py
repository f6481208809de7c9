"""The networks that are timed: seeded random weights, spike rates set layer by layer."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from spqc.nn import models

SEED = 0
_SEARCH = 14  # bisections of a layer's offset


@dataclass(frozen=True)
class Case:
    """One network, at one spike rate; `rate` None leaves it as batch-norm calibration made it."""

    name: str
    model: str
    options: dict[str, Any] = field(default_factory=dict)
    rate: float | None = 0.15


def vgg9(
    bits: int, pool: str = "max", size: int = 32, steps: int = 4, rate: float = 0.15, grid: str | None = None
) -> Case:
    """Return VGG-9; with a grid of 8 bits that is not the usual one, its name is in the case's."""
    options = {"in_shape": (3, size, size), "classes": 10, "steps": steps, "pool": pool, **weights(bits, grid)}
    named = f"{bits}-bit {grid}" if grid else f"{bits}-bit"
    return Case(f"vgg9 {size}x{size} T{steps} {pool} pool, {named}", "vgg9", options, rate)


def resnet19(bits: int, steps: int = 4) -> Case:
    return Case(f"resnet19 32x32 T{steps}, {bits}-bit", "resnet19", {"steps": steps, **weights(bits)})


def spikformer(bits: int) -> Case:
    return Case(f"spikformer-4-256 32x32 T4, {bits}-bit", "spikformer-4-256", {"steps": 4, **weights(bits)})


def digits(bits: int) -> Case:
    return Case(f"digits 8x8 T4, {bits}-bit", "digits", weights(bits), None)


def events(bits: int, steps: int = 10) -> Case:
    """Return a network for 34x34 frames of events (N-MNIST): two convolutions and an average pooling, twice."""
    convolution, pool = {"op": "conv2d", "kernel": 3, "padding": 1}, {"op": "avg_pool", "kernel": 2}
    maps = [[{**convolution, "out": out}, {**convolution, "out": out}, pool] for out in (64, 128)]
    layers = [*maps[0], *maps[1], {"op": "flatten"}, {"op": "linear", "out": 64}, {"op": "linear", "out": 10}]
    options = {"in_shape": (2, 34, 34), "classes": 10, "steps": steps, "input": "spikes", "layers": layers}
    return Case(f"events 34x34 T{steps}, {bits}-bit", "sequential", {**options, **weights(bits)})


def weights(bits: int, grid: str | None = None) -> dict[str, Any]:
    """Return the weight options: powers of two, but at 8 bits integers, whose products every peer can form too."""
    return {"weight_bits": bits, "weight_grid": grid or ("uniform" if bits == 8 else "pot")}


def build(case: Case) -> Any:
    """Return the network in evaluation mode at its spike rate."""
    net = models.create(case.model, seed=SEED, **case.options)
    if case.rate is not None:
        set_rate(net, case.rate)
    return net


def set_rate(net: Any, rate: float) -> None:
    """Shift every layer's batch norm, front to back, until it fires at `rate` on seeded random inputs.

    One evaluation of the network: a layer is set when its input has come, before it is evaluated for those behind it.
    """
    normed = [layer for _, layer in net.spiking_layers() if getattr(getattr(layer, "synapse", None), "norm", None)]
    hooks = [layer.register_forward_pre_hook(partial(_fit, rate)) for layer in normed]
    try:  # a neuron without a norm, behind an attention, fires on what the layers before decide
        with torch.no_grad():
            net(frames(net, 1, SEED + 1))
    finally:
        for hook in hooks:
            hook.remove()


def _fit(rate: float, layer: Any, reads: tuple[torch.Tensor, ...]) -> None:
    """Bisect the shift of one layer's batch norm."""
    beta = layer.synapse.norm.beta
    start, low, high = beta.detach().clone(), -8.0, 8.0
    for _ in range(_SEARCH):
        middle = (low + high) / 2
        beta.copy_(start + middle)
        measured = float(layer.forward(*reads).spikes.mean())
        low, high = (middle, high) if measured < rate else (low, middle)


def frames(net: Any, batch: int, seed: int) -> npt.NDArray[np.uint8]:
    """Return random codes [N, T, ...]: frames that differ, or one static frame repeated."""
    draw = np.random.default_rng(seed)
    shape = (batch, net.steps, *net.in_shape)
    x = draw.integers(0, net.inputs.max + 1, shape).astype(np.uint8)
    return np.repeat(x[:, :1], net.steps, axis=1) if net.inputs.coding == "direct" else x


def rates(net: Any, x: npt.NDArray[np.uint8]) -> list[float]:
    """Return the share of neurons that fire, layer by layer."""
    return [float(record.spikes.mean()) for record in net.observe(x).layers.values()]


def folded(net: Any, x: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """Return codes as the peers read them: float32 [T*N, ...], time first, or the one static frame [N, ...]."""
    if net.inputs.coding == "direct":
        return np.ascontiguousarray(x[:, 0], np.float32)
    return np.ascontiguousarray(x.swapaxes(0, 1).reshape(-1, *x.shape[2:]), np.float32)
