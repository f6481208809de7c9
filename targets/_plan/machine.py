"""The machine that kernels are planned for."""

from __future__ import annotations

from dataclasses import dataclass

_PIECES = 4  # tasks per thread; more than one, so that idle threads can steal work


@dataclass(frozen=True)
class Machine:
    """What generated code may use: CPU features in LLVM's words, threads, and `cpu`, the processor's name."""

    features: frozenset[str]
    threads: int = 1
    cpu: str = ""

    @property
    def tasks(self) -> int:
        """How many tasks a parallel loop has."""
        return _PIECES * self.threads
