"""ImageNet (ILSVRC 2012) and every other set of photographs with one folder a class."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from spqc.errors import InputError, UsageError

from ..dataset import Codes, DataSet
from ..files import class_folders, folder_below, needing
from ..known import Known, Request, require

_SUFFIXES = (".jpeg", ".jpg", ".png")


@dataclass(frozen=True)
class Options:
    """resize: pixels of the shorter side; size: of the square in the middle; wnids: only these classes, in order."""

    resize: int = 256
    size: int = 224
    wnids: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        require("size", self.size, 1, 4096)
        if self.resize < self.size:
            raise UsageError(f"resize must be at least size, {self.size}, not {self.resize}")


def _pillow() -> Any:
    from PIL import Image

    return Image


def read(path: Path, options: Options, hint: str = "") -> Codes:
    """Return a photograph as pixels uint8 [3, size, size]: resized (bilinear), then cut out of the middle."""
    image_module = needing("Pillow", "pip install 'spqc[data]'", _pillow)
    try:
        with image_module.open(path) as opened:
            image = opened.convert("RGB")
    except FileNotFoundError:
        raise InputError("there is no such file", str(path), hint) from None
    except (OSError, ValueError, SyntaxError, EOFError, image_module.DecompressionBombError) as error:
        raise InputError(f"this is not a readable photograph: {error}", str(path), hint) from None
    width, height = image.size
    ratio = options.resize / min(width, height)
    resized = image.resize(
        (max(round(width * ratio), options.resize), max(round(height * ratio), options.resize)),
        image_module.Resampling.BILINEAR,
    )
    left, top = (resized.width - options.size) // 2, (resized.height - options.size) // 2
    middle = resized.crop((left, top, left + options.size, top + options.size))
    return np.ascontiguousarray(np.asarray(middle, np.uint8).transpose(2, 0, 1))


def _open(request: Request, options: Options) -> DataSet:
    needing("Pillow", "pip install 'spqc[data]'", _pillow)
    part = "val" if request.split == "test" else request.split
    folder = folder_below(request, f"ILSVRC/Data/CLS-LOC/{part}", part)
    if part == "val" and any(folder.glob("ILSVRC2012_val_*.JPEG")):
        raise InputError(
            "the photographs lie in one folder, without their classes",
            str(folder),
            "sort them into one folder a class (WordNet number), as those to train on are",
        )
    paths, labels, names = class_folders(request, folder, _SUFFIXES, options.wnids or _classes(request))
    return DataSet(
        name=request.name,
        split=request.split,
        description=f"photographs of '{request.name}', {part}",
        shape=(3, options.size, options.size),
        steps=None,
        class_names=names,
        encoding="pixels",
        labels=labels,
        read=lambda index: read(paths[index], options, request.get_it),
    )


def _classes(request: Request) -> tuple[str, ...]:
    """Return the classes to train on, which number those to test on too."""
    folder = folder_below(request, "ILSVRC/Data/CLS-LOC/train", "train", "ILSVRC/Data/CLS-LOC/val", "val")
    return tuple(sorted(entry.name for entry in folder.iterdir() if entry.is_dir() and entry.name[0] != "."))


DATA_SETS = {
    "imagenet": Known(
        "photographs, cut to 224x224, one folder a class",
        _open,
        Options,
        "the folders train and val, each with one folder a class (WordNet number, n01440764) of .JPEG files",
        "ImageNet, ILSVRC 2012 (Russakovsky et al., 2015)",
    )
}
