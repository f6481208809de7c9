"""CIFAR10-DVS, N-Caltech101 and N-Cars: files in the exact formats read back, and damaged ones refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from support.event_files import AEDAT_HEADER, aedat, dat, naive_frames, random_events, saccades

from spqc.foundation.errors import InputError, SpqcError, UsageError
from spqc.train import data
from spqc.train.data.formats import aedat as aedat_format
from spqc.train.data.formats import npz, prophesee
from spqc.train.data.formats import saccades as saccades_format
from spqc.train.data.sets.dvs_cifar10 import CLASSES

RNG = np.random.default_rng(7)


def write_dvs(root: Path, count: int = 3) -> dict[str, list[tuple[int, int, int, int]]]:
    """Write a small CIFAR10-DVS and return the events by file name."""
    written = {}
    for name in CLASSES:
        (root / name).mkdir(parents=True)
        for index in range(count):
            events = random_events(RNG, 40, 128, 128)
            (root / name / f"cifar10_{name}_{index}.aedat").write_bytes(aedat(events))
            written[f"cifar10_{name}_{index}"] = events
    return written


def test_aedat_is_read_back(tmp_path: Path) -> None:
    events = random_events(RNG, 100, 128, 128)
    (tmp_path / "a.aedat").write_bytes(aedat(events))
    found = aedat_format.read(tmp_path / "a.aedat")
    assert sorted(zip(found.t, found.x, found.y, found.p, strict=True)) == sorted(events)


def test_aedat_leaves_out_what_is_no_camera_event(tmp_path: Path) -> None:
    special = (1 << 31).to_bytes(4, "big") + (7).to_bytes(4, "big")
    (tmp_path / "a.aedat").write_bytes(aedat([(5, 1, 2, 1)]) + special)
    assert len(aedat_format.read(tmp_path / "a.aedat")) == 1


def test_dvs_cifar10(tmp_path: Path) -> None:
    written = write_dvs(tmp_path, 4)
    train = data.load("dvs-cifar10", tmp_path, steps=3, train=0.75, frame_by="time")
    test = data.load("dvs-cifar10", tmp_path, split="test", steps=3, train=0.75)
    assert (len(train), len(test)) == (30, 10)
    assert train.shape == (2, 48, 48) and train.steps == 3 and train.encoding == "spikes"
    assert train.class_names == CLASSES
    assert np.bincount(train.labels).tolist() == [3] * 10
    found = {codes.tobytes() for part in (train,) for codes, _ in part}
    assert len(found) == 30
    codes, label = data.load("dvs-cifar10", tmp_path, numbered=True, split="test", steps=2, frame_by="time")[5]
    events = written["cifar10_automobile_1"]
    start, end = events[0][0], events[-1][0]
    numbers = [(t - start) * 2 // (end - start + 1) for t, *_ in events]
    assert label == 1
    np.testing.assert_array_equal(codes, naive_frames(events, numbers, 2, (128, 128), (48, 48), 1))


def test_dvs_cifar10_split_by_number(tmp_path: Path) -> None:
    write_dvs(tmp_path, 1)
    (tmp_path / "cat" / "cifar10_cat_100.aedat").write_bytes(aedat([(1, 2, 3, 1)]))
    assert len(data.load("dvs-cifar10", tmp_path, split="test", numbered=True)) == 10
    train = data.load("dvs-cifar10", tmp_path, numbered=True)
    assert train.labels.tolist() == [3]
    (tmp_path / "cat" / "cat.aedat").write_bytes(aedat([(1, 2, 3, 1)]))
    with pytest.raises(InputError, match="no number"):
        data.load("dvs-cifar10", tmp_path, numbered=True)


def test_dvs_cifar10_from_npz(tmp_path: Path) -> None:
    events = random_events(RNG, 30, 128, 128)
    t, x, y, p = np.array(events).T
    for name in CLASSES:
        (tmp_path / "events_np" / name).mkdir(parents=True)
        np.savez(tmp_path / "events_np" / name / "cifar10_0.npz", t=t, x=x, y=y, p=p)
    codes, _ = data.load("dvs-cifar10", tmp_path, steps=1, height=0, width=0)[0]
    np.testing.assert_array_equal(codes, naive_frames(events, [0] * 30, 1, (128, 128), (128, 128), 1))


def test_saccades_are_read_back(tmp_path: Path) -> None:
    events = random_events(RNG, 50, 240, 180, 1 << 23)
    (tmp_path / "a.bin").write_bytes(saccades(events))
    found = saccades_format.read(tmp_path / "a.bin")
    assert list(zip(found.t, found.x, found.y, found.p, strict=True)) == events


def test_the_row_240_is_time_that_passed(tmp_path: Path) -> None:
    (tmp_path / "a.bin").write_bytes(saccades([(9, 1, 2, 1), (0, 0, 240, 0), (5, 3, 4, 0)]))
    found = saccades_format.read(tmp_path / "a.bin")
    assert found.t.tolist() == [9, 8192 + 5] and found.x.tolist() == [1, 3]


def test_n_caltech101(tmp_path: Path) -> None:
    for name in ("accordion", "yin_yang", "BACKGROUND_Google"):
        folder = tmp_path / "Caltech101" / name
        folder.mkdir(parents=True)
        for index in range(5):
            (folder / f"image_{index:04}.bin").write_bytes(saccades(random_events(RNG, 30, 240, 180)))
    train = data.load("n-caltech101", tmp_path, train=0.8, clip=16)
    test = data.load("n-caltech101", tmp_path, split="test", train=0.8)
    assert (len(train), len(test)) == (12, 3)
    assert train.class_names == ("BACKGROUND_Google", "accordion", "yin_yang")
    assert train.shape == (2, 48, 64) and train.encoding == "digits"
    x, y = train.arrays()
    assert x.shape == (12, 10, 2, 48, 64) and y.tolist() == sorted(y)


def test_n_cars(tmp_path: Path) -> None:
    for split, names in (("train", ("cars", "background")), ("test", ("cars", "background"))):
        for name in names:
            folder = tmp_path / f"n-cars_{split}" / name
            folder.mkdir(parents=True)
            (folder / "obj_000001_td.dat").write_bytes(dat(random_events(RNG, 20, 120, 100), 100, 120))
    train = data.load("n-cars", tmp_path, steps=2)
    assert train.class_names == ("background", "cars") and train.shape == (2, 100, 120)
    assert len(train) == 2 and train[1][1] == 1 and train[1][0].sum() > 0
    with pytest.raises(InputError, match="n-cars_test"):
        data.load("n-cars", tmp_path / "n-cars_train", split="test")


def test_dat_is_read_back(tmp_path: Path) -> None:
    events = random_events(RNG, 60, 304, 240)
    (tmp_path / "a.dat").write_bytes(dat(events, kind=12))
    recording = prophesee.read(tmp_path / "a.dat")
    found = recording.all()
    assert recording.sensor == (240, 304) and len(recording) == 60
    assert list(zip(found.t, found.x, found.y, found.p, strict=True)) == events
    for start, stop in ((0, 1000), (100, 500), (500, 500), (2000, 3000)):
        part = recording.between(start, stop)
        assert part.t.tolist() == [t for t, *_ in events if start <= t < stop]


BROKEN: dict[str, tuple[bytes, Callable[[Path], object], str]] = {
    "aedat_empty": (b"", aedat_format.read, "the file is empty"),
    "aedat_foreign": (b"hello", aedat_format.read, "no AER-DAT file"),
    "aedat_4": (b"#!AER-DAT4.0\r\n" + bytes(64), aedat_format.read, "AER-DAT 4.0"),
    "aedat_cut": (aedat([(1, 2, 3, 0)])[:-3], aedat_format.read, "cut off: 5 bytes are left"),
    "aedat_header_only": (AEDAT_HEADER[:-2], aedat_format.read, ""),
    "saccades_empty": (b"", saccades_format.read, "the file is empty"),
    "saccades_cut": (saccades([(1, 2, 3, 0)] * 2)[:-1], saccades_format.read, "4 bytes are left"),
    "dat_empty": (b"", prophesee.read, "it is empty"),
    "dat_foreign": (b"GIF89a", prophesee.read, "does not begin with '% '"),
    "dat_header_cut": (dat([])[:20], prophesee.read, "cut off in its header"),
    "dat_no_type": (dat([])[:-2], prophesee.read, "type and size of the events are missing"),
    "dat_cut": (dat([(1, 2, 3, 0)])[:-1], prophesee.read, "7 bytes are left"),
    "dat_version": (dat([], version=1), prophesee.read, "version 1 are not known"),
    "dat_type": (dat([], kind=40), prophesee.read, "type 40 and 8 bytes"),
    "dat_size": (dat([]).replace(b"Height 240", b"Height tall"), prophesee.read, "no number"),
    "npz_foreign": (b"PK nothing", npz.read_events, "not a readable .npz"),
    "npz_empty": (b"", npz.read_events, "not a readable .npz"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_files_are_named(name: str, tmp_path: Path) -> None:
    content, read, words = BROKEN[name]
    path = tmp_path / "broken"
    path.write_bytes(content)
    if not words:
        assert len(read(path)) == 0  # type: ignore[arg-type]
        return
    with pytest.raises(InputError) as found:
        read(path)
    assert words in found.value.message and found.value.where == str(path)
    with pytest.raises(InputError, match="no such file"):
        read(tmp_path / "missing")


def test_npz_needs_arrays_that_fit_and_never_unpickles(tmp_path: Path) -> None:
    ones = np.ones(3, np.int64)
    for arrays, words in (
        ({"t": ones, "x": ones, "y": ones}, "no 'p'"),
        ({"t": ones, "x": ones, "y": ones, "p": ones[:2]}, "differ in shape"),
        ({"t": ones, "x": ones * 0.5, "y": ones, "p": ones}, "must be integers"),
        ({"t": ones, "x": np.array([{}, 1, 2]), "y": ones, "p": ones}, "not a readable .npz"),
    ):
        np.savez(tmp_path / "a.npz", **arrays)
        with pytest.raises(InputError, match=words):
            npz.read_events(tmp_path / "a.npz")


def test_a_broken_sample_names_its_file_and_where_to_get_it(tmp_path: Path) -> None:
    write_dvs(tmp_path, 2)
    path = tmp_path / "bird" / "cifar10_bird_0.aedat"
    whole = data.load("dvs-cifar10", tmp_path, split="test", numbered=True)
    for content, words in ((b"", "empty"), (AEDAT_HEADER, "no events"), (aedat([(1, 1, 1, 1)])[:-4], "cut off")):
        path.write_bytes(content)
        with pytest.raises(InputError, match=words) as found:
            whole[4]
        assert str(path) == found.value.where and "CIFAR10-DVS" in found.value.hint


def test_an_event_outside_the_sensor_names_the_file(tmp_path: Path) -> None:
    (tmp_path / "Caltech101" / "one").mkdir(parents=True)
    (tmp_path / "Caltech101" / "one" / "image_0001.bin").write_bytes(saccades([(1, 250, 3, 0)]))
    with pytest.raises(InputError, match="x 250") as found:
        data.load("n-caltech101", tmp_path)[0]
    assert "image_0001.bin" in found.value.where


def test_missing_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SPQC_DATA", raising=False)
    with pytest.raises(UsageError, match="no folder is named") as found:
        data.load("dvs-cifar10")
    assert "CIFAR10-DVS (Li et al., 2017)" in found.value.hint
    with pytest.raises(UsageError, match="there is no folder for"):
        data.load("dvs-cifar10", tmp_path / "none")
    with pytest.raises(InputError, match=r"no \.aedat or \.npz file") as broken:
        data.load("dvs-cifar10", tmp_path)
    assert "airplane" in broken.value.where
    monkeypatch.setenv("SPQC_DATA", str(tmp_path))
    write_dvs(tmp_path / "dvs-cifar10", 1)
    assert len(data.load("dvs-cifar10")) == 10


@pytest.mark.parametrize("name", ["dvs-cifar10", "n-caltech101"])
def test_frames_larger_than_the_sensor(name: str, tmp_path: Path) -> None:
    write_dvs(tmp_path, 1)
    with pytest.raises(SpqcError):
        data.load(name, tmp_path, height=1000)
