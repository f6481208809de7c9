"""The papers' numbers, computed from the model definitions, and the page that shows them."""

from __future__ import annotations

import pytest
from support.places import ROOT

torch = pytest.importorskip("torch")

from bench.papers import ace, memory, networks, operations  # noqa: E402
from bench.papers.networks import account  # noqa: E402
from bench.papers.page import page  # noqa: E402
from bench.papers.published import published  # noqa: E402
from bench.papers.rows import TO_THE_DIGIT, compare, verdict_of  # noqa: E402
from spqc.cost.ace import shares_of  # noqa: E402  (torch must be there)

PAGE = ROOT / "docs" / "papers.md"


def test_verdicts() -> None:
    assert verdict_of(49.94, 49.945344, 2, 0.0) == TO_THE_DIGIT, "cut off"
    assert verdict_of(2.57, 2.5651, 2, 0.0) == TO_THE_DIGIT, "rounded"
    assert verdict_of(8.13, 7.66, 2, 0.05) == "no, -5.8%"
    assert verdict_of(7.07, 7.38, 2, 0.05) == "yes, +4.4%"
    row = compare("VGG-9", "ratio.vgg9", 12.811, 0, 0.02, "x", "why")
    assert row.cells == ("VGG-9", "13x", "12.811x", TO_THE_DIGIT, "why")


def test_every_published_figure_has_a_place() -> None:
    assert all(one.value > 0 and one.where for one in published().values())


def test_vgg9() -> None:
    found, forms = account("vgg9"), memory.forms("vgg9")
    assert (found.weights, found.neurons, found.steps) == (9_263_808, 921_600, 10)
    assert found.macs_per_step == 1_362_981_888
    assert forms["published"].baseline.state_mb == 3.6864
    assert forms["published"].quantised.state_mb == 0.2304
    assert round(forms["published"].ratio, 2) == 12.81 and round(forms["fused"].ratio, 2) == 16.69
    assert round(forms["fused"].quantised.mb, 3) == 2.662


def test_vgg9_of_lt_snn() -> None:
    found = account("vgg9-lt")
    assert found.weights == 7_065_440
    assert found.neurons == 626_688 + 512, "and the hidden layer's"


def test_resnet19() -> None:
    found, forms = account("resnet19"), memory.forms("resnet19")
    assert (found.weights, memory.conv_weights(found), found.neurons) == (12_619_968, 12_486_336, 1_376_512)
    assert round(found.macs_per_step / 1e6, 1) == 2216.5
    assert round(4e-6 * memory.conv_weights(found), 3) == 49.945
    assert round(memory.conv_weights(found) * 4 / 8e6, 3) == 6.243
    assert round(forms["published"].baseline.state_mb, 3) == 5.506
    assert round(forms["published"].ratio, 2) == 7.66 and round(forms["fused"].ratio, 2) == 9.01
    assert round(memory.mixed_ratio(), 3) == 8.135
    assert "between 6.4 and 8" in memory.bound_text()


def test_resnet34() -> None:
    found, forms = account("resnet34"), memory.forms("resnet34")
    assert round(found.macs_per_step / 1e9, 2) == 14.30 and round(found.neurons / 1e6, 2) == 11.84
    assert round(forms["published"].ratio, 2) == 7.08 and round(forms["fused"].ratio, 2) == 11.88
    assert round(memory.forms("resnet34", 8)["published"].ratio, 2) == 4.97
    assert round(memory.forms("resnet34-pool", 8)["published"].ratio, 2) == 4.41
    assert memory.forms("resnet34-pool") == memory.forms("resnet34-pool", 8), "8 bits are charged, though 5 are stored"
    assert round(account("resnet34-pool").macs_per_step / 1e9, 2) == 3.66


def test_yolov2() -> None:
    found, forms = account("yolov2"), memory.forms("yolov2")
    assert round(found.macs_per_step / 1e9, 2) == 5.29 and round(found.weights / 1e6, 2) == 25.86
    assert round(forms["published"].ratio, 2) == 7.38 and round(forms["fused"].ratio, 2) == 10.11


def test_spikformer() -> None:
    found = account("spikformer-4-256")
    assert (round(found.weights / 1e6, 3), round(found.neurons / 1e6, 3)) == (4.126, 0.967)
    products = [layer for layer in found.layers if layer.kind == "attention"]
    assert len(products) == 4 and all(layer.weights == 0 for layer in products)
    assert {layer.macs for layer in products} <= {2 * 64 * 64 * 256, 2 * 64 * 32 * 256}, "of 64 tokens, in either order"


def test_channel_sparsities() -> None:
    found = [round(one.channel_sparsity, 3) for one in operations.implied()]
    assert found == [0.615, 0.673, 0.679, 0.692, 0.698]
    assert [round(one.total_sparsity, 3) for one in operations.implied()][-1] == 0.804


def test_energy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(operations, "ENERGY", ("vgg9", "resnet19"))
    vgg9, resnet19 = operations.energy_rows()
    assert (round(vgg9.floats, 3), round(vgg9.integers, 4), round(vgg9.masked, 4)) == (5.179, 0.0954, 0.0191)
    assert (round(resnet19.floats, 3), round(resnet19.integers, 4), round(resnet19.masked, 4)) == (1.685, 0.031, 0.0062)
    assert round(vgg9.gain) == 271


def test_ace() -> None:
    found = ace.implications()
    assert (round(found.mac_ratio, 2), round(found.integer_mac_pj, 4)) == (12.51, 0.2557)
    assert round(found.float_mac_pj, 4) == 0.3676
    assert [round(pj, 3) for _, pj in found.scalings] == [0.401, 0.270, 0.128]
    assert (round(found.energy_share, 3), round(found.delay_share, 3)) == (0.357, 0.078)
    assert round(found.product, 3) == 0.349


def test_ace_networks() -> None:
    shares = {title: shares_of(found) for title, found in networks.hyperspectral()}
    macs = {title: (round(one.macs_per_step / 1e6, 2), round(100 * one.share, 2)) for title, one in shares.items()}
    assert macs["CNN-3D, Indian Pines"] == (14.60, 6.59) and macs["CNN-3D, Pavia University"] == (7.53, 6.52)
    assert macs["CNN-32H, Indian Pines"] == (145.86, 0.27)
    assert macs["CNN-32H with Luo's kernel, Indian Pines"] == (105.13, 0.37)
    assert 15 < shares["CNN-3D, Indian Pines"].bound < 15.5


def test_the_page_is_today_s() -> None:
    shown, _, rest = PAGE.read_text().partition("What the lowered programs hold")
    after = rest.partition("The published table:")
    assert shown + after[1] + after[2] == page([]), "write the page again: make papers"
