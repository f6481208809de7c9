"""Training of quantised spiking networks, and the data sets; only training needs torch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .loop import LayerReport, TrainReport
    from .run import train

__all__ = ["LayerReport", "TrainReport", "train"]


def __getattr__(name: str) -> Any:
    if name in ("LayerReport", "TrainReport"):
        from . import loop

        return getattr(loop, name)
    if name == "train":
        from .run import train

        return train
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
