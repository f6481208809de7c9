"""The strategies of the CPU, found by their folders in `kernels`, and the choice among them."""

from __future__ import annotations

import pkgutil
from functools import cache
from importlib import import_module
from pathlib import Path

from spqc.targets._plan.choice import Chooser

from . import kernels
from .kernels.strategy import KernelStrategy


@cache
def strategies() -> dict[str, KernelStrategy]:
    """Return every strategy by its name: one for each folder that has a module `strategy`."""
    folders = sorted(m.name for m in pkgutil.iter_modules(kernels.__path__) if m.ispkg and _is_strategy(m.name))
    instances = [import_module(f"{kernels.__name__}.{name}.strategy").STRATEGY() for name in folders]
    return {strategy.name: strategy for strategy in instances}


def _is_strategy(folder: str) -> bool:
    return any((Path(path) / folder / "strategy.py").is_file() for path in kernels.__path__)


@cache
def chooser() -> Chooser:
    """Return the choice among all of them."""
    return Chooser(strategies())
