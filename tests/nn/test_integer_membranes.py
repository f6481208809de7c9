"""Layers with integer membranes: ACE-SNN, Q-SpiNN and Loihi, trained, checkpointed, refused, and exact everywhere."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import spqc
from spqc.foundation.errors import ModelError, SpqcError, UsageError
from spqc.ir.ops import CurrentNeuron, Integrate

torch = pytest.importorskip("torch")

from spqc.nn import checkpoint, integer_layer, models, quantisers, surrogates  # noqa: E402  (torch must be there)

LAYERS = [
    {"op": "conv2d", "out": 5, "kernel": 3, "padding": 1},
    {"op": "avg_pool", "kernel": 2},
    {"op": "conv2d", "out": 17, "kernel": 3, "bias": True},
    {"op": "flatten"},
    {"op": "linear", "out": 7},
    {"op": "linear", "out": 4},
]
ACE = {"membrane": "ace", "weight_grid": "uniform", "weight_bits": 6, "threshold": 0.4}
QSPINN = {"membrane": "q11.16", "weight_grid": "q1.4", "leak": 0.6, "threshold": 0.4}
LOIHI = {"membrane": "loihi", "weight_grid": "uniform", "weight_bits": 8, "threshold": 0.4}


def network(**options: Any) -> Any:
    settings_ = {"batch_norm": "none", "input": "spikes", "steps": 5, "layers": LAYERS} | options
    net = models.create("sequential", in_shape=(2, 6, 7), classes=4, **settings_)
    for _, layer in net.spiking_layers():
        if layer.synapse.bias is not None:
            with torch.no_grad():
                layer.synapse.bias.uniform_(-0.2, 0.2, generator=torch.Generator().manual_seed(1))
    return net


def assert_exact(net: Any, target: str = "llvm") -> None:
    report = spqc.verify(net, target=target, samples=3, seed=1)
    assert report.equal, report.first_mismatch
    x = np.ones((1, net.steps, *net.in_shape), np.float32 if net.inputs.encoding == "pixels" else np.int64)
    assert any(record.spikes.any() for record in net.observe(x).layers.values()), "a silent network proves little"


CASES: list[dict[str, Any]] = [
    ACE,
    ACE | {"leak": 0.7, "input": "pixels"},
    ACE | {"input": "pixels", "coding": "direct", "leak": 0.9, "leak_bits": 12},
    ACE | {"reset": "hard", "fire": "ge", "rounding": "nearest", "leak": 0.5},
    ACE | {"membrane": "fixed", "reset": "soft", "leak": 0.3, "rounding": "zero"},
    ACE | {"membrane": "fixed", "membrane_bits": 6, "overflow": "wrap", "leak": 0.8},
    QSPINN,
    QSPINN | {"rounding": "nearest", "input": "pixels", "membrane": "q6.12"},
    QSPINN | {"membrane": "q4.3", "weight_grid": "q1.4-truncate", "rounding": "nearest", "overflow": "wrap"},
    LOIHI,
    LOIHI | {"current_leak": 0.4, "leak": 0.9, "weight_bits": 4, "weight_grid": "pot"},
]


@pytest.mark.parametrize("options", CASES, ids=lambda o: "-".join(f"{k}={v}" for k, v in o.items()))
def test_torch_interpreter_and_compiled_code_agree(options: dict[str, Any]) -> None:
    assert_exact(network(**options))


SMALL = [{"op": "linear", "out": 6}, {"op": "linear", "out": 5, "bias": True}, {"op": "linear", "out": 3}]


@settings(max_examples=25, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
@given(
    membrane=st.sampled_from(["fixed", "q3.5", "loihi"]),
    leak=st.floats(0.01, 1.0),
    threshold=st.floats(0.05, 3.0),
    rounding=st.sampled_from(["truncate", "zero", "nearest"]),
    overflow=st.sampled_from(["saturate", "wrap"]),
    reset=st.sampled_from(["soft", "hard"]),
    seed=st.integers(0, 99),
)
def test_any_numbers_are_exact_in_the_interpreter(
    membrane: str, leak: float, threshold: float, rounding: str, overflow: str, reset: str, seed: int
) -> None:
    own = {"reset": reset, "rounding": rounding, "overflow": overflow} if membrane != "loihi" else {"current_leak": 0.3}
    net = network(
        layers=[{"op": "flatten"}, *SMALL[:2], {"op": "linear", "out": 4}], membrane=membrane, leak=leak,
        threshold=threshold, weight_grid="q2.4", seed=seed, **own,
    )  # fmt: skip
    report = spqc.verify(net, target="reference", samples=2, seed=seed)
    assert report.equal, report.first_mismatch


def test_the_ace_recurrence_in_plain_integers() -> None:
    """U = (U * lambda_int >> f) + W o; fire U > V_int; U -= V_int."""
    net = network(**ACE, leak=0.7)
    x = np.random.default_rng(3).integers(0, 2, (4, 5, 2, 6, 7))
    layer, record = net.features[0], net.observe(x).layers["features.0"]
    numbers = integer_layer.numbers(layer, 5)
    weight, scale = layer.integer_weight()
    assert (numbers.leak, numbers.leak_shift, numbers.threshold) == (round(0.7 * 256), 8, round(0.4 / scale))
    assert np.abs(weight).max() == 31
    flat = torch.from_numpy(x).flatten(0, 1).double()
    current = torch.nn.functional.conv2d(flat, torch.from_numpy(weight).double(), padding=1).long().numpy()
    u = np.zeros((4, 5, 6, 7), np.int64)
    for step, w in enumerate(current.reshape(4, 5, 5, 6, 7).swapaxes(0, 1)):
        u = (u * numbers.leak >> 8) + w
        fired = u > numbers.threshold
        u = u - numbers.threshold * fired
        np.testing.assert_array_equal(record.spikes[:, step].numpy(), fired)
        np.testing.assert_array_equal(record.states[:, step].numpy(), u)


def test_the_membrane_takes_the_bits_that_are_proven() -> None:
    def bits(**options: Any) -> list[int]:
        graph = spqc.compile(network(**options), "reference").graph
        return [op.numbers.bits for op in graph.ops if isinstance(op, Integrate | CurrentNeuron)]

    assert bits(**ACE, leak=0.7) == [16, 16, 16]
    assert bits(**ACE, input="pixels") == [31, 16, 16], "255 times greater inputs"
    assert bits(**QSPINN) == [27, 27, 27]
    assert bits(**LOIHI) == [24, 24, 24]


def test_a_membrane_of_too_many_bits_is_refused_with_its_layer() -> None:
    layers = [{"op": "linear", "out": 3}, {"op": "linear", "out": 4}]
    net = network(**ACE | {"weight_bits": 8}, input="pixels", layers=layers, steps=5000, calibrate=False)
    with torch.no_grad():
        net.features[1].synapse.weight.fill_(1.0)
    with pytest.raises(ModelError, match=r"the membrane needs 35 bits after 5000 steps, 31 are the most") as caught:
        spqc.compile(net, "reference")
    assert "features.1" in caught.value.where and "membrane_bits" in caught.value.hint
    saturated = network(**ACE | {"weight_bits": 8}, input="pixels", layers=layers, membrane_bits=20)
    assert_exact(saturated, "reference")


REFUSED: list[tuple[dict[str, Any], str]] = [
    (ACE | {"batch_norm": "plain"}, "does not go with a batch norm"),
    (ACE | {"spatial_mask": 0.3}, "does not go with a spatial mask"),
    (ACE | {"channel_gate": True}, "does not go with a channel gate"),
    (ACE | {"weight_bits": 32}, "does not go with float weights"),
    (ACE | {"silence": True}, "silence does not go with the membrane 'fixed'"),
    (ACE | {"leak_at": "write"}, "leak_at does not go with"),
    (ACE | {"rounding": "stochastic"}, "stochastic rounding draws random numbers"),
    (QSPINN | {"weight_grid": "q1.4-stochastic"}, "draws random numbers"),
    (QSPINN | {"weight_grid": "q0.4"}, "at least one, the sign|has 4 bits, 0 of them"),
    (QSPINN | {"weight_grid": "q4.9"}, "has 13 bits"),
    (QSPINN | {"membrane": "q20.16"}, "membrane_bits lies in 2..31"),
    (LOIHI | {"reset": "soft"}, "Loihi's neuron fires above its threshold and resets to 0"),
    (LOIHI | {"rounding": "nearest"}, "rounding is not Loihi's"),
    (ACE | {"current_leak": 0.5}, "current_leak is for the membrane 'loihi'"),
    ({"learn_leak": True}, "learn_leak is for the membranes 'fixed' and 'loihi'"),
    (ACE | {"leak_bits": 30}, "leak_bits lies in 1..16"),
    (ACE | {"membrane": "qx"}, "unknown membrane 'qx'"),
]


@pytest.mark.parametrize(("options", "message"), REFUSED, ids=lambda v: v if isinstance(v, str) else None)
def test_what_does_not_fit_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(SpqcError, match=message) as caught:
        network(**options)
    assert isinstance(caught.value, UsageError | ModelError) and caught.value.hint


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (QSPINN | {"weight_grid": "uniform"}, "no power of two"),
        (LOIHI | {"threshold": 1e5}, "Loihi's has 17 bits"),
        (LOIHI | {"input": "pixels", "layers": [{"op": "linear", "out": 4}] * 2}, "leave Loihi's 24-bit current"),
    ],
)
def test_numbers_that_do_not_fit_are_refused_when_read(options: dict[str, Any], message: str) -> None:
    for attempt in (lambda: network(**options), lambda: spqc.compile(network(**options, calibrate=False), "reference")):
        with pytest.raises(ModelError, match=message) as caught:
            attempt()
        assert "features." in caught.value.where


def test_gradients_of_the_normalised_surrogate() -> None:
    """do/dz = 0.3 max(0, 1 - |z|) at z = u/V - 1, dz/du = 1/V, dz/dV = -u/V^2."""
    u = torch.tensor([-1.0, 0.1, 0.9, 1.4, 2.9, 5.0], dtype=torch.float64, requires_grad=True)
    v = torch.tensor(1.5, dtype=torch.float64, requires_grad=True)
    weights = torch.tensor([1.0, -2.0, 0.5, 3.0, 1.0, 1.0], dtype=torch.float64)
    (surrogates.fire_normalised(u, v, strict=True) * weights).sum().backward()
    z = u.detach() / 1.5 - 1
    slope = weights * 0.3 * torch.clamp(1 - z.abs(), min=0)
    torch.testing.assert_close(u.grad, slope / 1.5)
    torch.testing.assert_close(v.grad, -(slope * u.detach() / 1.5**2).sum())


def test_gradients_of_leak_and_threshold_through_time() -> None:
    """du_t/dlambda = u_{t-1}; the reset sends o to the threshold and nothing back through the spike."""
    from spqc.nn.integer_neuron import FixedNeuron
    from spqc.nn.options import NeuronOptions

    neuron = FixedNeuron(NeuronOptions(membrane="fixed", leak=0.75, learn_leak=True, learn_threshold=True, reset="soft",
                                       fire="gt", surrogate="normalised"))  # fmt: skip
    current = torch.tensor([[0.9, 0.6, 0.3]], requires_grad=True)
    _, states = neuron.train_run(current, None, unit=2.0**-20)
    states[0, 2].backward()
    u = [0.9, 0.75 * 0.9 + 0.6 - 1.0]  # the second step fires at V = 1
    assert states[0].tolist() == pytest.approx([u[0], u[1], 0.75 * u[1] + 0.3])
    assert float(neuron.leak_factor.grad) == pytest.approx(u[1] + 0.75 * u[0])
    assert float(neuron.potential_threshold.grad) == pytest.approx(-0.75)
    assert current.grad[0].tolist() == pytest.approx([0.75**2, 0.75, 1.0])


@pytest.mark.parametrize("options", [ACE, QSPINN | {"learn_leak": True, "learn_threshold": True}, LOIHI], ids=str)
def test_training_reaches_every_parameter_and_stays_exact(options: dict[str, Any]) -> None:
    net = network(**options).train()
    x = np.random.default_rng(0).integers(0, 2, (16, 5, 2, 6, 7))
    goal = torch.arange(16) % 4
    optimiser = torch.optim.Adam([p for p in net.parameters() if p.requires_grad], lr=0.01)
    losses = []
    for _ in range(12):
        loss = torch.nn.functional.cross_entropy(net(x).mean(dim=1), goal)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert all(p.grad is not None for p in net.parameters() if p.requires_grad)
    assert losses[-1] < losses[0] - 0.05
    if options is ACE:
        assert net.features[0].neuron.leak_factor.item() != 1.0 and net.features[0].threshold != 0.4
    assert_exact(net.eval(), "reference")


def test_a_checkpoint_keeps_leak_and_threshold(tmp_path: Path) -> None:
    net = network(**ACE)
    with torch.no_grad():
        net.features[0].neuron.leak_factor.fill_(0.6)
        net.features[2].neuron.potential_threshold.fill_(0.9)
    checkpoint.save(net, tmp_path / "net.pt")
    back = checkpoint.load(tmp_path / "net.pt")
    assert integer_layer.numbers(back.features[0], 5).leak == round(0.6 * 256)
    x = np.random.default_rng(0).integers(0, 2, (3, 5, 2, 6, 7))
    assert torch.equal(back(x), net(x))
    assert back.config == net.config


def test_layers_of_several_kinds_in_one_network() -> None:
    layers = [
        LAYERS[0] | {"neuron": {"membrane": "released"}},
        LAYERS[1],
        LAYERS[2] | {"neuron": {"membrane": "ace", "threshold": 0.3}, "weight_grid": "uniform"},
        LAYERS[3],
        LAYERS[4] | {"neuron": {"membrane": "mint4"}, "weight_grid": "mint"},
        LAYERS[5],
    ]
    net = network(layers=layers, silence=True, threshold=0.6)
    assert net.features[2].options.neuron.silence == "none", "an integer membrane takes no option of levels along"
    assert_exact(net)


@pytest.mark.parametrize("membrane", ["ace", "q6.9", "loihi"])
def test_neurons_without_weights_and_convolutions_along_other_axes(membrane: str) -> None:
    layers = [
        {"op": "conv3d", "out": 3, "kernel": [3, 2, 2]},
        {"op": "neuron"},
        {"op": "flatten"},
        {"op": "linear", "out": 4},
    ]
    options = {"membrane": membrane, "weight_grid": "q2.3", "threshold": 0.5, "leak": 0.8, "batch_norm": "none"}
    shape = {"in_shape": (2, 5, 4, 4), "classes": 4, "steps": 4, "input": "spikes"}
    net = models.create("sequential", layers=layers, **shape, **options)
    assert_exact(net)


@pytest.mark.parametrize("form", ["q1.4", "q1.4-nearest", "q1.4-truncate", "q2.6"])
def test_fixed_point_weights(form: str) -> None:
    weight = torch.tensor([-3.0, -0.03, 0.03, 0.04, 0.96875, 2.5])
    quantiser = quantisers.create(form, 4)
    integers, scale = quantiser.integers(weight)
    fraction = int(form[3])
    assert scale == 2.0**-fraction and quantiser.bits == int(form[1]) + fraction
    rounded = np.floor(weight.double().numpy() * 2**fraction + (0 if "truncate" in form else 0.5))
    half = 2 ** (quantiser.bits - 1)
    np.testing.assert_array_equal(integers.numpy(), np.clip(rounded, -half, half - 1))
