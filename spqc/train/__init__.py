"""Training of quantised spiking networks, and the data sets; only training needs torch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .evaluation import LayerReport
    from .run import TrainReport, train

__all__ = ["LayerReport", "TrainReport", "train"]


def __getattr__(name: str) -> Any:
    if name == "LayerReport":
        from .evaluation import LayerReport

        return LayerReport
    if name in ("TrainReport", "train"):
        from . import run

        return getattr(run, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
