"""Spike attention: products of integer codes, no softmax (Spikformer)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from spqc.foundation.errors import ModelError

from .signal import Signal

_EXACT_FLOAT32 = 1 << 24


class Attention(nn.Module):
    """(Q K^T) V per head of three maps [C, H, W]: tokens are pixels, heads share out the channels.

    Emits the integers; `scale` moves into the scale of the codes. Training differentiates the products as they stand.
    """

    def __init__(self, sources: Sequence[Signal], heads: int, scale: float = 0.125) -> None:
        super().__init__()
        q, k, v = sources
        if not q.shape == k.shape == v.shape:
            raise ModelError(
                f"attention reads three maps alike, not {list(q.shape)}, {list(k.shape)} and {list(v.shape)}"
            )
        if q.shape[0] % heads:
            raise ModelError(f"{heads} heads cannot share {q.shape[0]} channels", hint="heads must divide the channels")
        self.sources, self.heads, self.scale = tuple(sources), heads, scale
        self.width, self.tokens = q.shape[0] // heads, q.plane
        highest = self.tokens * self.width * q.max * k.max * v.max
        self.out = Signal(q.shape, q.scale * k.scale * v.scale * scale, highest)

    def forward(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """Return the codes [N, T, C, H, W] of codes alike; exact in evaluation, whichever product comes first."""
        dtype = q.dtype if self.out.max < _EXACT_FLOAT32 or self.training else torch.float64
        split = (*q.shape[:2], self.heads, self.width, self.tokens)
        q_, k_, v_ = (codes.to(dtype).reshape(split) for codes in (q, k, v))
        turned = k_.transpose(-2, -1)
        product = (v_ @ turned) @ q_ if self.width < self.tokens else v_ @ (turned @ q_)
        return product.reshape(q.shape)
