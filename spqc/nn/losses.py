"""The temporal efficient training loss."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def tet(logits: Tensor, labels: Tensor, *, regulariser: float = 0.05, target: float = 1.0) -> Tensor:
    """Return (1 - lam) * mean_t CE(logits_t, labels) + lam * MSE(logits, target), lam = `regulariser`.

    logits [N, T, classes], labels [N]. Every step is trained to classify, not only the mean over time
    (Temporal Efficient Training; SpQuant-SNN uses lam 0.05 to 0.9 by network).
    """
    steps = logits.shape[1]
    each = F.cross_entropy(logits.flatten(0, 1), labels.repeat_interleave(steps))
    return (1.0 - regulariser) * each + regulariser * F.mse_loss(logits, torch.full_like(logits, target))
