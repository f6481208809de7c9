"""Gen1: DAT files with boxes beside them, as moments to look at."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from support.event_files import boxes_file, dat, naive_frames, random_events

from spqc.foundation.errors import InputError
from spqc.train import data
from spqc.train.data.formats.boxes import read_boxes

RNG = np.random.default_rng(5)
NAME = "17-03-30_12-53-58_122500000_182500000"
BOXES = [
    (100_000, 10.0, 20.0, 60.0, 50.0, 0),  # too early
    (600_000, 10.0, 20.0, 60.0, 50.0, 0),
    (600_000, 200.0, 100.0, 30.0, 80.0, 1),
    (700_000, 5.0, 5.0, 9.0, 90.0, 1),  # too narrow
    (800_000, -20.0, 200.0, 70.0, 60.0, 1),  # over the border
    (900_000, 400.0, 300.0, 50.0, 50.0, 0),  # outside
]


def write(root: Path, split: str = "train", old_names: bool = True) -> list[tuple[int, int, int, int]]:
    folder = root / split
    folder.mkdir(parents=True)
    events = random_events(RNG, 2000, 304, 240, 1_000_000)
    (folder / f"{NAME}_td.dat").write_bytes(dat(events))
    boxes_file(folder / f"{NAME}_bbox.npy", BOXES, old_names)
    return events


@pytest.mark.parametrize("old_names", [True, False])
def test_moments(tmp_path: Path, old_names: bool) -> None:
    events = write(tmp_path, old_names=old_names)
    train = data.load("gen1", tmp_path, steps=4, height=240, width=304)
    assert train.shape == (2, 240, 304) and train.class_names == ("car", "pedestrian")
    assert len(train) == 2 and train.labels.tolist() == [0, 1]
    assert train.boxes is not None
    assert train.boxes(0).tolist() == [[0, 10, 20, 60, 50], [1, 200, 100, 30, 80]]
    assert train.boxes(1).tolist() == [[1, 0, 200, 50, 40]]
    before = [one for one in events if 500_000 <= one[0] < 600_000]
    numbers = [(t - 500_000) * 4 // 100_000 for t, *_ in before]
    np.testing.assert_array_equal(train[0][0], naive_frames(before, numbers, 4, (240, 304), (240, 304), 1))


def test_boxes_shrink_with_the_frame(tmp_path: Path) -> None:
    write(tmp_path, "val")
    val = data.load("gen1", tmp_path, split="val", height=120, width=152)
    assert val.boxes is not None and val.boxes(0).tolist() == [[0, 5, 10, 30, 25], [1, 100, 50, 15, 40]]
    part = val.subset([1])
    assert part.boxes is not None and part.boxes(0).tolist() == [[1, 0, 100, 25, 20]]
    assert data.load("gen1", tmp_path, split="val").shape == (2, 223, 287)


def test_frames_by_count_and_by_window(tmp_path: Path) -> None:
    events = write(tmp_path)
    before = [one for one in events if 500_000 <= one[0] < 600_000]
    counted = data.load("gen1", tmp_path, steps=3, frame_by="count", clip=255)[0][0]
    assert counted.sum() == len(before)
    sizes = counted.sum(axis=(1, 2, 3))
    assert sizes.max() - sizes.min() <= 1
    windows = data.load("gen1", tmp_path, steps=3, window=10_000, clip=255)[0][0]
    assert windows.sum() == sum(t - before[0][0] < 30_000 for t, *_ in before)


def test_wrong_files(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no folder"):
        data.load("gen1", tmp_path)
    write(tmp_path)
    boxes = tmp_path / "train" / f"{NAME}_bbox.npy"
    good = boxes.read_bytes()
    for content, words in ((b"", "not a readable .npy"), (good[:-7], "not a readable .npy"), (None, "no such file")):
        boxes.unlink() if content is None else boxes.write_bytes(content)
        with pytest.raises(InputError, match=words) as found:
            data.load("gen1", tmp_path)
        assert found.value.where == str(boxes) and "GEN1" in found.value.hint
    boxes_file(boxes, [(600_000, 10.0, 20.0, 60.0, 50.0, 2)])
    with pytest.raises(InputError, match="class 2"):
        data.load("gen1", tmp_path)
    boxes_file(boxes, BOXES[:1])
    with pytest.raises(InputError, match="no box that is worth finding"):
        data.load("gen1", tmp_path)
    boxes_file(boxes, [])
    with pytest.raises(InputError, match="no box that is worth finding"):
        data.load("gen1", tmp_path)
    boxes_file(boxes, BOXES)
    train = data.load("gen1", tmp_path)
    for content, words in ((dat([], 720, 1280), "sensor of"), (dat([(550_000, 310, 1, 1)]), "x 310"), (b"", "empty")):
        (tmp_path / "train" / f"{NAME}_td.dat").write_bytes(content)
        with pytest.raises(InputError, match=words) as found:
            train[0]
        assert found.value.where.endswith("_td.dat")
    (tmp_path / "train" / f"{NAME}_td.dat").unlink()
    with pytest.raises(InputError, match=r"no \*_td\.dat file"):
        data.load("gen1", tmp_path)


def test_box_files_need_their_fields(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.zeros(3, np.dtype([("ts", "<u8"), ("x", "<f4"), ("w", "<f4"), ("h", "<f4")])))
    with pytest.raises(InputError, match="lacks y, class_id"):
        read_boxes(tmp_path / "a.npy")
    np.save(tmp_path / "a.npy", np.zeros(3))
    with pytest.raises(InputError, match="lacks x, y, w, h, class_id, ts or t"):
        read_boxes(tmp_path / "a.npy")
    boxes_file(tmp_path / "a.npy", [(1, np.nan, 0.0, 1.0, 1.0, 0)])
    with pytest.raises(InputError, match="NaN"):
        read_boxes(tmp_path / "a.npy")
    np.save(tmp_path / "a.npy", np.array([{"x": 1}]), allow_pickle=True)
    with pytest.raises(InputError, match="not a readable"):
        read_boxes(tmp_path / "a.npy")


def test_a_recording_that_ends_before_its_boxes_is_refused(tmp_path: Path) -> None:
    events = write(tmp_path)
    path = tmp_path / "train" / f"{NAME}_td.dat"
    path.write_bytes(dat([one for one in events if one[0] < 400_000]))
    train = data.load("gen1", tmp_path)
    for _ in range(2):
        with pytest.raises(InputError, match=r"the recording ends at 39\d{4} us, and there are boxes") as found:
            train[0]
        assert found.value.where == str(path)
    path.write_bytes(dat([]))
    with pytest.raises(InputError, match="the recording holds no events"):
        data.load("gen1", tmp_path)[0]


def test_a_box_of_a_class_below_0_is_refused(tmp_path: Path) -> None:
    write(tmp_path)
    boxes = tmp_path / "train" / f"{NAME}_bbox.npy"
    rows = np.load(boxes)
    names = rows.dtype.names
    signed = np.zeros(len(rows), [(name, "<i8" if name == "class_id" else rows.dtype[name]) for name in names])
    for name in names:
        signed[name] = rows[name]
    signed["class_id"][1] = -1
    np.save(boxes, signed)
    with pytest.raises(InputError, match="a box has class -1; there are 2"):
        data.load("gen1", tmp_path)
