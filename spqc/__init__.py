"""spqc: the compiler for quantised spiking neural networks."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from spqc.foundation.version import __version__

_PUBLIC = {
    "Artifact": "Artifact",
    "BenchReport": "BenchReport",
    "Inspection": "Inspection",
    "VerifyReport": "VerifyReport",
    "bench": "bench",
    "compile": "compile",
    "doctor": "doctor",
    "inspect": "inspect",
    "list": "list_",
    "load": "load",
    "opt": "opt",
    "run": "run",
    "tune": "tune",
    "verify": "verify",
}

_MODULES = ("contracts", "errors", "ir", "nn", "options", "train")

__all__ = [
    "Artifact", "BenchReport", "Inspection", "VerifyReport", "__version__", "bench", "compile", "doctor", "inspect",
    "load", "opt", "run", "tune", "verify",
]  # fmt: skip

if TYPE_CHECKING:
    from spqc.api import (
        Artifact,
        BenchReport,
        Inspection,
        VerifyReport,
        bench,
        compile,
        doctor,
        inspect,
        load,
        opt,
        run,
        tune,
        verify,
    )


def __getattr__(name: str) -> Any:
    """Load the public functions and modules at their first use: `import spqc` alone costs nothing."""
    if name in _MODULES:
        return import_module(f"spqc.{name}")
    if name not in _PUBLIC:
        raise AttributeError(f"module 'spqc' has no attribute '{name}'")
    from spqc import api

    return getattr(api, _PUBLIC[name])


def __dir__() -> list[str]:
    return sorted({*globals(), *_PUBLIC, *_MODULES})
