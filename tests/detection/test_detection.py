"""Boxes, suppression and average precision against cases by hand and plain loops."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.event_files import boxes_file, dat, random_events

from spqc.foundation.errors import InputError
from spqc.train import data
from spqc.train.detection import (
    Head,
    average_precision,
    decode,
    encode,
    mean_average_precision,
    overlaps,
    suppress,
)

HEAD = Head()
FRAME = (223, 287)

side = st.integers(0, 6)
box = st.tuples(st.integers(0, 1), st.integers(0, 8), st.integers(0, 8), side, side)
scored = st.tuples(box, st.sampled_from([0.1, 0.5, 0.5, 0.9])).map(lambda pair: (*pair[0], pair[1]))


def pixel_overlap(a: tuple[float, ...], b: tuple[float, ...]) -> float:
    """Count pixels that two boxes of whole numbers share."""
    first, second = (
        {(x, y) for x in range(int(c[0]), int(c[0] + c[2])) for y in range(int(c[1]), int(c[1] + c[3]))} for c in (a, b)
    )
    return len(first & second) / len(first | second) if first | second else 0.0


@settings(deadline=None)
@given(st.lists(box, min_size=1, max_size=5), st.lists(box, min_size=1, max_size=5))
def test_overlaps_are_those_of_counted_pixels(first: list[tuple[int, ...]], second: list[tuple[int, ...]]) -> None:
    found = overlaps(np.array(first)[:, 1:], np.array(second)[:, 1:])
    np.testing.assert_allclose(found, [[pixel_overlap(a[1:], b[1:]) for b in second] for a in first], atol=1e-12)


def written(boxes: np.ndarray, head: Head = HEAD, sure: float = 9.0) -> np.ndarray:
    """Write boxes into logits by the words of the layout; a second box of a cell takes its second slot."""
    cells = np.zeros((head.rows, head.columns, head.values))
    cells[..., 4 * head.boxes : 5 * head.boxes] = -20
    used: dict[tuple[int, int], int] = {}
    targets = encode(head, boxes, FRAME)
    for row, column, label, place in zip(targets.row, targets.column, targets.label, targets.place, strict=True):
        slot = used.setdefault((row, column), 0)
        used[row, column] += 1
        for part in range(4):
            cells[row, column, part * head.boxes + slot] = place[part]
        cells[row, column, 4 * head.boxes + slot] = sure
        cells[row, column, 5 * head.boxes + label] = 50
    return cells.reshape(1, -1)


def test_boxes_go_into_logits_and_come_back() -> None:
    boxes = np.array([[0, 10, 20, 60, 50], [1, 200, 100, 30, 80], [1, 201, 101, 30, 80], [0, 0, 0, 287, 223.0]])
    for logits, scale in ((written(boxes), 1.0), (np.repeat(written(boxes)[:, None], 3, axis=1), 1.0)):
        (found,) = decode(HEAD, logits, FRAME, 0.5, scale)
        order = np.lexsort(found[:, :5].T)
        np.testing.assert_allclose(found[order, :5], boxes[np.lexsort(boxes.T)], atol=1e-9)
        np.testing.assert_allclose(found[:, 5], 1 / (1 + math.exp(-9)))


def test_integer_logits_times_a_scale() -> None:
    boxes = np.array([[1, 30, 40, 50, 60.0]])
    integers = np.rint(written(boxes) * 4096).astype(np.int32)
    (found,) = decode(HEAD, integers, FRAME, 0.5, 1 / 4096)
    np.testing.assert_allclose(found[:, :5], boxes, atol=0.1)


def test_boxes_are_cut_at_the_border_and_thin_ones_left_out() -> None:
    logits = written(np.array([[0, 0, 0, 40, 40.0]])).reshape(HEAD.rows, HEAD.columns, HEAD.values)
    targets = encode(HEAD, np.array([[0, 0, 0, 40, 40.0]]), FRAME)
    cell = logits[targets.row[0], targets.column[0]]
    cell[4] = cell[6] = 1.0  # as large as the frame
    (found,) = decode(HEAD, logits.reshape(1, -1), FRAME, 0.5)
    assert found[0, 1:3].tolist() == [0, 0] and found[0, 3] == pytest.approx(20 + 287 / 2)
    cell[4] = 0.0
    assert len(decode(HEAD, logits.reshape(1, -1), FRAME, 0.5)[0]) == 0


def test_a_score_is_confidence_times_probability() -> None:
    logits = np.full((1, HEAD.rows, HEAD.columns, 12), 0.5)
    logits[..., 8:10], logits[..., 10], logits[..., 11] = -30, 1.0, 2.0
    logits[0, 2, 3, 9] = 0.7
    (found,) = decode(HEAD, logits.reshape(1, -1), FRAME)
    assert len(found) == 1 and found[0, 0] == 1
    assert found[0, 5] == pytest.approx(1 / (1 + math.exp(-0.7)) / (1 + math.exp(-1)))


def test_the_public_detector_has_576_outputs() -> None:
    assert HEAD.outputs == 576


def test_an_object_belongs_to_the_cell_of_its_centre() -> None:
    found = encode(HEAD, np.array([[1, 12, 8, 20, 16], [0, 60, 40, 10, 10]], np.float32), (60, 80))
    assert (found.row.tolist(), found.column.tolist(), found.label.tolist()) == ([1, 4], [2, 6], [1, 0])
    expected = [[0.6, 0.2, math.sqrt(16 / 60), 0.5], [0.5, 0.5, math.sqrt(1 / 6), math.sqrt(1 / 8)]]
    np.testing.assert_allclose(found.place, expected, rtol=1e-5)


def test_objects_of_a_cell_are_all_kept_and_none_leaves_the_last_cell() -> None:
    near = encode(HEAD, np.array([[0, 60, 40, 10, 10], [1, 58, 38, 14, 14]]), (60, 80))
    assert near.row.tolist() == [4, 4] and near.column.tolist() == [6, 6] and near.label.tolist() == [0, 1]
    edge = encode(HEAD, np.array([[0, 70, 50, 20, 20], [0, -5, -5, 10, 10]]), (60, 80))
    assert edge.row.tolist() == [5, 0] and edge.column.tolist() == [7, 0]
    assert edge.place[:, :2].tolist() == [[1, 1], [0, 0]]
    assert not len(encode(HEAD, np.zeros((0, 5), np.float32), (60, 80)).row)


@pytest.mark.parametrize(
    "bad", [[0, 1, 1, 0, 5], [2, 1, 1, 5, 5], [0.5, 1, 1, 5, 5], [0, 290, 1, 5, 5], [0, -9, 1, 5, 5]]
)
def test_boxes_that_are_no_targets(bad: list[float]) -> None:
    with pytest.raises(InputError, match="cannot be a target"):
        encode(HEAD, np.array([bad]), FRAME)


def test_logits_of_another_head() -> None:
    with pytest.raises(InputError, match="576"):
        decode(HEAD, np.zeros((1, 575)), FRAME)


def naive_suppression(found: list[tuple[float, ...]], limit: float) -> list[tuple[float, ...]]:
    left = sorted(found, key=lambda one: -one[5])
    kept: list[tuple[float, ...]] = []
    for one in left:
        if all(other[0] != one[0] or pixel_overlap(other[1:5], one[1:5]) <= limit for other in kept):
            kept.append(one)
    return kept


@settings(deadline=None)
@given(st.lists(scored, max_size=8), st.sampled_from([0.0, 0.3, 0.5]))
def test_suppression_is_that_of_a_loop(found: list[tuple[float, ...]], limit: float) -> None:
    assert suppress(np.array(found), limit).tolist() == [list(map(float, o)) for o in naive_suppression(found, limit)]


def naive_precision(found: list[list[tuple]], truth: list[list[tuple]], label: int, limit: float, rule: str) -> float:
    """Return the average precision by walking every found box in order of score, and every recall."""
    ranked = [(one, image, place) for image, many in enumerate(found) for place, one in enumerate(many)]
    ranked = [item for item in ranked if item[0][0] == label]
    ranked.sort(key=lambda item: (-item[0][5], item[1], item[2]))
    real = [[one for one in many if one[0] == label] for many in truth]
    total, taken, curve, hits = sum(map(len, real)), set(), [], 0
    if not total:
        return math.nan
    for number, (one, image, _) in enumerate(ranked, start=1):
        options = [i for i in range(len(real[image])) if rule == "voc" or (image, i) not in taken]
        best = max(options, key=lambda i: pixel_overlap(one[1:5], real[image][i][1:5]), default=None)
        new = best is not None and (image, best) not in taken
        if new and pixel_overlap(one[1:5], real[image][best][1:5]) >= limit:
            taken.add((image, best))
            hits += 1
        curve.append((hits, hits / number))
    if rule == "voc":
        return sum(max((p for h, p in curve if h >= k), default=0.0) for k in range(1, total + 1)) / total
    return sum(max((p for h, p in curve if 100 * h >= k * total), default=0.0) for k in range(101)) / 101


images = st.lists(st.tuples(st.lists(scored, max_size=5), st.lists(box, max_size=4)), min_size=1, max_size=3)


@settings(deadline=None, max_examples=200)
@given(images, st.sampled_from([0.3, 0.5, 0.75]), st.sampled_from(["voc", "coco"]))
def test_precision_is_that_of_a_loop(many: list[tuple[list, list]], limit: float, rule: str) -> None:
    found, truth = [list(one[0]) for one in many], [list(one[1]) for one in many]
    arrays = [[np.array(one, float).reshape(-1, n) for one in rows] for rows, n in ((found, 6), (truth, 5))]
    for label in (0, 1):
        expected = naive_precision(found, truth, label, limit, rule)
        assert average_precision(*arrays, label, limit, rule) == pytest.approx(expected, nan_ok=True)  # type: ignore[arg-type]


def test_precision_by_hand() -> None:
    """Two objects; found: right (0.9), wrong (0.8), right (0.7): precisions 1 and 2/3 at recalls 1/2 and 1."""
    truth = [np.array([[0, 0, 0, 10, 10], [0, 50, 50, 10, 10.0]])]
    found = [np.array([[0, 0, 0, 10, 10, 0.9], [0, 90, 90, 5, 5, 0.8], [0, 50, 50, 10, 10, 0.7]])]
    assert average_precision(found, truth, 0) == pytest.approx(0.5 * 1 + 0.5 * 2 / 3)
    assert average_precision(found, truth, 0, rule="coco") == pytest.approx((51 * 1 + 50 * 2 / 3) / 101)
    assert mean_average_precision(found, truth) == pytest.approx((51 * 1 + 50 * 2 / 3) / 101)
    assert mean_average_precision([np.zeros((0, 6))], truth) == 0
    assert math.isnan(mean_average_precision(found, [np.zeros((0, 5))]))
    twice = [np.array([[0, 0, 0, 10, 10, 0.9], [0, 0, 0, 10, 10, 0.9]])]
    assert mean_average_precision(twice, truth, "voc") == pytest.approx(0.5)
    with pytest.raises(InputError, match="2 images"):
        average_precision(found * 2, truth, 0)


def test_a_box_that_overlaps_by_sixty_percent_counts_at_three_of_ten_overlaps() -> None:
    truth, found = [np.array([[0, 0, 0, 10, 10.0]])], [np.array([[0, 0, 0, 10, 6.2, 0.5]])]
    assert mean_average_precision(found, truth) == pytest.approx(0.3)
    assert mean_average_precision(found, truth, "voc") == 1


def test_from_gen1_files_to_boxes_and_back(tmp_path: Path) -> None:
    (tmp_path / "test").mkdir()
    (tmp_path / "test" / "a_td.dat").write_bytes(dat(random_events(np.random.default_rng(0), 500, 304, 240, 700_000)))
    boxes_file(tmp_path / "test" / "a_bbox.npy", [(600_000, 10, 20, 60, 50, 0), (600_000, 200, 100, 30, 80, 1)])
    test = data.load("gen1", tmp_path, split="test", steps=2)
    assert test[0][0].shape == (2, 2, *FRAME) and test.boxes is not None
    truth = test.boxes(0)
    (found,) = decode(HEAD, written(truth), FRAME, 0.5)
    assert mean_average_precision([suppress(found)], [truth]) == pytest.approx(1)
