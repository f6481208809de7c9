"""The VGG networks have the numbers of weights that are known of them."""

from __future__ import annotations

from typing import Any

import pytest

torch = pytest.importorskip("torch")

from spqc.foundation.errors import UsageError  # noqa: E402  (torch must be there)
from spqc.nn import models  # noqa: E402
from spqc.nn.models import vgg9  # noqa: E402


def weights(name: str, **options: Any) -> int:
    """Count the weights of the layer specifications by hand: 3x3 convolutions, halving poolings, dense layers."""
    from importlib import import_module

    module = import_module(f"spqc.nn.models.{name}")
    network = type("Network", (), {"classes": 10})()
    channels, side, features, total = 3, options.pop("side", 48), 0, 0
    for spec in module.layers(module.Options(**options), network):
        if spec["op"] == "conv2d":
            total, channels = total + 9 * channels * spec["out"], spec["out"]
            side //= spec.get("pool_before", 1)
        elif spec["op"].endswith("_pool"):
            side //= 2
        elif spec["op"] == "flatten":
            features = channels * side**2
        else:
            total, features = total + features * spec["out"], spec["out"]
    return total


@pytest.mark.parametrize(
    ("name", "options", "count"),
    [
        ("vgg9", {}, 9_263_808),
        ("vgg9", {"form": "lt"}, 7_065_440),
        ("vgg9", {"form": "lt", "pool": "max"}, 7_065_440),
        ("vgg9", {"form": "lt", "pool_position": "before"}, 7_065_440),
        ("vgg9", {"side": 32}, 9_238_208),
        ("vgg7", {}, 1_913_024),
        ("vgg7", {"form": "released"}, 1_754_464),
        ("vgg11", {}, 9_337_536),
        ("vgg11", {"form": "released"}, 18_660_032),
    ],
)
def test_weights(name: str, options: dict[str, Any], count: int) -> None:
    assert weights(name, **options) == count


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("vgg7", {}),
        ("vgg7", {"form": "released"}),
        ("vgg11", {}),
        ("vgg11", {"form": "released"}),
        ("vgg9", {"form": "lt"}),
    ],
)
@pytest.mark.parametrize("side", [32, 48])
def test_a_narrow_one_runs(name: str, options: dict[str, Any], side: int) -> None:
    net = models.create(name, in_shape=(3, side, side), width=1 / 16, steps=2, calibrate=False, **options)
    assert net(torch.zeros(1, 3, side, side)).shape == (1, 2, 10)


def test_a_form_is_known() -> None:
    with pytest.raises(UsageError, match="form must be one of spquant, lt"):
        vgg9.Options(form="other")  # type: ignore[arg-type]
