"""Constants have a source, and widths between them follow the rule that is stated."""

from __future__ import annotations

import pytest
from support.hand_network import hand

from spqc.cost.account import account_of
from spqc.cost.ace import cnn_energy_pj, mac_of_bits, share_in_memory, shares_of, snn_energy_pj
from spqc.cost.constants import addition, constant, constants, memory_access, multiplication


def test_every_constant_has_a_source() -> None:
    for one in constants().values():
        assert one.pj > 0 and one.node_nm in (7, 45) and one.source
        assert one.evidence in ("code", "page", "recall")
        assert one.name.endswith(f"_{one.node_nm}")


def test_a_multiply_accumulate_is_a_multiplication_and_an_addition() -> None:
    assert constant("fp32_mac_45").pj == pytest.approx(constant("fp32_mul_45").pj + constant("fp32_add_45").pj)
    assert constant("int32_mac_45").pj == pytest.approx(constant("int32_mul_45").pj + constant("int32_add_45").pj)


def test_widths() -> None:
    assert addition(8) == (0.03, "tabulated") and addition(32) == (0.1, "tabulated")
    assert addition(4) == (0.015, "extrapolated")
    assert addition(20) == (pytest.approx(0.065), "interpolated")
    assert multiplication(4) == (0.05, "extrapolated")
    assert multiplication(32)[0] == 3.1 and multiplication(16)[1] == "interpolated"


def test_memories() -> None:
    assert memory_access(8 * 8192).pj == 10 and memory_access(8 * 8192 + 1).pj == 20
    assert memory_access(1 << 40).pj == 100


def test_ace_energy() -> None:
    account = account_of(hand())
    assert cnn_energy_pj(account, 3.2) == pytest.approx(328 * 3.2)
    assert snn_energy_pj(account, {"head": 0.25}, 3.2, 0.1) == pytest.approx(288 * 3.2 + 40 * 0.25 * 0.1)
    shares = shares_of(account)
    assert shares.share == 288 / 328 and shares.bound == 328 / 288


def test_ace_factors() -> None:
    assert mac_of_bits(10, 2) == pytest.approx(3.2 / 5)
    assert share_in_memory(0.3, 1.5) == pytest.approx(0.9), "a third less of 90 % is 30 % of the whole"
