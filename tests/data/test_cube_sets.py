"""Indian Pines, Pavia University and Salinas: .mat files with the official names, and damaged ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from spqc.foundation.errors import InputError, UsageError
from spqc.train import data
from spqc.train.data.cube import Cube, to_codes

scipy_io = pytest.importorskip("scipy.io")

RNG = np.random.default_rng(11)
SCENES = {
    "indian-pines": ("Indian_pines_corrected", "indian_pines_corrected", "Indian_pines_gt", "indian_pines_gt", 200, 16),
    "pavia-university": ("PaviaU", "paviaU", "PaviaU_gt", "paviaU_gt", 103, 9),
    "salinas": ("Salinas_corrected", "salinas_corrected", "Salinas_gt", "salinas_gt", 204, 16),
}


def write(root: Path, name: str, height: int = 14, width: int = 11) -> tuple[np.ndarray, np.ndarray]:
    image_file, image_name, truth_file, truth_name, bands, classes = SCENES[name]
    image = RNG.integers(900, 9000, (height, width, bands)).astype(np.uint16)
    truth = RNG.integers(0, classes + 1, (height, width)).astype(np.uint8)
    scipy_io.savemat(root / f"{image_file}.mat", {image_name: image}, do_compression=True)
    scipy_io.savemat(root / f"{truth_file}.mat", {truth_name: truth})
    return image, truth


@pytest.mark.parametrize("name", SCENES)
def test_every_labelled_pixel_is_a_patch_once(name: str, tmp_path: Path) -> None:
    image, truth = write(tmp_path, name)
    parts = [data.load(name, tmp_path, split=split, patch=3, train=0.4) for split in ("train", "test")]
    bands, classes = SCENES[name][4:]
    assert all(part.shape == (1, bands, 3, 3) and part.classes == classes for part in parts)
    assert sum(map(len, parts)) == (truth > 0).sum()
    low, high = image.min(axis=(0, 1)).astype(float), image.max(axis=(0, 1)).astype(float)
    codes = np.rint((image - low) * 255 / (high - low))
    places = [(r, c) for r in range(truth.shape[0]) for c in range(truth.shape[1]) if truth[r, c]]
    known = {codes[r, c].astype(np.uint8).tobytes(): (r, c) for r, c in places}
    seen = set()
    for part in parts:
        for patch, label in part:
            row, column = known[patch[0, :, 1, 1].tobytes()]
            seen.add((row, column))
            assert label == truth[row, column] - 1
            for down in (-1, 0, 1):
                for right in (-1, 0, 1):
                    at = [
                        abs(p) if p < size else 2 * size - 2 - p
                        for p, size in zip((row + down, column + right), truth.shape, strict=True)
                    ]
                    expected = codes[at[0], at[1]]
                    assert np.abs(patch[0, :, 1 + down, 1 + right] - expected).max() <= 0
    assert len(seen) == len(places)


def test_the_whole_cube_may_be_stretched_at_once() -> None:
    values = RNG.normal(size=(6, 5, 4))
    found = to_codes(values, per_band=False)
    np.testing.assert_array_equal(found, np.rint((values - values.min()) / (values.max() - values.min()) * 255))
    assert to_codes(np.full((2, 2, 1), 7.0), per_band=True).max() == 0


def test_other_seeds_give_other_pixels(tmp_path: Path) -> None:
    write(tmp_path, "salinas")
    first, again, other = (data.load("salinas", tmp_path, seed=seed).arrays()[0] for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert first.shape != other.shape or (first != other).any()


def test_wrong_scenes(tmp_path: Path) -> None:
    name, bands = "pavia-university", 103
    image, truth = np.zeros((6, 7, bands)), np.ones((6, 7))
    for changed, words in (
        ({"paviaU": image[..., 1:]}, r"103 bands, and 'paviaU' is \[6, 7, 102\]"),
        ({"paviaU": image[0]}, "103 bands"),
        ({"paviaU": np.where(np.arange(bands) == 5, np.nan, image)}, "NaN or infinity"),
        ({"paviaU": np.array(["no", "numbers"])}, "holds no numbers"),
        ({"pavia": image}, "holds pavia, and no 'paviaU'"),
        ({"paviaU_gt": truth[1:]}, r"map of classes is \[5, 7\], the image \[6, 7\]"),
        ({"paviaU_gt": truth * 10}, r"beyond 0\.\.9"),
        ({"paviaU_gt": truth / 2}, r"beyond 0\.\.9"),
        ({"paviaU_gt": truth * 0}, "knows no pixel"),
    ):
        files = {"PaviaU": {"paviaU": image}, "PaviaU_gt": {"paviaU_gt": truth}}
        key = next(iter(changed))
        files["PaviaU_gt" if key.endswith("gt") else "PaviaU"] = changed
        for file, content in files.items():
            scipy_io.savemat(tmp_path / f"{file}.mat", content)
        with pytest.raises(InputError, match=words) as found:
            data.load(name, tmp_path)
        assert "PaviaU" in found.value.where


def test_damaged_mat_files(tmp_path: Path) -> None:
    write(tmp_path, "indian-pines")
    path = tmp_path / "Indian_pines_corrected.mat"
    good = path.read_bytes()
    hdf = b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(124) + b"\x00\x02IM" + bytes(384) + b"\x89HDF\r\n\x1a\n"
    for content, words in (
        (b"", "empty"),
        (b"hello", "not a readable .mat"),
        (good[:150], "not a readable .mat"),
        (good[: len(good) // 2], "not a readable .mat"),
        (good[:200] + bytes(100) + good[300:], "not a readable .mat"),
        (hdf, "version 7.3"),
        (None, "no such file"),
    ):
        path.unlink() if content is None else path.write_bytes(content)
        with pytest.raises(InputError, match=words) as found:
            data.load("indian-pines", tmp_path)
        assert found.value.where == str(path)


def test_patches_larger_than_the_image() -> None:
    with pytest.raises(UsageError, match="do not fit"):
        Cube(np.zeros((3, 9, 2), np.uint8), np.ones((3, 9), np.int64)).padded(3)


@pytest.mark.parametrize("options", [{"patch": 2}, {"train": 2.0}, {"seed": -1}])
def test_wrong_options(options: dict[str, float], tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=next(iter(options))):
        data.load("salinas", tmp_path, **options)
