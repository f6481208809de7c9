"""What an arrangement is: one constant of the graph, in the byte order that one kind of kernel reads."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Generic, TypeVar

import numpy as np
import numpy.typing as npt

Integers = npt.NDArray[np.int64]
Laid = npt.NDArray[Any]

SIZES = {"uint8": 1, "int8": 1, "int16": 2, "int32": 4, "int64": 8}


@dataclass(frozen=True)
class Arrangement(ABC):
    """How the constant `name` lies in the kernels' memory, in elements of `dtype`; each form is a class.

    The recipe, not the array: an artifact keeps arrangements, and `layout` makes the bytes when it is loaded. Two
    requests that are equal in every field share one place.
    """

    name: str
    dtype: str
    form: ClassVar[str]

    @property
    @abstractmethod
    def count(self) -> int:
        """How many elements of `dtype` there are."""

    @property
    def bytes(self) -> int:
        return self.count * SIZES[self.dtype]

    @abstractmethod
    def layout(self, array: Integers) -> Laid:
        """Return the elements in their order, from the integers of the constant (OxCxKxL or OxI for weights)."""

    def slabs(self, array: Integers) -> list[Integers]:
        """Return an array as parts that may be laid out one after the other, so that little memory is taken at once."""
        return [array]

    def settings(self) -> dict[str, Any]:
        """Return the fields as JSON knows them; `from_settings` reads them."""
        return {"form": self.form, **asdict(self)}


A = TypeVar("A", bound=Arrangement, covariant=True)


@dataclass(frozen=True)
class Placed(Generic[A]):
    """An arrangement with its first byte in the kernels' constant memory."""

    arrangement: A
    offset: int

    @property
    def dtype(self) -> str:
        return self.arrangement.dtype

    @property
    def bytes(self) -> int:
        return self.arrangement.bytes

    def settings(self) -> dict[str, Any]:
        return {**self.arrangement.settings(), "offset": self.offset, "bytes": self.bytes}


def pad(array: Integers, axis: int, multiple: int, fill: int = 0) -> Integers:
    """Return an array whose length along an axis is a multiple, filled up at the end."""
    extra = -array.shape[axis] % multiple
    width = [(0, extra if i == axis else 0) for i in range(array.ndim)]
    return np.pad(array, width, constant_values=fill)
