"""The account of a network and its memory, worked out by hand."""

from __future__ import annotations

import pytest
from support.hand_network import hand, still

from spqc.cost.account import account_of
from spqc.cost.memory import memory_forms, ratio_bounds
from spqc.ir.ops import Automaton
from spqc.plugins.pipeline import parse, run


def test_layers() -> None:
    account = account_of(hand())
    one, head = account.layers
    assert (one.layer, one.kind, one.shape, one.in_channels) == ("one", "conv2d", (2, 4, 4), 1)
    assert (one.weights, one.weight_bits, one.neurons, one.state_bits, one.macs) == (18, 4, 32, 2, 32 * 9)
    assert (one.gate_weights, one.gate_macs) == (2, 2), "the gate is no synapse"
    assert one.reads_input and not one.constant
    assert (head.layer, head.shape, head.weights, head.neurons, head.macs) == ("head", (5,), 40, 0, 40)
    assert not head.reads_input


def test_totals() -> None:
    account = account_of(hand())
    assert (account.weights, account.neurons, account.macs_per_step, account.macs) == (58, 32, 328, 984)
    assert account.state_bits == 64 and account.input_bits == 8
    assert account.weight_bits == 8, "more weights have 8 bits than 4"


def test_direct_coding_is_constant() -> None:
    one, head = account_of(still()).layers
    assert one.reads_input and one.constant and not head.constant


def test_passes_keep_the_account() -> None:
    folded = run(hand(), parse("fold-neurons{limit=4096},remove-dead"))
    assert any(isinstance(op, Automaton) for op in folded.ops)  # type: ignore[union-attr]
    assert account_of(folded) == account_of(hand())  # type: ignore[arg-type]


def test_memory_forms() -> None:
    literal, published, fused = memory_forms(account_of(hand()), weight_bits=4)
    floats, states = 32 * 58, 32 * 32
    assert literal.baseline.bits == floats + states + 32
    assert published.baseline.bits == fused.baseline.bits == floats + 2 * states
    assert literal.quantised.bits == fused.quantised.bits == 4 * 58 + 2 * 32 + 1 * 32
    assert published.quantised.bits == 4 * 58 + 2 * 32 + 8 * 32
    assert published.ratio == pytest.approx(3904 / 552)
    assert published.quantised.mb == 552 / 8e6


def test_the_classifier_is_charged_like_the_rest_and_layers_keep_their_own_widths() -> None:
    literal = memory_forms(account_of(hand()))[0]
    assert literal.quantised.weight_bits == 18 * 4 + 40 * 8


def test_bounds_of_the_published_ratio() -> None:
    assert ratio_bounds(2) == (6.4, 16) and ratio_bounds(4) == (6.4, 8) and ratio_bounds(8) == (4, 6.4)
