"""What flows between layers: integer codes with a static scale."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Signal:
    """Codes 0..max of one sample and step; the real value of a code is `code * scale`."""

    shape: tuple[int, ...]
    scale: float
    max: int

    @property
    def size(self) -> int:
        """Return the number of codes at one step."""
        count = 1
        for extent in self.shape:
            count *= extent
        return count

    @property
    def plane(self) -> int:
        """Return the positions per channel (1 for a vector)."""
        return self.size // self.shape[0]


def spikes(shape: tuple[int, ...]) -> Signal:
    """Return the signal of a layer of spiking neurons."""
    return Signal(shape, scale=1.0, max=1)
