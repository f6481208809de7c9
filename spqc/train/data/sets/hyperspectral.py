"""Hyperspectral scenes with a map of classes: Indian Pines, Pavia University, Salinas."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from spqc.foundation.errors import InputError

from ..cube import Cube, patches, to_codes
from ..dataset import DataSet
from ..formats.mat import read_mat
from ..known import Known, Request, require, require_odd


@dataclass(frozen=True)
class Options:
    """patch: pixels around the one to name; train: share of each class to train on, drawn with `seed`.

    per_band: stretch every band to 0..255, rather than the whole cube; over all pixels, known or not.
    """

    patch: int = 5
    train: float = 0.2
    seed: int = 0
    per_band: bool = True

    def __post_init__(self) -> None:
        require_odd("patch", self.patch)
        require("train", self.train, 0, 1)
        require("seed", self.seed, 0)


@dataclass(frozen=True)
class Scene:
    """One scene: its two files, the arrays in them, how many bands it has and what its classes are."""

    image: str
    image_name: str
    truth: str
    truth_name: str
    bands: int
    classes: tuple[str, ...]

    def open(self, request: Request, options: Options) -> DataSet:
        """Read the scene and return the patches of a split, uint8 [1, bands, patch, patch]."""
        folder = request.folder()
        cube = self.read(folder, options, request.get_it)
        return patches(request, cube, self.classes, options.patch, options.train, options.seed)

    def read(self, folder: Path, options: Options, hint: str = "") -> Cube:
        """Return the scene; InputError where the two files do not fit each other or the scene."""
        image_path, truth_path = folder / self.image, folder / self.truth
        image = read_mat(image_path, (self.image_name,), hint)[self.image_name]
        truth = read_mat(truth_path, (self.truth_name,), hint)[self.truth_name]
        if image.ndim != 3 or image.shape[2] != self.bands:
            raise InputError(
                f"the scene has {self.bands} bands, and '{self.image_name}' is {list(image.shape)}",
                str(image_path),
                hint,
            )
        if truth.shape != image.shape[:2]:
            raise InputError(
                f"the map of classes is {list(truth.shape)}, the image {list(image.shape[:2])}", str(truth_path), hint
            )
        labels = truth.astype(np.int64)
        if (labels != truth).any() or labels.min() < 0 or labels.max() > len(self.classes):
            raise InputError(f"the map of classes goes beyond 0..{len(self.classes)}", str(truth_path), hint)
        if not labels.any():
            raise InputError("the map of classes knows no pixel", str(truth_path), hint)
        try:
            return Cube(to_codes(image, options.per_band), labels)
        except InputError as error:
            raise InputError(error.message, str(image_path), hint) from None


_INDIAN_PINES = Scene(
    "Indian_pines_corrected.mat",
    "indian_pines_corrected",
    "Indian_pines_gt.mat",
    "indian_pines_gt",
    200,
    (
        "alfalfa", "corn, no till", "corn, min till", "corn", "grass, pasture", "grass, trees", "grass, pasture, mowed",
        "hay, windrowed", "oats", "soybean, no till", "soybean, min till", "soybean, clean", "wheat", "woods",
        "buildings, grass, trees, drives", "stone, steel, towers",
    ),
)  # fmt: skip
_PAVIA = Scene(
    "PaviaU.mat",
    "paviaU",
    "PaviaU_gt.mat",
    "paviaU_gt",
    103,
    (
        "asphalt", "meadows", "gravel", "trees", "painted metal sheets", "bare soil", "bitumen", "self-blocking bricks",
        "shadows",
    ),
)  # fmt: skip
_SALINAS = Scene(
    "Salinas_corrected.mat",
    "salinas_corrected",
    "Salinas_gt.mat",
    "salinas_gt",
    204,
    (
        "broccoli, green weeds 1", "broccoli, green weeds 2", "fallow", "fallow, rough plow", "fallow, smooth",
        "stubble", "celery", "grapes, untrained", "soil, vineyard, develop", "corn, senesced, green weeds",
        "lettuce, 4 weeks", "lettuce, 5 weeks", "lettuce, 6 weeks", "lettuce, 7 weeks", "vineyard, untrained",
        "vineyard, vertical trellis",
    ),
)  # fmt: skip


def _known(scene: Scene, name: str, sensor: str) -> Known:
    summary = f"patches 1x{scene.bands}x5x5 of the scene {name}, {len(scene.classes)} classes"
    source = f"{name}, {sensor}, of the Hyperspectral Remote Sensing Scenes (Grupo de Inteligencia Computacional)"
    return Known(summary, scene.open, Options, f"{scene.image} and {scene.truth}", source)


DATA_SETS = {
    "indian-pines": _known(_INDIAN_PINES, "Indian Pines", "AVIRIS"),
    "pavia-university": _known(_PAVIA, "Pavia University", "ROSIS"),
    "salinas": _known(_SALINAS, "Salinas", "AVIRIS"),
}
