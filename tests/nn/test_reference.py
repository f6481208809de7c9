"""Evaluation in torch equals an independent numpy program on integers, for every spike, state, gate, mask and logit."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

torch = pytest.importorskip("torch")

from spqc.nn import models  # noqa: E402  (torch must be there)
from spqc.nn.layers import SpikingLayer  # noqa: E402
from spqc.nn.pooling import MaxPool2d, SumPool2d  # noqa: E402

Array = npt.NDArray[Any]

LAYERS = [
    {"op": "conv2d", "out": 12, "kernel": 3, "padding": 1, "bias": True},
    {"op": "conv2d", "out": 12, "kernel": 3, "padding": 1, "residual": "identity"},
    {"op": "avg_pool", "kernel": 2},
    {"op": "conv2d", "out": 16, "kernel": [3, 1], "stride": [2, 1], "padding": [1, 0], "groups": 4},
    {"op": "conv2d", "out": 10, "kernel": 3, "padding": 1, "residual": "project", "residual_span": 2},
    {"op": "linear", "out": 20},
    {"op": "linear", "out": 5},
]
MASKS = {"spatial_mask": 0.35, "channel_gate": True}


def network(**options: Any) -> Any:
    settings = {"in_shape": (3, 9, 8), "classes": 5, "steps": 4, "layers": LAYERS, "seed": 1, **options}
    return models.create("sequential", **settings)


def convolve(codes: Array, weight: Array, geometry: Any) -> Array:
    """Return the int64 convolution of codes [M, C, H, W], one tap after the other."""
    if geometry is None:
        return codes @ weight.T
    (sh, sw), (ph, pw), (kh, kw) = geometry.stride, geometry.padding, geometry.kernel
    padded = np.pad(codes, ((0, 0), (0, 0), (ph, ph), (pw, pw)))
    rows, columns = (padded.shape[2] - kh) // sh + 1, (padded.shape[3] - kw) // sw + 1
    split = np.split(padded, geometry.groups, axis=1), np.split(weight, geometry.groups)
    parts = []
    for group, kernel in zip(*split, strict=True):
        total = np.zeros((len(codes), len(kernel), rows, columns), dtype=np.int64)
        for i in range(kh):
            for j in range(kw):
                taps = group[:, :, i : i + sh * rows : sh, j : j + sw * columns : sw][:, :, :rows, :columns]
                total += np.tensordot(taps, kernel[:, :, i, j], axes=(1, 1)).transpose(0, 3, 1, 2)
        parts.append(total)
    return windows(np.concatenate(parts, axis=1), geometry.pool_before, geometry.pool_before).sum(axis=(-1, -2))


def windows(values: Array, kernel: int, stride: int) -> Array:
    view = np.lib.stride_tricks.sliding_window_view(values, (kernel, kernel), axis=(-2, -1))
    return view[..., ::stride, ::stride, :, :]


def current(layer: SpikingLayer, codes: Array, skip: Array) -> Array:
    """Return x [N, T, C, ...] before the masks, in the layer's arithmetic."""
    x = branch(codes, layer.integer_weight()[0], layer.synapse.geometry, layer.fold())
    if layer.shortcut is not None:
        second = branch(skip, layer.shortcut_weight()[0], layer.shortcut.geometry, layer.shortcut_fold())
        return x + second
    return x + skip.astype(x.dtype) * x.dtype.type(layer.skip_source.scale) if layer.options.residual != "none" else x


def branch(codes: Array, weight: Array, geometry: Any, fold: tuple[Array, Array]) -> Array:
    n = convolve(codes.reshape(-1, *codes.shape[2:]), weight, geometry)
    gain, offset = (values.reshape(-1, *[1] * (n.ndim - 2)) for values in fold)
    x = n.astype(gain.dtype) * gain
    x = x + offset
    return x.reshape(*codes.shape[:2], *x.shape[1:])


