"""What the network made by hand does on three frames, and the operations and energy that follow."""

from __future__ import annotations

import numpy as np
import pytest
from support.hand_network import frames, hand, still

from spqc.cost.account import account_of
from spqc.cost.activity import LayerActivity, activity_of
from spqc.cost.counts import flops_factor, implied_channel_sparsity, operations_of, total_of
from spqc.cost.energy import bit_level, eq31, syops
from spqc.cost.total import total_activity


@pytest.fixture(scope="module")
def activity() -> dict[str, LayerActivity]:
    return activity_of(hand(), frames(), clip_bound=-1.0)


def test_rates_and_states(activity: dict[str, LayerActivity]) -> None:
    one, head = activity["one"], activity["head"]
    assert list(activity) == ["one", "head"]
    assert (one.spike_rate, one.input_rate) == (3 / 96, 2 / 48)
    assert (head.spike_rate, head.input_rate) == (None, 3 / 24)
    assert one.occupancy == {"-1": 3 / 96, "0": 93 / 96}


def test_masks(activity: dict[str, LayerActivity]) -> None:
    one = activity["one"]
    assert one.spatial_sparsity == 91 / 96 and one.channel_sparsity == 1 / 6
    assert one.open_tiles == 1.0, "the gate opens at step 1"


def test_a_tile_is_shut_when_its_gate_never_opens() -> None:
    graph = hand()
    graph.data["@t"].setflags(write=True)
    graph.data["@t"][:] = 1000 * 1000
    one = activity_of(graph, frames())["one"]
    assert (one.channel_sparsity, one.open_tiles, one.spike_rate) == (1.0, 0.0, 0.0)
    executed = operations_of(account_of(graph), {"one": one})[0].executed
    assert executed == 0.0


def test_clip_bound(activity: dict[str, LayerActivity]) -> None:
    clip = activity["one"].clip
    assert clip is not None and activity["head"].clip is None
    assert (clip.bound, clip.lowest, clip.silent) == (-1.0, -2.0, 1 / 32)
    assert clip.late_rate == 0.5, "it fires at one of the two later steps"
    assert clip.wake == 1.0


def test_nobody_is_silent_below_a_lower_bound() -> None:
    clip = activity_of(hand(), frames(), clip_bound=-3.0)["one"].clip
    assert clip is not None and (clip.silent, clip.late_rate, clip.wake) == (0.0, None, None)


def test_several_samples_are_averaged(activity: dict[str, LayerActivity]) -> None:
    many = np.concatenate([frames()] * 11 + [np.zeros_like(frames())] * 11)  # more than one chunk
    found = activity_of(hand(), many, clip_bound=-1.0)["one"]
    one = activity["one"]
    assert found.spike_rate == pytest.approx((one.spike_rate or 0) / 2)
    assert found.clip is not None and found.clip.silent == pytest.approx(1 / 64) and found.clip.late_rate == 0.5


def test_total(activity: dict[str, LayerActivity]) -> None:
    total = total_activity(account_of(hand()), activity)
    assert total.spike_rate == 3 / 96 and total.occupancy == activity["one"].occupancy
    assert total.input_rate == pytest.approx((288 * 2 / 48 + 40 * 3 / 24) / 328), "weighted by operations"
    assert (total.spatial_sparsity, total.channel_sparsity) == (91 / 96, 1 / 6)
    assert total.clip == activity["one"].clip


def test_operations(activity: dict[str, LayerActivity]) -> None:
    one, head = operations_of(account_of(hand()), activity)
    assert (one.dense, one.membrane, one.gate) == (3 * 288, 96, 6)
    assert one.eq30 == pytest.approx(864 * (5 / 6) * (5 / 96))
    assert one.public_dense == 960
    assert one.public == pytest.approx((864 + 96 * 5 / 96) * 5 / 6 + 3 * 2 * (1 / 4) * 2 * 16)
    assert one.synaptic == pytest.approx(864 * 2 / 48) and one.executed == 864
    assert (head.dense, head.eq30, head.public, head.executed) == (120, 120, 120, 120), "the classifier has no masks"
    total = total_of((one, head))
    assert (total.dense, total.synaptic, total.executed) == (984, pytest.approx(36 + 15), 984)


def test_operations_without_inputs_take_the_sparsities_given() -> None:
    one, head = operations_of(account_of(hand()), {}, channel_sparsity=0.5, spatial_sparsity=0.25)
    assert (one.eq30, head.eq30, one.synaptic) == (864 * 0.5 * 0.75, 120, None)
    assert total_of((one, head)).synaptic is None


def test_a_constant_input_is_summed_once() -> None:
    one, head = operations_of(account_of(still()), {})
    assert (one.dense, one.executed, head.executed) == (864, 288, 120)


def test_event_driven_kernels_add_a_code_that_many_times(activity: dict[str, LayerActivity]) -> None:
    one, head = operations_of(account_of(hand()), activity, strategies={"one": "events", "head": "dense"})
    assert activity["one"].input_mean == 2 * 8 / 48
    assert one.executed == pytest.approx(864 * 2 * 8 / 48) and head.executed == 120
    assert (one.strategy, head.strategy) == ("events", "dense")


def test_factors() -> None:
    assert flops_factor(0.5, 0.5) == 4.0
    assert implied_channel_sparsity(4.0, 0.5) == 0.5
    for factor in (4.0, 4.7, 5.1):
        assert flops_factor(implied_channel_sparsity(factor), 0.35) == pytest.approx(factor)


def test_eq31(activity: dict[str, LayerActivity]) -> None:
    found = {(e.convention, e.what): e for e in eq31(operations_of(account_of(hand()), activity))}
    assert found["eq31 7 nm", "dense, 32-bit floats"].energy_mj == pytest.approx(984 * 0.38e-9)
    assert found["eq31 45 nm", "dense, 8-bit integers"].energy_mj == pytest.approx(984 * 0.03e-9)
    assert found["eq31 7 nm", "masked, 8-bit integers"].energy_mj == pytest.approx((37.5 + 120) * 0.007e-9)
    assert found["eq31 7 nm", "membranes alone, 8-bit integers"].operations == 96
    assert all(e.kind == "modelled" and e.sources for e in found.values())


def test_syops(activity: dict[str, LayerActivity]) -> None:
    account = account_of(hand())
    (found,) = syops(account, operations_of(account, activity))
    assert found.energy_mj == pytest.approx((4.6 * 864 + 0.9 * 15) * 1e-9)
    assert found.kind == "modelled from measured rates"
    assert syops(account, operations_of(account, {})) == []
    (assumed,) = syops(account, operations_of(account, {}), rate=0.5)
    assert assumed.energy_mj == pytest.approx((4.6 * 864 + 0.9 * 60) * 1e-9)
    assert assumed.kind == "modelled from an assumed rate"


def test_syops_multiply_a_constant_input_once() -> None:
    account = account_of(still())
    (found,) = syops(account, operations_of(account, {}), rate=0.5)
    assert found.energy_mj == pytest.approx((4.6 * 288 + 0.9 * 60) * 1e-9)


def test_bit_level(activity: dict[str, LayerActivity]) -> None:
    account = account_of(hand())
    work, states = bit_level(account, operations_of(account, activity), {"head": 8})
    assert work.energy_mj == pytest.approx((36 * (0.1 + 0.2) + 15 * 0.03) * 1e-9), "pixels are multiplied, 8 bits wide"
    assert states.energy_mj == pytest.approx(2 * 3 * 32 * 2 * 10 / 64 * 1e-9)
    assert states.operations == 192
    assert bit_level(account, operations_of(account, {}), {}) == []
