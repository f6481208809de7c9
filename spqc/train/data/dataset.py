"""What every data set looks like: numbered samples of integer codes with their classes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from spqc.foundation.errors import UsageError
from spqc.ir.inputs import Encoding

Codes = npt.NDArray[np.uint8]
Labels = npt.NDArray[np.int64]
Boxes = npt.NDArray[np.float32]


@dataclass(frozen=True)
class DataSet:
    """Samples of codes uint8 [T, *shape], or [*shape] where `steps` is None, each with a class 0..classes-1.

    shape: of one frame: [C, H, W]; [C, D, H, W] for patches of a cube; [C, L] for spike trains.
    encoding: what the codes mean (spqc.ir.inputs). read: gives the codes of one sample; files are read only then.
    boxes: the objects of one sample, float32 [n, 5] (class, x, y, w, h; corner and size in pixels of the frame), for
    detection sets; there the label is the class of the largest object.
    late: for each recording how many events, of those read so far, came too late in their file and were put in order.
    """

    name: str
    split: str
    description: str
    shape: tuple[int, ...]
    steps: int | None
    class_names: tuple[str, ...]
    encoding: Encoding
    labels: Labels = field(repr=False)
    read: Callable[[int], Codes] = field(repr=False)
    boxes: Callable[[int], Boxes] | None = field(default=None, repr=False)
    late: Labels | None = field(default=None, repr=False)

    @property
    def classes(self) -> int:
        """Return the number of classes."""
        return len(self.class_names)

    @property
    def sample_shape(self) -> tuple[int, ...]:
        """Return the shape of the codes of one sample."""
        return self.shape if self.steps is None else (self.steps, *self.shape)

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[Codes, int]:
        """Return codes and class of one sample; IndexError beyond the last, so that a loop ends."""
        place = range(len(self))[index]
        return self.read(place), int(self.labels[place])

    def arrays(self, indices: Sequence[int] | npt.NDArray[Any] | slice = slice(None)) -> tuple[Codes, Labels]:
        """Return codes [n, *sample_shape] and labels [n] of some samples, or of all."""
        chosen = np.arange(len(self))[indices]
        codes = np.empty((len(chosen), *self.sample_shape), np.uint8)
        for row, index in enumerate(chosen):
            codes[row] = self.read(int(index))
        return codes, self.labels[chosen]

    def subset(self, indices: Sequence[int] | npt.NDArray[Any] | slice) -> DataSet:
        """Return some of the samples, in the given order, as a data set."""
        chosen, read, boxes = np.arange(len(self))[indices], self.read, self.boxes
        return replace(
            self,
            labels=self.labels[chosen],
            read=lambda index: read(int(chosen[index])),
            boxes=None if boxes is None else lambda index: boxes(int(chosen[index])),
        )

    @property
    def repairs(self) -> str:
        """Return how many events of the samples read so far were put in order, in one line; "" where none was."""
        if self.late is None or not self.late.any():
            return ""
        late = (counted(int(self.late.sum()), "event"), counted(int(np.count_nonzero(self.late)), "sample"))
        return f"{' in '.join(late)} of '{self.name}' ({self.split}) came too late: put in order"

    def repeated(self, steps: int) -> DataSet:
        """Return static samples shown at each of `steps` time steps: codes [T, *shape]. UsageError for moving ones."""
        if self.steps is not None:
            raise UsageError(f"the samples of '{self.name}' have {self.steps} frames already: they cannot be repeated")
        if steps < 1:
            raise UsageError(f"steps must be 1 or more, not {steps}")
        read = self.read
        return replace(self, steps=steps, read=lambda index: np.repeat(read(index)[np.newaxis], steps, axis=0))


def counted(count: int, what: str) -> str:
    """Return a count and what is counted, in words."""
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def in_memory(codes: Codes) -> Callable[[int], Codes]:
    """Return the reader of samples that are all in one array [N, *sample_shape]."""
    return lambda index: codes[index]
