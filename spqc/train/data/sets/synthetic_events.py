"""Seeded events of small shapes that move: needs no files, is the same everywhere, and is not solved at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..dataset import Codes, DataSet
from ..known import Known, Request, require

SIDE = 16
DIRECTIONS = ("east", "south-east", "south", "south-west", "west", "north-west", "north", "north-east")
CLASSES = (*DIRECTIONS, "grows", "shrinks")

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Options:
    """steps: frames a sample; kept: share of true events; noise: chance of a false event a pixel, polarity and step."""

    steps: int = 10
    train_samples: int = 2000
    test_samples: int = 500
    kept: float = 0.7
    noise: float = 0.02
    seed: int = 0

    def __post_init__(self) -> None:
        require("steps", self.steps, 1, 1000)
        require("train_samples", self.train_samples, 1)
        require("test_samples", self.test_samples, 1)
        require("kept", self.kept, 0, 1)
        require("noise", self.noise, 0, 1)
        require("seed", self.seed, 0)


@dataclass(frozen=True)
class Motion:
    """One sample's shape: a bar that moves along `angle`, or a ring whose radius changes; lengths in pixels."""

    label: int
    x: float
    y: float
    angle: float
    speed: float
    length: float
    width: float

    def at(self, step: int) -> Mask:
        """Return the pixels [SIDE, SIDE] that the shape covers at a step; space wraps around."""
        row, column = np.mgrid[0:SIDE, 0:SIDE].astype(np.float64)
        along = step * self.speed
        if self.label >= len(DIRECTIONS):
            return self._ring(row, column, along if CLASSES[self.label] == "grows" else -along)
        dx = _wrapped(column - self.x - along * np.cos(self.angle))
        dy = _wrapped(row - self.y - along * np.sin(self.angle))
        forward = dx * np.cos(self.angle) + dy * np.sin(self.angle)
        across = dy * np.cos(self.angle) - dx * np.sin(self.angle)
        return np.asarray((np.abs(forward) <= self.width / 2) & (np.abs(across) <= self.length / 2))

    def _ring(self, row: npt.NDArray[np.float64], column: npt.NDArray[np.float64], along: float) -> Mask:
        radius = (self.length + along) % (SIDE / 2)
        distance = np.hypot(_wrapped(column - self.x), _wrapped(row - self.y))
        return np.asarray(np.abs(distance - radius) <= self.width / 2)


def _wrapped(offset: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return (offset + SIDE / 2) % SIDE - SIDE / 2


def _motion(label: int, rng: np.random.Generator) -> Motion:
    x, y, jitter, speed, length, width = rng.random(6)
    angle = (label + 0.4 * (jitter - 0.5)) * np.pi / 4
    return Motion(label, SIDE * x, SIDE * y, float(angle), 0.6 + 0.8 * speed, 4 + 5 * length, 1.5 + 1.5 * width)


def _sample(label: int, rng: np.random.Generator, options: Options) -> Codes:
    """Return frames [T, 2, SIDE, SIDE]: channel 0 where a pixel got darker, 1 where it got brighter."""
    motion = _motion(label, rng)
    covered = np.stack([motion.at(step) for step in range(options.steps + 1)])
    before, after = covered[:-1], covered[1:]
    true = np.stack([before & ~after, after & ~before], axis=1)
    seen = true & (rng.random(true.shape) < options.kept)
    return (seen | (rng.random(true.shape) < options.noise)).astype(np.uint8)


def _open(request: Request, options: Options) -> DataSet:
    part = request.known.splits.index(request.split)
    count = (options.train_samples, options.test_samples)[part]
    labels = np.random.default_rng((options.seed, part)).permutation(np.arange(count) % len(CLASSES))

    def read(index: int) -> Codes:
        return _sample(int(labels[index]), np.random.default_rng((options.seed, part, index + 1)), options)

    return DataSet(
        name=request.name,
        split=request.split,
        description=f"synthetic moving shapes, {request.split} samples (seed {options.seed})",
        shape=(2, SIDE, SIDE),
        steps=options.steps,
        class_names=CLASSES,
        encoding="spikes",
        labels=labels.astype(np.int64),
        read=read,
    )


DATA_SETS = {
    "synthetic-events": Known("shapes that move in 10 ways, events 2x16x16 over 10 steps; seeded", _open, Options)
}
