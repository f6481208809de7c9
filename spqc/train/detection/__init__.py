"""Detection with YOLO heads: boxes from logits, their loss, their suppression, and how good they are.

Boxes are rows: truth float [n, 5] (class, x, y, w, h), found float [n, 6] (class, x, y, w, h, score); x and y are the
upper left corner, all in pixels. Only `loss` needs torch.
"""

from __future__ import annotations

from .boxes import overlaps
from .head import Head, decode, encode
from .precision import average_precision, mean_average_precision
from .suppression import suppress

__all__ = ["Head", "average_precision", "decode", "encode", "mean_average_precision", "overlaps", "suppress"]
