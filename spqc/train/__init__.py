"""Training of quantised spiking networks."""

from __future__ import annotations

from .loop import LayerReport, TrainReport
from .run import train

__all__ = ["LayerReport", "TrainReport", "train"]
