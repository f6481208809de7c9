"""CIFAR, ImageNet folders and plain arrays: small files in the exact formats, and damaged ones."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest

from spqc.foundation.errors import InputError, SpqcError, UsageError
from spqc.train import data

RNG = np.random.default_rng(3)


def cifar_bytes(images: np.ndarray, *labels: np.ndarray) -> bytes:
    """Write images [N, 3, 32, 32] with their labels, one byte after another."""
    content = bytearray()
    for index, image in enumerate(images):
        content += bytes(int(label[index]) for label in labels)
        for channel in image:
            for row in channel:
                content += bytes(int(pixel) for pixel in row)
    return bytes(content)


def images(count: int) -> np.ndarray:
    return RNG.integers(0, 256, (count, 3, 32, 32), dtype=np.uint8)


def write_cifar10(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    folder.mkdir(parents=True)
    x, y = images(12), RNG.integers(0, 10, 12)
    for index in range(5):
        part = slice(2 * index, 2 * index + 2)
        (folder / f"data_batch_{index + 1}.bin").write_bytes(cifar_bytes(x[part], y[part]))
    (folder / "test_batch.bin").write_bytes(cifar_bytes(x[10:], y[10:]))
    return x, y


@pytest.mark.parametrize("inside", [".", "cifar-10-batches-bin"])
def test_cifar10_binary(tmp_path: Path, inside: str) -> None:
    x, y = write_cifar10(tmp_path / "root" / inside)
    train = data.load("cifar10", tmp_path / "root", subset=True)
    test = data.load("cifar10", tmp_path / "root", split="test", subset=True)
    assert train.shape == (3, 32, 32) and train.steps is None and train.class_names[3] == "cat"
    found, labels = train.arrays()
    np.testing.assert_array_equal(found, x[:10])
    np.testing.assert_array_equal(labels, y[:10])
    np.testing.assert_array_equal(test.arrays()[0], x[10:])
    repeated = train.repeated(4).arrays([1, 2])[0]
    assert repeated.shape == (2, 4, 3, 32, 32) and (repeated == x[1:3, np.newaxis]).all()


def test_cifar100_binary_takes_the_fine_label(tmp_path: Path) -> None:
    x, coarse, fine = images(3), np.array([1, 19, 0]), np.array([99, 0, 50])
    (tmp_path / "train.bin").write_bytes(cifar_bytes(x, coarse, fine))
    train = data.load("cifar100", tmp_path, subset=True)
    np.testing.assert_array_equal(train.labels, fine)
    np.testing.assert_array_equal(train.arrays()[0], x)
    assert train.classes == 100 and train.class_names[5] == "class 5"
    (tmp_path / "fine_label_names.txt").write_text("\n".join(f"name{index}" for index in range(100)) + "\n")
    assert data.load("cifar100", tmp_path, subset=True).class_names[5] == "name5"
    (tmp_path / "fine_label_names.txt").write_text("apple\n")
    with pytest.raises(InputError, match="names 1 classes"):
        data.load("cifar100", tmp_path, subset=True)


def test_cifar_matlab(tmp_path: Path) -> None:
    scipy_io = pytest.importorskip("scipy.io")
    x, fine = images(4), np.array([[7], [8], [9], [99]], np.uint8)
    folder = tmp_path / "cifar-100-matlab"
    folder.mkdir()
    content = {"data": x.reshape(4, -1), "fine_labels": fine, "coarse_labels": fine // 5}
    scipy_io.savemat(folder / "test.mat", content)
    test = data.load("cifar100", tmp_path, split="test", subset=True)
    np.testing.assert_array_equal(test.arrays()[0], x)
    assert test.labels.tolist() == [7, 8, 9, 99]
    scipy_io.savemat(folder / "test.mat", {**content, "data": x.reshape(4, -1)[:, 1:]})
    with pytest.raises(InputError, match="'data' is uint8"):
        data.load("cifar100", tmp_path, split="test", subset=True)


def test_cifar_pickles_are_refused_unread(tmp_path: Path) -> None:
    (tmp_path / "cifar-10-batches-py").mkdir()
    path = tmp_path / "cifar-10-batches-py" / "test_batch"
    path.write_bytes(pickle.dumps({b"data": 1}))
    with pytest.raises(InputError, match="a pickle") as found:
        data.load("cifar10", tmp_path, split="test")
    assert found.value.where == str(path) and "binary" in found.value.hint


def test_broken_cifar_files(tmp_path: Path) -> None:
    write_cifar10(tmp_path / "root")
    third = tmp_path / "root" / "data_batch_3.bin"
    good = third.read_bytes()
    for content, words in (
        (b"", "empty"),
        (good[:-1], "cut off: 3072 bytes are left"),
        (good + b"\n", "cut off: 1 bytes are left"),
        (bytes([10]) + good[1:], "image 0 has class 10, of 10"),
        (None, "no such file"),
    ):
        third.unlink() if content is None else third.write_bytes(content)
        with pytest.raises(InputError, match=words) as found:
            data.load("cifar10", tmp_path / "root", subset=True)
        assert found.value.where == str(third) and "CIFAR-10 (Krizhevsky, 2009)" in found.value.hint
    third.write_bytes(good)
    with pytest.raises(InputError, match="holds 2 images, the official one 10000"):
        data.load("cifar10", tmp_path / "root")


def write_photograph(path: Path, height: int, width: int, mode: str = "RGB") -> np.ndarray:
    image_module = pytest.importorskip("PIL.Image")
    path.parent.mkdir(parents=True, exist_ok=True)
    image = image_module.fromarray(RNG.integers(0, 256, (height, width, 3), dtype=np.uint8)).convert(mode)
    image.save(path, "JPEG")
    return np.asarray(image_module.open(path).convert("RGB"))


def test_imagenet_folders(tmp_path: Path) -> None:
    shown = write_photograph(tmp_path / "train" / "n02" / "n02_1.JPEG", 24, 24)
    write_photograph(tmp_path / "train" / "n01" / "n01_7.JPEG", 40, 30, "L")
    write_photograph(tmp_path / "train" / "n01" / "n01_8.JPEG", 30, 50, "CMYK")
    write_photograph(tmp_path / "val" / "n02" / "ILSVRC2012_val_00000001.JPEG", 30, 30)
    write_photograph(tmp_path / "val" / "n01" / "ILSVRC2012_val_00000002.JPEG", 30, 30)
    train = data.load("imagenet", tmp_path, resize=24, size=16)
    assert train.class_names == ("n01", "n02") and train.labels.tolist() == [0, 0, 1]
    assert train.arrays()[0].shape == (3, 3, 16, 16)
    np.testing.assert_array_equal(train[2][0], shown[4:20, 4:20].transpose(2, 0, 1))
    assert data.load("imagenet", tmp_path, split="test", resize=24, size=16).labels.tolist() == [0, 1]
    only = data.load("imagenet", tmp_path, wnids=("n02",), resize=24, size=16)
    assert only.class_names == ("n02",) and len(only) == 1


def test_resizing_keeps_the_middle(tmp_path: Path) -> None:
    """A photograph that is left and right of one colour each is cut at its middle."""
    image_module = pytest.importorskip("PIL.Image")
    (tmp_path / "train" / "n01").mkdir(parents=True)
    wide = np.zeros((32, 96, 3), np.uint8)
    wide[:, 48:] = 200
    image_module.fromarray(wide).save(tmp_path / "train" / "n01" / "a.png")
    codes, _ = data.load("imagenet", tmp_path, resize=16, size=8)[0]
    assert codes.shape == (3, 8, 8) and (codes[:, :, :3] < 20).all() and (codes[:, :, 5:] > 180).all()


def test_broken_photographs(tmp_path: Path) -> None:
    path = tmp_path / "train" / "n01" / "a.JPEG"
    write_photograph(path, 64, 64)
    good = path.read_bytes()
    train = data.load("imagenet", tmp_path, resize=32, size=32)
    for content in (b"", b"hello", good[: len(good) // 2]):
        path.write_bytes(content)
        with pytest.raises(InputError, match="not a readable photograph") as found:
            train[0]
        assert found.value.where == str(path) and "ILSVRC 2012" in found.value.hint
    with pytest.raises(InputError, match="no folder") as found:
        data.load("imagenet", tmp_path, split="test")
    write_photograph(tmp_path / "val" / "ILSVRC2012_val_00000001.JPEG", 8, 8)
    with pytest.raises(InputError, match="without their classes"):
        data.load("imagenet", tmp_path, split="test")
    with pytest.raises(UsageError, match="resize"):
        data.load("imagenet", tmp_path, resize=8, size=16)
    with pytest.raises(InputError, match=r"no \.jpeg or"):
        data.load("imagenet", tmp_path, wnids=("n01", "n99"))


def test_arrays(tmp_path: Path) -> None:
    x, y = RNG.integers(0, 2, (5, 3, 2, 4, 4), dtype=np.uint8), np.array([0, 2, 1, 2, 0])
    np.savez(tmp_path / "train.npz", x=x, y=y)
    moving = data.load("arrays", tmp_path, moving=True, encoding="spikes", classes=4)
    assert moving.steps == 3 and moving.shape == (2, 4, 4) and moving.classes == 4
    np.testing.assert_array_equal(moving.arrays()[0], x)
    static = data.load("arrays", tmp_path)
    assert static.steps is None and static.shape == (3, 2, 4, 4) and static.classes == 3


@pytest.mark.parametrize(
    ("arrays", "options", "words"),
    [
        ({"x": np.zeros((2, 3), np.uint8)}, {}, "no 'y'"),
        ({"x": np.zeros((2, 3), np.float32), "y": np.zeros(2, int)}, {}, "'x' is float32"),
        ({"x": np.zeros((2, 3), np.uint8), "y": np.zeros(3, int)}, {}, "'y' int64"),
        ({"x": np.full((2, 3), 17, np.uint8), "y": np.zeros(2, int)}, {"encoding": "digits"}, "a code is 17"),
        ({"x": np.zeros((2, 3), np.uint8), "y": np.array([0, -1])}, {}, "class -1"),
        ({"x": np.zeros((2, 3), np.uint8), "y": np.array([0, 4])}, {"classes": 4}, "class 4"),
        ({"x": np.zeros((2, 3), np.uint8), "y": np.array([0, 1])}, {"moving": True}, "'x' is uint8"),
        ({"x": np.zeros((2, 3), np.uint8), "y": np.array([0, 1])}, {"encoding": "pixel"}, "encoding must be one of"),
    ],
)
def test_wrong_arrays(tmp_path: Path, arrays: dict[str, np.ndarray], options: dict[str, object], words: str) -> None:
    np.savez(tmp_path / "train.npz", **arrays)
    with pytest.raises(SpqcError, match=words):
        data.load("arrays", tmp_path, **options)