def run_layer(layer: SpikingLayer, codes: Array, skip: Array) -> tuple[Array, Array, Array | None, Array | None]:
    x, numbers, gate, keep = current(layer, codes, skip), layer.constants(), None, None
    if numbers.theta is not None:
        keep = np.abs(x) > x.dtype.type(numbers.theta)
        x = np.where(keep, x, x.dtype.type(0))
    if layer.gate is not None:
        weight, bias = layer.gate.integer_gate()
        count = codes.reshape(*codes.shape[:3], -1).sum(axis=3)
        gate = (count @ weight.T + bias > 0).astype(np.int64)
        x = x * gate.reshape(*gate.shape, *[1] * (x.ndim - 3)).astype(x.dtype)
    live = np.ones(x.shape, dtype=bool) if keep is None else keep
    if gate is not None:
        live = live & (gate.reshape(*gate.shape, *[1] * (x.ndim - 3)) > 0)
    spikes, states = np.zeros(x.shape), np.zeros(x.shape, dtype=x.dtype)
    state = np.zeros(x[:, 0].shape, dtype=x.dtype)
    for t in range(x.shape[1]):
        spikes[:, t], state = step(x[:, t], state, live[:, t], layer)
        states[:, t] = state
    return spikes.astype(np.int64), states, gate, keep


def step(x: Array, m: Array, live: Array, layer: SpikingLayer) -> tuple[Array, Array]:
    options, numbers, kind = layer.options.neuron, layer.constants(), x.dtype.type
    threshold = kind(numbers.threshold)

    def leak(value: Array) -> Array:
        if numbers.fraction_bits is None:
            return kind(numbers.leak) * value
        return np.rint(numbers.leak * value * 2.0**numbers.fraction_bits) / 2.0**numbers.fraction_bits

    def store(value: Array) -> Array:
        index = sum((value >= kind(c) if rises else value > kind(c)).astype(int) for c, rises in numbers.middles)
        return np.array(numbers.levels, dtype=x.dtype)[index]

    u = (leak(m) if options.leak_at == "read" else m) + x
    if options.order == "quantise_first":
        u = store(u)
    fired = u >= threshold if options.fire == "ge" else u > threshold
    if options.silence in ("spikes", "sticky"):
        fired = fired & (m >= 0)
    if options.masked == "freeze":
        fired = fired & live
    v = np.where(fired, kind(0) if options.reset == "hard" else u - threshold, u)
    new = store(leak(v) if options.leak_at == "write" else v)
    if options.silence == "state":
        new = np.maximum(new, 0)
    if options.silence == "sticky":
        new = np.where(m < 0, m, new)
    return fired, np.where(live, new, m) if options.masked == "freeze" else new


def assert_equal(net: Any, seed: int = 0, samples: int = 6) -> None:
    rng = np.random.default_rng(seed)
    x = rng.integers(0, net.inputs.max + 1, (samples, net.steps, *net.in_shape))
    seen = net.observe(x)
    signals = [x.astype(np.int64)]
    for index, layer in enumerate(net.features):
        codes, *branch = (signals[number] for number in net.topology.sources[index])
        if isinstance(layer, SpikingLayer):
            spikes, states, gate, keep = run_layer(layer, codes, branch[-1] if branch else codes)
            record = seen.layers[f"features.{index}"]
            np.testing.assert_array_equal(record.spikes.numpy(), spikes, err_msg=f"features.{index} spikes")
            np.testing.assert_array_equal(record.states.numpy(), states, err_msg=f"features.{index} states")
            for found, expected in ((record.gate, gate), (record.keep, keep)):
                assert (found is None) == (expected is None)
                if found is not None:
                    np.testing.assert_array_equal(found.numpy(), expected)
            codes = spikes
        elif isinstance(layer, SumPool2d):
            codes = windows(codes, layer.window.kernel[0], layer.window.stride[0]).sum(axis=(-1, -2))
        elif isinstance(layer, MaxPool2d):
            codes = windows(codes, layer.window.kernel[0], layer.window.stride[0]).max(axis=(-1, -2))
        else:
            codes = codes.reshape(*codes.shape[:2], -1)
        signals.append(codes)
    total = signals[net.topology.result] @ net.classifier.integer_weight()[0].T + net.classifier.integer_bias()
    kind = np.float32 if net.classifier.eval_dtype == torch.float32 else np.float64
    np.testing.assert_array_equal(seen.logits.numpy(), total.astype(kind) * kind(net.classifier.logit_scale))


