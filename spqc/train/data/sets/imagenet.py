"""ImageNet (ILSVRC 2012) and every other set of photographs with one folder a class."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from spqc.foundation.errors import InputError, UsageError

from ..dataset import Codes, DataSet
from ..files import class_folders, folder_below, needing, subfolders
from ..known import Known, Request, require

_EIGHT_BITS = frozenset(("1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX", "RGBa", "CMYK", "YCbCr", "HSV"))
_WHITE = 65535
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
            image = in_colour(opened, str(path), hint)
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


def in_colour(image: Any, where: str = "", hint: str = "") -> Any:
    """Return a Pillow image in 8-bit red, green and blue; InputError for numbers whose white is not known.

    Grey of 16 bits is scaled (65535 is 255). Transparency is left out: the colours count that lie below it.
    """
    if image.mode in _EIGHT_BITS:
        return image.convert("RGB")
    deep = image.mode.startswith("I;16") or (image.mode == "I" and image.format == "PNG")
    values = np.asarray(image).astype(np.int64) if deep else np.zeros(0, np.int64)
    if not deep or values.min(initial=0) < 0 or values.max(initial=0) > _WHITE:
        raise InputError(
            f"a picture of Pillow's mode '{image.mode}' has no known white", where, hint or "save it with 8 or 16 bits"
        )
    return _pillow().fromarray(np.rint(values * (255 / _WHITE)).astype(np.uint8)).convert("RGB")


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
    classes = options.wnids or _classes(request)
    unknown = [] if options.wnids else sorted(set(subfolders(folder)) - set(classes))
    if unknown:
        raise InputError(f"the class '{unknown[0]}' is not among those to train on", str(folder), request.get_it)
    paths, labels, names = class_folders(request, folder, _SUFFIXES, classes)
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
    return subfolders(folder)


DATA_SETS = {
    "imagenet": Known(
        "photographs, cut to 224x224, one folder a class",
        _open,
        Options,
        "the folders train and val, each with one folder a class (WordNet number, n01440764) of .JPEG files",
        "ImageNet, ILSVRC 2012 (Russakovsky et al., 2015)",
    )
}
