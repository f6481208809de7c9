"""Pictures of every mode that Pillow knows: 8-bit colours as they are, 16 bits scaled, all else refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spqc.foundation.errors import InputError
from spqc.train import data
from spqc.train.data.sets.imagenet import in_colour

Image = pytest.importorskip("PIL.Image")

GREY16 = np.array([[0, 257, 32896, 65535]], np.uint16)
GREY8 = [0, 1, 128, 255]


def load(folder: Path, picture: Any, name: str = "a.png", **saved: Any) -> np.ndarray:
    """Return the pixels [3, 4, 4] of a picture saved as the only one of a set."""
    (folder / "train" / "n01").mkdir(parents=True)
    picture.save(folder / "train" / "n01" / name, **saved)
    codes: np.ndarray = data.load("imagenet", folder, size=4, resize=4)[0][0]
    return codes


def square(picture: Any) -> Any:
    """Return a picture of 4 rows, each the given one."""
    stacked = np.repeat(np.asarray(picture), 4, axis=0)
    return Image.fromarray(stacked)


def test_grey_of_16_bits_is_scaled(tmp_path: Path) -> None:
    found = load(tmp_path, square(GREY16))
    assert found.tolist() == [[GREY8] * 4] * 3


@pytest.mark.parametrize("mode", ["I;16", "I;16L", "I;16B"])
def test_every_order_of_16_bits_is_scaled(mode: str) -> None:
    picture = Image.frombytes(mode, (4, 1), GREY16.astype(">u2" if mode == "I;16B" else "<u2").tobytes())
    assert np.asarray(in_colour(picture)).tolist() == [[[grey] * 3 for grey in GREY8]]


def test_16_bits_that_pillow_opens_as_32_are_scaled() -> None:
    picture = Image.fromarray(GREY16.astype(np.int32))
    assert picture.mode == "I"
    picture.format = "PNG"
    assert np.asarray(in_colour(picture)).tolist() == [[[grey] * 3 for grey in GREY8]]
    beyond = Image.fromarray(np.array([[65536]], np.int32))
    beyond.format = "PNG"
    with pytest.raises(InputError, match="mode 'I' has no known white"):
        in_colour(beyond)


@pytest.mark.parametrize(("mode", "kind"), [("I", np.int32), ("F", np.float32)])
def test_numbers_without_a_white_are_refused(mode: str, kind: type, tmp_path: Path) -> None:
    picture = Image.fromarray(np.ones((4, 4), kind))
    with pytest.raises(InputError, match=f"mode '{mode}' has no known white") as found:
        load(tmp_path, picture, format="TIFF")
    assert found.value.where.endswith("a.png")


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA"])
def test_colours_of_8_bits_are_as_they_were(mode: str, tmp_path: Path) -> None:
    white, black = Image.new("RGB", (4, 2), (255, 255, 255)), Image.new("RGB", (4, 2), (0, 0, 0))
    both = Image.new("RGB", (4, 4))
    both.paste(white, (0, 0))
    both.paste(black, (0, 2))
    found = load(tmp_path, both.convert(mode))
    assert found.tolist() == [[[255] * 4] * 2 + [[0] * 4] * 2] * 3


def test_cmyk_photographs_are_read(tmp_path: Path) -> None:
    found = load(tmp_path, Image.new("CMYK", (4, 4), (0, 0, 0, 255)), "a.jpg")
    assert found.max() <= 3  # all ink is black


def test_grey_of_few_bits_reaches_white(tmp_path: Path) -> None:
    found = load(tmp_path, Image.new("L", (4, 4), 255), bits=4)
    assert (found == 255).all()
