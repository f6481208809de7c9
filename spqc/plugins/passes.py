"""What rewrites graphs and programs."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

from spqc.ir.graph import Graph
from spqc.ir.program import Program

Module = Graph | Program


@dataclass(frozen=True)
class Pass(ABC):
    """A rewrite that keeps the meaning; its dataclass fields are its options."""

    name: ClassVar[str]

    @abstractmethod
    def run(self, module: Module) -> Module:
        """Return the rewritten module, or the same object when nothing changed."""
