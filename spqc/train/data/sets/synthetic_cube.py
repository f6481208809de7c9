"""A seeded hyperspectral cube: regions of a few materials with overlapping spectra, mixed at borders, with noise."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..cube import Cube, patches, to_codes
from ..dataset import DataSet
from ..known import Known, Request, require, require_odd

_REGIONS_PER_CLASS = 6
_UNKNOWN_SHARE = 0.3

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Options:
    """side: of the image, in pixels; contrast: how far spectra differ, where noise has deviation `noise`."""

    patch: int = 5
    side: int = 48
    bands: int = 32
    classes: int = 6
    contrast: float = 0.12
    noise: float = 0.12
    train: float = 0.3
    seed: int = 0

    def __post_init__(self) -> None:
        require_odd("patch", self.patch)
        require("side", self.side, 8, 1024)
        require("bands", self.bands, 2, 1024)
        require("classes", self.classes, 2, 100)
        require("contrast", self.contrast, 0, 100)
        require("noise", self.noise, 0, 100)
        require("train", self.train, 0, 1)
        require("seed", self.seed, 0)


def cube(options: Options) -> Cube:
    """Return the cube of a seed."""
    rng = np.random.default_rng(options.seed)
    materials = _regions(options, rng)
    spectra = _spectra(options, rng)
    clean = _blurred(spectra[materials])
    brightness = 1 + 0.1 * rng.standard_normal((options.side, options.side, 1))
    noisy = clean * brightness + options.noise * rng.standard_normal(clean.shape)
    labels = np.where(rng.random(materials.shape) < _UNKNOWN_SHARE, 0, materials + 1)
    return Cube(to_codes(noisy, per_band=True), labels)


def _regions(options: Options, rng: np.random.Generator) -> npt.NDArray[np.int64]:
    """Return the material of each pixel [side, side]: that of the nearest of some random centres."""
    centres = rng.random((_REGIONS_PER_CLASS * options.classes, 2)) * options.side
    row, column = np.mgrid[0 : options.side, 0 : options.side]
    distances = (row[..., np.newaxis] - centres[:, 0]) ** 2 + (column[..., np.newaxis] - centres[:, 1]) ** 2
    return np.asarray(distances.argmin(axis=2) % options.classes, np.int64)


def _spectra(options: Options, rng: np.random.Generator) -> Floats:
    """Return one spectrum a material [classes, bands]: a common one plus three bumps of its own."""
    band = np.linspace(0, 1, options.bands)
    common = 1 + 0.5 * np.sin(3 * band)
    centre, width, height = rng.random((3, options.classes, 3, 1))
    bumps = (2 * height - 1) * np.exp(-(((band - centre) / (0.05 + 0.15 * width)) ** 2))
    return np.asarray(common + options.contrast * bumps.sum(axis=1))


def _blurred(values: Floats) -> Floats:
    """Return a mean over 3x3 pixels: a sensor sees neighbours too."""
    padded = np.pad(values, ((1, 1), (1, 1), (0, 0)), mode="edge")
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(0, 1))
    return np.asarray(windows.mean(axis=(3, 4)))


def _open(request: Request, options: Options) -> DataSet:
    names = tuple(f"material {index}" for index in range(options.classes))
    return patches(request, cube(options), names, options.patch, options.train, options.seed)


DATA_SETS = {"synthetic-cube": Known("patches 1x32x5x5 of a noisy cube of 6 materials; seeded", _open, Options)}
