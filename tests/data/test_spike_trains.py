"""Spike lists, packed or as tables, become counts in bins."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spqc.foundation.errors import InputError, SpqcError, UsageError
from spqc.train import data
from spqc.train.data.formats.spike_lists import SpikeLists
from spqc.train.data.sets.spike_trains import Options, binned

LISTS = {
    "sample": np.array([1, 0, 1, 1, 0]),
    "neuron": np.array([2, 0, 0, 2, 3]),
    "time": np.array([0.0, 0.5, 3.9, 0.1, 2.0]),
    "label": np.array([1, 0]),
}


def test_lists_by_hand(tmp_path: Path) -> None:
    np.savez(tmp_path / "train.npz", **LISTS)
    train = data.load("spike-trains", tmp_path, steps=2, duration=4.0, clip=16)
    assert train.shape == (4,) and train.steps == 2 and train.encoding == "digits" and train.classes == 2
    codes, labels = train.arrays()
    assert labels.tolist() == [1, 0]
    assert codes[0].tolist() == [[1, 0, 0, 0], [0, 0, 0, 1]]
    assert codes[1].tolist() == [[0, 0, 2, 0], [1, 0, 0, 0]]
    fine = data.load("spike-trains", tmp_path, steps=2, length=2, duration=4.0)
    assert fine.shape == (4, 2) and fine[1][0][0, 2].tolist() == [1, 0] and fine[1][0][1, 0].tolist() == [0, 1]


def test_the_last_spike_is_kept_where_nothing_is_said_of_the_duration(tmp_path: Path) -> None:
    np.savez(tmp_path / "train.npz", **LISTS)
    codes, _ = data.load("spike-trains", tmp_path, steps=3, clip=255).arrays()
    assert codes.sum() == 5 and codes[1, 2, 0] == 1


def test_tables_are_the_same_as_packed_lists(tmp_path: Path) -> None:
    rows = zip(LISTS["sample"], LISTS["neuron"], LISTS["time"], strict=True)
    (tmp_path / "test.csv").write_text("sample,neuron,time\n" + "".join(f"{s},{n},{t}\n" for s, n, t in rows))
    (tmp_path / "test-labels.csv").write_text("sample,label\n1,0\n0,1\n")
    np.savez(tmp_path / "train.npz", **LISTS)
    packed, table = (data.load("spike-trains", tmp_path, split=split, steps=3) for split in ("train", "test"))
    for first, second in zip(packed.arrays(), table.arrays(), strict=True):
        np.testing.assert_array_equal(first, second)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 2), st.integers(0, 4), st.floats(0, 12)), max_size=40),
    st.integers(1, 4),
    st.integers(0, 3),
    st.sampled_from([1, 3, 255]),
)
def test_bins_are_those_of_a_loop(spikes: list[tuple[int, int, float]], steps: int, length: int, clip: int) -> None:
    ordered = sorted(spikes, key=lambda spike: spike[0])
    columns = [np.array([spike[index] for spike in ordered]) for index in range(3)]
    lists = SpikeLists(columns[0].astype(int), columns[1].astype(int), columns[2].astype(float), np.zeros(3, int))
    options = Options(steps, length, neurons=5, duration=10.0, clip=clip)
    for sample in range(3):
        expected = np.zeros((steps, 5, max(length, 1)), int)
        for owner, neuron, time in spikes:
            if owner == sample and time < 10:
                place = min(int(time * steps * max(length, 1) / 10.0), steps * max(length, 1) - 1)
                expected[place // max(length, 1), neuron, place % max(length, 1)] += 1
        clipped = np.minimum(expected, clip)
        np.testing.assert_array_equal(binned(lists, sample, options), clipped if length else clipped[..., 0])


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"sample": np.array([0, 0, 0, 0, 2])}, r"beyond 0\.\.1"),
        ({"neuron": np.array([0, 0, -1, 0, 2])}, "negative neuron"),
        ({"time": np.array([0, 0, np.nan, 0, 2])}, "below 0, or none"),
        ({"time": np.array([0, 0, -0.5, 0, 2])}, "below 0"),
        ({"label": np.array([0, -1])}, "class -1"),
        ({"label": np.zeros(0, int)}, "no sample"),
        ({"neuron": np.array([0.5] * 5)}, "must hold integers"),
        ({"time": np.array(["a"] * 5)}, "must hold numbers"),
        ({"time": np.zeros(4)}, "of one length"),
    ],
)
def test_wrong_lists(changes: dict[str, np.ndarray], words: str, tmp_path: Path) -> None:
    np.savez(tmp_path / "train.npz", **{**LISTS, **changes})
    with pytest.raises(InputError, match=words) as found:
        data.load("spike-trains", tmp_path)
    assert "train.npz" in found.value.where


@pytest.mark.parametrize(
    ("spikes", "labels", "words", "where"),
    [
        ("sample,neuron,time\n0,1\n", "sample,label\n0,0\n", "not sample,neuron,time", "train.csv:2"),
        ("sample,neuron,time\n0,1,x\n", "sample,label\n0,0\n", "not sample,neuron,time", "train.csv:2"),
        ("sample,time\n", "sample,label\n0,0\n", "first line must be", "train.csv"),
        ("", "sample,label\n0,0\n", "first line must be", "train.csv"),
        ("sample,neuron,time\n0,1,2\n", "sample,label\n1,0\n", "numbered 0, 1, 2", "train-labels.csv"),
        ("sample,neuron,time\n0,1,2\n", None, "no such file", "train-labels.csv"),
        ("sample,neuron,time\n", "sample,label\n0,0\n", "no spike to measure by", ""),
    ],
)
def test_wrong_tables(spikes: str, labels: str | None, words: str, where: str, tmp_path: Path) -> None:
    (tmp_path / "train.csv").write_text(spikes)
    if labels is not None:
        (tmp_path / "train-labels.csv").write_text(labels)
    with pytest.raises(SpqcError, match=words) as found:
        data.load("spike-trains", tmp_path)
    assert found.value.where.endswith(where)


def test_more_neurons_than_said(tmp_path: Path) -> None:
    np.savez(tmp_path / "train.npz", **LISTS)
    with pytest.raises(InputError, match="neuron 3, of 3"):
        data.load("spike-trains", tmp_path, neurons=3)


def test_an_index_that_is_no_neuron_is_refused(tmp_path: Path) -> None:
    one = np.zeros(1, np.int64)
    np.savez(tmp_path / "train.npz", sample=one, neuron=one + 10**12, time=one, label=one)
    with pytest.raises(UsageError, match="neurons must be between 1 and 1e\\+07"):
        data.load("spike-trains", tmp_path)
