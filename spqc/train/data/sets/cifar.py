"""CIFAR-10 and CIFAR-100 (Krizhevsky, 2009)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from spqc.foundation.errors import InputError

from ..dataset import Codes, DataSet, Labels, in_memory
from ..files import folder_below
from ..formats.cifar import read_binary, read_matlab
from ..known import Known, Request

CIFAR10 = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")


@dataclass(frozen=True)
class Options:
    """subset: take files that hold fewer images than the official ones."""

    subset: bool = False


@dataclass(frozen=True)
class Version:
    """One of the two sets: where it unpacks to, the files of a split, images a file, bytes and name of the labels."""

    folders: tuple[str, ...]
    files: dict[str, tuple[str, ...]]
    images: dict[str, int]
    label_bytes: int
    label_name: str
    classes: int

    def open(self, request: Request, options: Options) -> DataSet:
        """Read the images of a split into memory."""
        folder = folder_below(request, *self.folders, ".")
        parts = [self._read(folder, name, request) for name in self.files[request.split]]
        for path, images, labels in parts:
            self._check(path, images, labels, request, options)
        images, labels = (np.concatenate([part[index] for part in parts]) for index in (1, 2))
        return DataSet(
            name=request.name,
            split=request.split,
            description=f"{request.split} images of '{request.name}'",
            shape=(3, 32, 32),
            steps=None,
            class_names=self._names(folder, request),
            encoding="pixels",
            labels=labels,
            read=in_memory(images),
        )

    def _read(self, folder: Path, name: str, request: Request) -> tuple[Path, Codes, Labels]:
        binary, matlab = folder / f"{name}.bin", folder / f"{name}.mat"
        if matlab.exists() and not binary.exists():
            return matlab, *read_matlab(matlab, self.label_name, request.get_it)
        if (folder / name).exists() and not binary.exists():
            raise InputError(
                "this is the Python version, a pickle, which could run any code when it is read",
                str(folder / name),
                request.get_it,
            )
        return binary, *read_binary(binary, self.label_bytes, request.get_it)

    def _check(self, path: Path, images: Codes, labels: Labels, request: Request, options: Options) -> None:
        official = self.images[request.split]
        if len(images) > official or (len(images) < official and not options.subset):
            raise InputError(
                f"the file holds {len(images)} images, the official one {official}",
                str(path),
                f"the option subset takes a part of the set; {request.get_it}",
            )
        if labels.max() >= self.classes or labels.min() < 0:
            first = int(np.argmax((labels >= self.classes) | (labels < 0)))
            raise InputError(f"image {first} has class {labels[first]}, of {self.classes}", str(path), request.get_it)

    def _names(self, folder: Path, request: Request) -> tuple[str, ...]:
        """Return the class names: for CIFAR-100 those of the file that comes along, where it does."""
        listed = folder / "fine_label_names.txt"
        if self.classes == len(CIFAR10):
            return CIFAR10
        if not listed.exists():
            return tuple(f"class {index}" for index in range(self.classes))
        names = tuple(listed.read_text(encoding="utf-8", errors="replace").split())
        if len(names) != self.classes:
            raise InputError(f"the file names {len(names)} classes, of {self.classes}", str(listed), request.get_it)
        return names


_BATCHES = tuple(f"data_batch_{index}" for index in range(1, 6))
_CIFAR10 = Version(
    ("cifar-10-batches-bin", "cifar-10-batches-mat", "cifar-10-batches-py"),
    {"train": _BATCHES, "test": ("test_batch",)},
    {"train": 10_000, "test": 10_000},
    1,
    "labels",
    10,
)
_CIFAR100 = Version(
    ("cifar-100-binary", "cifar-100-matlab", "cifar-100-python"),
    {"train": ("train",), "test": ("test",)},
    {"train": 50_000, "test": 10_000},
    2,
    "fine_labels",
    100,
)

DATA_SETS = {
    "cifar10": Known(
        "colour photographs, 32x32, 10 classes",
        _CIFAR10.open,
        Options,
        "data_batch_1.bin ... data_batch_5.bin and test_batch.bin (or the same as .mat)",
        "the binary (or MATLAB) version of CIFAR-10 (Krizhevsky, 2009)",
    ),
    "cifar100": Known(
        "colour photographs, 32x32, 100 classes",
        _CIFAR100.open,
        Options,
        "train.bin, test.bin and fine_label_names.txt (or train.mat and test.mat)",
        "the binary (or MATLAB) version of CIFAR-100 (Krizhevsky, 2009)",
    ),
}
