"""Layers that read several others: sums of codes."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from spqc.foundation.errors import ModelError

from .signal import Signal


class Add(nn.Module):
    """An integer residual stream: the sum of two or more codes of one scale (spikes and spikes give 0..2)."""

    def __init__(self, sources: Sequence[Signal]) -> None:
        super().__init__()
        first = sources[0]
        for other in sources[1:]:
            _check_like(first, other)
        self.sources = tuple(sources)
        self.out = Signal(first.shape, first.scale, sum(source.max for source in sources))

    def forward(self, *codes: Tensor) -> Tensor:
        """Return the sum of codes [N, T, ...]."""
        total = codes[0]
        for more in codes[1:]:
            total = total + more
        return total


def _check_like(first: Signal, other: Signal) -> None:
    if other.shape != first.shape:
        raise ModelError(
            f"cannot add {list(other.shape)} to {list(first.shape)}", hint="the layers it reads must have one shape"
        )
    if other.scale != first.scale:
        raise ModelError(
            f"cannot add codes of scale {other.scale:g} to codes of scale {first.scale:g}",
            hint="add spikes to spikes; an average pooling divides the scale: pool both, or use max_pool",
        )
