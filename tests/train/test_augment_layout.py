"""Pictures are moved, series and feature vectors are not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spqc.foundation.errors import UsageError

pytest.importorskip("torch")
pytest.importorskip("sklearn")

from spqc.train import train

DENSE = [{"op": "flatten"}, {"op": "linear", "out": 4}, {"op": "linear"}]


def run(root: Path, shape: tuple[int, ...], moving: bool, kind: str, **words: Any) -> Any:
    rng = np.random.default_rng(0)
    for split in ("train", "test"):
        x = rng.integers(0, 256, (6, *((3,) if moving else ()), *shape), dtype=np.uint8)
        np.savez(root / f"{split}.npz", x=x, y=np.arange(6) % 2)
    layers = DENSE[1:] if len(shape) == 1 else DENSE
    options = {"layers": layers, "augment": kind, **words}
    data = "arrays{moving=true}" if moving else "arrays"
    return train("sequential", data=data, root=root, options=options, epochs=1, batch=6, out=root / "net.pt")


@pytest.mark.parametrize("moving", [False, True])
@pytest.mark.parametrize("kind", ["shift", "crop-flip"])
@pytest.mark.parametrize(("shape", "word"), [((12,), "a feature vector"), ((3, 9), "a series"), ((9, 9), "a series")])
def test_what_is_no_picture_is_refused(
    shape: tuple[int, ...], word: str, kind: str, moving: bool, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match=f"'{kind}' moves pictures .* is {word}") as found:
        run(tmp_path, shape, moving, kind)
    assert found.value.hint == "--set augment=none" and not list(tmp_path.glob("*.pt"))
    run(tmp_path, shape, moving, "none")


@pytest.mark.parametrize(
    ("shape", "kind", "fits"),
    [
        ((1, 6, 6), "crop-flip", True),
        ((1, 2, 5, 5), "crop-flip", True),
        ((1, 4, 9), "crop-flip", False),
        ((1, 1, 16), "shift", False),
        ((1, 16, 1), "shift", False),
        ((1, 2, 2), "shift", True),
    ],
)
def test_a_picture_is_larger_than_its_moves(shape: tuple[int, ...], kind: str, fits: bool, tmp_path: Path) -> None:
    if fits:
        run(tmp_path, shape, False, kind)
        return
    with pytest.raises(UsageError, match=f"those of 'arrays' have {shape[-2]}x{shape[-1]}"):
        run(tmp_path, shape, False, kind)


def test_pictures_that_are_read_as_something_else_stay(tmp_path: Path) -> None:
    for shape in ([64], [1, 4, 16], [8, 8]):
        with pytest.raises(UsageError, match="'shift' moves pictures, and those of 'arrays' are read as"):
            run(tmp_path, (1, 8, 8), False, "shift", in_shape=shape)
    run(tmp_path, (1, 8, 8), False, "none", in_shape=[1, 4, 16])
