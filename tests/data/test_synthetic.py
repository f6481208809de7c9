"""The seeded sets: the same everywhere, balanced, and with classes that can be told apart."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import pytest

from spqc.foundation.errors import UsageError
from spqc.train import data
from spqc.train.data.sets import synthetic_cube, synthetic_events
from spqc.train.data.splits import stratified


def digest(*arrays: np.ndarray) -> str:
    return hashlib.sha256(b"".join(np.ascontiguousarray(array).tobytes() for array in arrays)).hexdigest()[:16]


def test_events_are_the_same_in_any_order_and_other_with_another_seed() -> None:
    train = data.load("synthetic-events", steps=4)
    codes, labels = train.arrays(range(20))
    np.testing.assert_array_equal(train[7][0], codes[7])
    np.testing.assert_array_equal(data.load("synthetic-events", steps=4).arrays(slice(20))[0], codes)
    assert codes.shape == (20, 4, 2, 16, 16)
    assert set(np.unique(codes)) == {0, 1}
    assert (data.load("synthetic-events", steps=4, seed=1).arrays(range(20))[0] != codes).any()
    assert (data.load("synthetic-events", steps=4, split="test").arrays(range(20))[0] != codes).any()
    assert labels.dtype == np.int64


def test_event_classes_are_balanced() -> None:
    labels = data.load("synthetic-events", train_samples=101).labels
    assert len(labels) == 101
    assert sorted(np.bincount(labels)) == [10] * 9 + [11]


def test_events_without_noise_follow_the_shape(monkeypatch: pytest.MonkeyPatch) -> None:
    """A pixel that got brighter is covered after the step and not before; the opposite where it got darker."""
    motions: list[synthetic_events.Motion] = []
    moving = synthetic_events.Motion

    def seen(*arguments: Any) -> synthetic_events.Motion:
        motions.append(moving(*arguments))
        return motions[-1]

    monkeypatch.setattr(synthetic_events, "Motion", seen)
    train = data.load("synthetic-events", steps=6, kept=1.0, noise=0.0, train_samples=40)
    for index in range(len(train)):
        codes, label = train[index]
        motion = motions[-1]
        assert motion.label == label
        for step in range(6):
            change = motion.at(step + 1).astype(int) - motion.at(step).astype(int)
            np.testing.assert_array_equal(codes[step, 1].astype(int) - codes[step, 0], change)


def test_a_bar_to_the_east_moves_to_the_east() -> None:
    motion = synthetic_events.Motion(0, x=4, y=8, angle=0, speed=1, length=5, width=1)
    for step in range(4):
        rows, columns = np.nonzero(motion.at(step))
        assert set(columns) == {4 + step} and set(rows) == {6, 7, 8, 9, 10}


def test_the_cube_is_seeded_and_its_patches_are_around_their_pixels() -> None:
    options = synthetic_cube.Options(side=16, bands=8, classes=3)
    cube = synthetic_cube.cube(options)
    assert digest(cube.codes, cube.labels) == digest(*vars(synthetic_cube.cube(options)).values())
    train = data.load("synthetic-cube", side=16, bands=8, classes=3)
    assert train.shape == (1, 8, 5, 5)
    labelled = [(r, c) for r in range(16) for c in range(16) if cube.labels[r, c]]
    middles = {tuple(cube.codes[r, c]): cube.labels[r, c] - 1 for r, c in labelled}
    for codes, label in train:
        assert middles[tuple(codes[0, :, 2, 2])] == label


def test_borders_are_mirrored() -> None:
    cube = synthetic_cube.cube(synthetic_cube.Options(side=8, bands=4, classes=2))
    padded = cube.padded(2)
    for row in range(-2, 10):
        for column in range(-2, 10):
            inside = [abs(at) if at < 8 else 14 - at for at in (row, column)]
            np.testing.assert_array_equal(padded[row + 2, column + 2], cube.codes[inside[0], inside[1]])


def test_train_and_test_pixels_are_disjoint_and_whole() -> None:
    labels = np.repeat([0, 1, 2, 3], [100, 10, 2, 1])
    train, test = stratified(labels, 0.2, seed=3)
    assert sorted([*train, *test]) == list(range(113))
    assert np.bincount(labels[train]).tolist() == [20, 2, 1, 1]
    assert (stratified(labels, 0.2, seed=4)[0] != train).any()


@pytest.mark.parametrize("options", [{"patch": 4}, {"train": 1.5}, {"side": 2}, {"noise": -1}])
def test_wrong_options_of_the_cube(options: dict[str, float]) -> None:
    with pytest.raises(UsageError, match=next(iter(options))):
        data.load("synthetic-cube", **options)
