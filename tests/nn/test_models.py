"""Networks: determinism, shapes, activity, options, masks in training, and errors with hints."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spqc.foundation.errors import InputError, ModelError, SpqcError, UsageError

torch = pytest.importorskip("torch")

from spqc.nn import losses, models  # noqa: E402  (torch must be there)
from spqc.nn.calibration import calibrate, random_codes  # noqa: E402
from spqc.nn.masks import SpatialMask  # noqa: E402
from spqc.nn.options import LOWEST_LEARNED_THRESHOLD, MaskOptions  # noqa: E402

LAYERS = [
    {"op": "conv2d", "out": 6, "kernel": 3, "padding": 1},
    {"op": "avg_pool", "kernel": 2},
    {"op": "linear", "out": 12},
    {"op": "linear"},
]


def network(**options: Any) -> Any:
    settings = {"in_shape": (2, 6, 6), "classes": 4, "steps": 3, "layers": LAYERS, **options}
    return models.create("sequential", **settings)


def test_the_same_seed_gives_the_same_network_and_leaves_global_seeds_alone() -> None:
    torch.manual_seed(5)
    before = torch.get_rng_state()
    one = network(seed=7, spatial_mask=0.3, channel_gate=True).state_dict()
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(6)
    two = network(seed=7, spatial_mask=0.3, channel_gate=True).state_dict()
    assert all(torch.equal(one[name], two[name]) for name in one)
    other = network(seed=8).state_dict()
    assert not torch.equal(one["features.0.synapse.weight"], other["features.0.synapse.weight"])


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("digits", {"spatial_mask": 0.35, "channel_gate": True}),
        ("vgg9", {"in_shape": (3, 32, 32), "steps": 2, "width": 0.125}),
        ("sequential", {"in_shape": (2, 6, 6), "layers": LAYERS, "classes": 4, "input": "spikes"}),
    ],
)
def test_fresh_networks_fire_at_a_sensible_rate(name: str, options: dict[str, Any]) -> None:
    net = models.create(name, **options)
    assert not net.training
    trace = net.trace(random_codes(net.signature, 4, seed=9))
    rates = {layer: float(spikes.mean()) for layer, (spikes, _) in trace.items()}
    assert all(0.02 < rate < 0.4 for rate in rates.values()), rates


def test_shapes_of_logits_trace_and_observation() -> None:
    net = network(spatial_mask=0.35, channel_gate=True)
    seen = net.observe(np.zeros((5, 3, 2, 6, 6)))
    assert seen.logits.shape == net(np.zeros((5, 2, 6, 6))).shape == (5, 3, 4)
    assert list(seen.layers) == ["features.0", "features.3"], "the flatten is number 2"
    first = seen.layers["features.0"]
    assert first.spikes.shape == first.states.shape == first.keep.shape == (5, 3, 6, 6, 6)
    assert first.gate.shape == (5, 3, 6)
    assert set(first.states.unique().tolist()) <= {-1.0, 0.0, 1.0}
    assert set(first.spikes.unique().tolist()) <= {0.0, 1.0}


def test_calls_do_not_remember() -> None:
    net = network()
    x = random_codes(net.signature, 3, seed=1)
    first = net(x)
    net(random_codes(net.signature, 3, seed=2))
    assert torch.equal(net(x), first)


def test_spatial_mask_keeps_its_fraction_on_the_calibration_data() -> None:
    net = network(spatial_mask=0.35)
    x = random_codes(net.signature, 200, seed=1)
    calibrate(net, x)
    for record in net.observe(x).layers.values():
        assert float(record.keep.float().mean()) == pytest.approx(0.65, abs=0.01)


def test_top_k_masks_the_same_count_at_every_step() -> None:
    mask = SpatialMask(MaskOptions(spatial_mask=0.25, spatial_rule="topk"))
    current = torch.empty(2, 3, 4, 5, 5).normal_(generator=torch.Generator().manual_seed(0))
    kept = mask.keep(current, 0.0).flatten(2).sum(dim=2)
    assert kept.unique().tolist() == [75]


def test_pixel_masks_are_shared_by_the_channels() -> None:
    keep = network(spatial_mask=0.4, granularity="pixel").observe(np.full((2, 2, 6, 6), 99)).layers["features.0"].keep
    assert bool((keep == keep[:, :, :1]).all())


@pytest.mark.parametrize("options", [{}, {"spatial_mask": 0.3, "channel_gate": True, "learn_threshold": True}])
def test_every_parameter_gets_a_gradient(options: dict[str, Any]) -> None:
    net = network(**options).train()
    x = random_codes(net.signature, 16, seed=1)
    losses.tet(net(x), torch.arange(16) % 4).backward()
    without = [
        name
        for name, value in net.named_parameters()
        if value.requires_grad and (value.grad is None or not bool(value.grad.abs().sum() > 0))
    ]
    assert without == []


def test_activations_are_integers_in_training_too() -> None:
    net = network().train()
    seen: list[torch.Tensor] = []
    net.classifier.register_forward_hook(lambda _, inputs, __: seen.append(inputs[0]))
    net.features[1].register_forward_hook(lambda _, __, output: seen.append(output))
    net(random_codes(net.signature, 4, seed=1))
    assert len(seen) == 2
    assert all(torch.equal(codes, codes.round()) for codes in seen)
    assert net.features[1].out.scale == 0.25
    assert float(seen[0].detach().max()) > 1, "the pool emits sums"


def test_learned_thresholds_stay_above_one_half() -> None:
    net = network(learn_threshold=True)
    with torch.no_grad():
        net.features[0].neuron.potential_threshold.fill_(0.1)
    assert net.features[0].threshold == LOWEST_LEARNED_THRESHOLD
    free = network(threshold=0.2)
    assert free.features[0].threshold == float(np.float32(0.2))


def test_tet_loss_is_its_formula() -> None:
    logits = torch.empty(5, 3, 4).normal_(generator=torch.Generator().manual_seed(0))
    labels = torch.tensor([0, 1, 2, 3, 1])
    exponent = np.exp(logits.numpy())
    shares = exponent / exponent.sum(axis=2, keepdims=True)
    entropy = -np.log(np.take_along_axis(shares, labels.numpy()[:, None, None], axis=2)).mean()
    expected = 0.7 * entropy + 0.3 * ((logits.numpy() - 1.0) ** 2).mean()
    assert float(losses.tet(logits, labels, regulariser=0.3)) == pytest.approx(float(expected), rel=1e-5)


@pytest.mark.parametrize(
    ("name", "options", "message", "hint"),
    [
        ("vgg8", {}, "unknown model 'vgg8'", "vgg9"),
        ("digits", {"weigth_bits": 4}, "no option 'weigth_bits'", "weight_bits"),
        ("sequential", {"layers": LAYERS}, "needs in_shape", "in_shape="),
    ],
)
def test_unknown_names_are_suggested(name: str, options: dict[str, Any], message: str, hint: str) -> None:
    with pytest.raises(UsageError) as caught:
        models.create(name, **options)
    assert message in caught.value.message
    assert hint in caught.value.hint


@pytest.mark.parametrize(
    "options",
    [
        {"weight_bits": 1},
        {"weight_bits": "4"},
        {"weight_grid": "log"},
        {"steps": 0},
        {"steps": 2.5},
        {"in_shape": 34},
        {"membrane": "quaternary"},
        {"membrane": 3},
        {"membrane": (0.0,)},
        {"membrane": (-1.0, 1.0)},
        {"membrane": "ternary", "levels": (-1, 0, 1)},
        {"silence": "often"},
        {"spatial_mask": 1.5},
        {"leak": float("nan")},
        {"threshold": 0},
        {"threshold": 0.4, "learn_threshold": True},
        {"channel_gate": "yes"},
        {"input": "sound"},
        {"fire": ">"},
    ],
    ids=str,
)
def test_wrong_values_are_usage_errors(options: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        network(**options)


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        ([], "ends in a linear"),
        ([{"op": "conv2d", "out": 3}], "ends in a linear"),
        ([{"op": "conv4d"}, {"op": "linear"}], "unknown layer 'conv4d'"),
        ([{"op": "conv2d", "out": 3, "dilation": 2}, {"op": "linear"}], "no key 'dilation'"),
        ([{"op": "conv2d", "out": 0}, {"op": "linear"}], "out must be"),
        ([{"op": "conv2d", "out": 3, "kernel": 9}, {"op": "linear"}], "empty output"),
        ([{"op": "conv2d", "out": 3, "groups": 2}, {"op": "linear"}], "groups"),
        ([{"op": "conv2d", "out": 3, "residual": "identity"}, {"op": "linear"}], "cannot be added"),
        ([{"op": "conv2d", "out": 2, "residual": "both"}, {"op": "linear"}], "residual must be"),
        ([{"op": "avg_pool", "kernel": 7}, {"op": "linear"}], "does not fit"),
        ([{"op": "flatten"}, {"op": "conv2d", "out": 3}, {"op": "linear"}], "reads [C, H, W]"),
        ([{"op": "linear", "out": 9}], "9 outputs for 4 classes"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_layers_that_do_not_fit(layers: list[dict[str, Any]], message: str) -> None:
    with pytest.raises(ModelError) as caught:
        network(layers=layers)
    assert message in caught.value.message


def test_inputs_that_do_not_fit() -> None:
    net = network()
    for x in (np.zeros((1, 2, 2, 6, 6)), np.zeros((1, 3, 6, 6)), np.full((1, 2, 6, 6), 2.0), "text"):
        with pytest.raises(InputError):
            net(x)
    with pytest.raises(SpqcError, match="over the steps"):
        network(coding="direct")(np.random.default_rng(0).random((1, 3, 2, 6, 6)))


def test_available_lists_the_folder() -> None:
    files = {path.stem for path in Path(models.__file__).parent.glob("[!_]*.py")}
    assert {models.find(name).__name__.rpartition(".")[2] for name in models.available()} == files
    assert {"digits", "sequential", "vgg9", "spikformer-4-256"} <= set(models.available())
