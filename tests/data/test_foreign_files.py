"""Hidden files, and what archives and file managers leave behind, are no samples and no classes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from support.event_files import aedat, boxes_file, dat, random_events, saccades

from spqc.foundation.errors import InputError
from spqc.train import data
from spqc.train.data.sets.dvs_cifar10 import CLASSES

RNG = np.random.default_rng(11)
BOXES = [(600_000, 10.0, 20.0, 60.0, 50.0, 0)]


def put(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def dvs(root: Path) -> None:
    for name in CLASSES:
        for index in range(4):
            put(root / name / f"cifar10_{name}_{index}.aedat", aedat(random_events(RNG, 20, 128, 128)))


def caltech(root: Path) -> None:
    for name in ("accordion", "yin_yang"):
        for index in range(4):
            put(root / name / f"image_{index}.bin", saccades(random_events(RNG, 20, 240, 180)))


def cars(root: Path) -> None:
    for split in ("train", "test"):
        for name in ("cars", "background"):
            put(root / f"n-cars_{split}" / name / "a_td.dat", dat(random_events(RNG, 20, 120, 100), 100, 120))


def gen1(root: Path) -> None:
    for split in ("train", "test"):
        put(root / split / "a_td.dat", dat(random_events(RNG, 500, 304, 240, 1_000_000)))
        boxes_file(root / split / "a_bbox.npy", BOXES)


def photographs(root: Path) -> None:
    image = pytest.importorskip("PIL.Image")
    for split in ("train", "val"):
        for name in ("n01", "n02"):
            (root / split / name).mkdir(parents=True)
            image.new("RGB", (8, 8), (9, 8, 7)).save(root / split / name / "a.png")


SETS: dict[str, Callable[[Path], None]] = {
    "dvs-cifar10": dvs,
    "n-caltech101": caltech,
    "n-cars": cars,
    "gen1": gen1,
    "imagenet": photographs,
}


def litter(root: Path) -> None:
    """Put foreign files into every folder, and foreign folders with files that look like samples beside them."""
    for folder in [root, *[path for path in root.rglob("*") if path.is_dir()]]:
        samples = [path for path in folder.iterdir() if path.is_file()]
        for name in (".DS_Store", "Thumbs.db", "desktop.ini"):
            put(folder / name, b"foreign")
        for path in samples:
            put(folder / f"._{path.name}", b"\x00\x05\x16\x07 AppleDouble")
            put(folder / "__MACOSX" / f"._{path.name}", b"\x00\x05\x16\x07 AppleDouble")
            for hidden in (".ipynb_checkpoints", "@eaDir", "__MACOSX"):
                put(folder / hidden / path.name, path.read_bytes())
        for hidden in (".git", "__MACOSX", "lost+found"):
            (folder / hidden).mkdir(exist_ok=True)


@pytest.mark.parametrize("name", SETS)
def test_foreign_files_change_nothing(name: str, tmp_path: Path) -> None:
    SETS[name](tmp_path)
    options = {"size": 8, "resize": 8} if name == "imagenet" else {}
    splits = ("train", "test")
    before = [data.load(name, tmp_path, split, **options) for split in splits]
    expected = [(*part.arrays(), part.class_names) for part in before]
    litter(tmp_path)
    for split, (codes, labels, names) in zip(splits, expected, strict=True):
        found = data.load(name, tmp_path, split, **options)
        assert found.class_names == names and found.labels.tolist() == labels.tolist()
        np.testing.assert_array_equal(found.arrays()[0], codes)


def test_a_folder_of_foreign_files_alone_holds_nothing(tmp_path: Path) -> None:
    dvs(tmp_path)
    for path in (tmp_path / "cat").iterdir():
        path.rename(path.with_name(f"._{path.name}"))
    with pytest.raises(InputError, match="there is no"):
        data.load("dvs-cifar10", tmp_path)
    put(tmp_path / "other" / "__MACOSX" / "a.bin", saccades([(1, 2, 3, 0)]))
    with pytest.raises(InputError, match="no folder of a class"):
        data.load("n-caltech101", tmp_path / "other")


def test_a_class_to_test_on_that_is_not_trained_on_is_named(tmp_path: Path) -> None:
    photographs(tmp_path)
    (tmp_path / "val" / "n03").mkdir()
    with pytest.raises(InputError, match="the class 'n03' is not among"):
        data.load("imagenet", tmp_path, "test", size=8, resize=8)
    assert len(data.load("imagenet", tmp_path, "test", size=8, resize=8, wnids=("n01", "n02"))) == 2
