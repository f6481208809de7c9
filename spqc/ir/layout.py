"""How values between kernels lie in memory: a choice of the target, and part of every program."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from spqc.foundation.errors import UsageError

SingleSteps = Literal["bytes", "bits"]
_CONTAINERS = (8, 16, 32)


@dataclass(frozen=True)
class Layout:
    """The layout of a program's buffers.

    tile: channels of a pixel are padded to whole tiles of so many (1: none are). alignment: bytes; buffers begin and
    end on such a boundary. container: at least so many bits hold the spikes of one element in a window of steps.
    single: spikes of a single step take a byte each, or a bit, the channels of a pixel side by side.
    Raises UsageError for numbers that no memory has.
    """

    tile: int = 1
    alignment: int = 1
    container: int = 8
    single: SingleSteps = "bytes"

    def __post_init__(self) -> None:
        if self.tile < 1:
            raise UsageError(f"a tile has 1 channel or more, not {self.tile}")
        if self.alignment < 1 or self.alignment & (self.alignment - 1):
            raise UsageError(f"an alignment is a power of two of bytes, not {self.alignment}")
        if self.container not in _CONTAINERS:
            raise UsageError(f"a container has 8, 16 or 32 bits, not {self.container}")
        if self.single not in ("bytes", "bits"):
            raise UsageError(f"single steps take bytes or bits, not {self.single!r}")

    def padded(self, channels: int) -> int:
        """Return a channel count rounded up to whole tiles."""
        return -(-channels // self.tile) * self.tile

    def container_of(self, steps: int) -> int:
        """Return the bits of the container that holds so many steps of one element, up to 32."""
        return next(bits for bits in _CONTAINERS if bits >= max(steps, self.container))

    def __str__(self) -> str:
        words = [f"tile={self.tile}", f"alignment={self.alignment}"]
        words += [f"container={self.container}"] if self.container != Layout.container else []
        words += [f"single={self.single}"] if self.single != Layout.single else []
        return " ".join(words)


PLAIN = Layout()
"""Nothing is padded, and single steps take bytes."""