@pytest.mark.parametrize(
    ("grid", "bits"),
    [("pot", 2), ("pot", 4), ("pot", 8), ("apot", 4), ("apot", 8), ("uniform", 3), ("uniform", 8), ("twn", 2)],
)
def test_every_grid(grid: str, bits: int) -> None:
    assert_equal(network(weight_grid=grid, weight_bits=bits, **MASKS))


@pytest.mark.parametrize(
    "options",
    [
        {"fire": "gt"},
        {"order": "quantise_first"},
        {"leak_at": "write"},
        {"leak": 0.9},
        {"reset": "soft"},
        {"ties": "even"},
        {"ties": "away"},
        {"ties": "up"},
        {"silence": True},
        {"silence": "spikes"},
        {"silence": "sticky"},
        {"masked": "freeze"},
        {"top_level": "threshold", "threshold": 1.3},
        {"membrane": (-3.0, -2.0, -1.0, 0.0, 1.0)},
        {"membrane": (-0.5, 0.0, 0.3, 1.0), "threshold": 0.7},
        {"threshold": 0.83, "learn_threshold": True},
        {"gate_threshold": 0.47},
        {"batch_norm": "none"},
        {"batch_norm": "threshold", "threshold": 1.7},
        {"input": "spikes"},
        {"input": "digits", "steps": 1},
    ],
    ids=str,
)
def test_every_choice_of_the_neuron(options: dict[str, Any]) -> None:
    assert_equal(network(**MASKS, **options))


def test_a_wide_grid_on_pixels_evaluates_in_float64() -> None:
    first = {"op": "conv2d", "out": 12, "kernel": 5, "padding": 2}
    net = network(weight_grid="pot", weight_bits=8, layers=[first, *LAYERS[1:]])
    kinds = {name: layer.eval_dtype for name, layer in net.spiking_layers()}
    assert kinds["features.0"] == torch.float64
    assert kinds["features.1"] == torch.float32
    assert_equal(net)


@pytest.mark.parametrize("options", [{"pool": "max"}, {"pool_position": "before"}, {"width": 0.25}])
def test_vgg9(options: dict[str, Any]) -> None:
    assert_equal(models.create("vgg9", in_shape=(2, 16, 16), steps=2, **{"width": 0.1, **options}), samples=2)


def test_a_projected_residual_evaluates_on_a_binary_lattice() -> None:
    net = network()
    layer = net.features[4]
    assert layer.options.residual == "project"
    bits = layer.fraction_bits
    assert bits is not None
    for values in (*layer.fold(), *layer.shortcut_fold(), np.array([layer.threshold])):
        scaled = np.ldexp(values, bits)
        np.testing.assert_array_equal(scaled, np.rint(scaled))
        assert values.dtype == np.float64
    bound = sum(
        np.abs(a) * branch.greatest_sum() + np.abs(b)
        for (a, b), branch in ((layer.fold(), layer.synapse), (layer.shortcut_fold(), layer.shortcut))
    )
    assert (bound.max() + 2) * 2.0**bits < 2.0**52


def test_a_convolution_is_exact_at_the_edge_of_float32() -> None:
    from spqc.nn.signal import Signal
    from spqc.nn.synapse import ConvGeometry, Synapse, SynapseOptions

    synapse = Synapse(Signal((64, 8, 8), 1 / 256, 255), 32, ConvGeometry((3, 3), (1, 1), (1, 1)), SynapseOptions())
    with torch.no_grad():
        synapse.weight.normal_(0, 1, generator=torch.Generator().manual_seed(0))
    codes = np.random.default_rng(0).integers(0, 256, (4, 64, 8, 8))
    weight, _ = synapse.integer_weight()
    assert synapse.greatest_sum() < 2**24
    found = synapse.accumulate(torch.from_numpy(codes), synapse.eval_dtype())
    assert found.dtype == torch.float32
    np.testing.assert_array_equal(found.numpy(), convolve(codes, weight, synapse.geometry))
