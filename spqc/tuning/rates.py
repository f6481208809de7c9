"""The fitted rates of the cost function, one file for all CPUs of a user."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from pathlib import Path

from spqc.foundation.files import write_atomic

_LOG = logging.getLogger(__name__)
Fitted = Mapping[str, Mapping[str, Mapping[str, float]]]
"""Nanoseconds by CPU, strategy and feature."""


def read_rates(path: Path) -> dict[str, dict[str, dict[str, float]]]:
    """Return the rates in a file; none where there is none, or, aloud, where it cannot be understood."""
    if not path.exists():
        return {}
    try:
        document = json.loads(path.read_text())
        return {str(cpu): _of_cpu(entry["rates"]) for cpu, entry in document.items()}
    except (OSError, ValueError, KeyError, AttributeError, TypeError):
        _LOG.warning("warning: %s is no file of fitted rates: ignored; `spqc tune --fit` writes it", path)
        return {}


def _of_cpu(rates: Mapping[str, Mapping[str, float]]) -> dict[str, dict[str, float]]:
    return {str(strategy): {str(f): float(ns) for f, ns in features.items()} for strategy, features in rates.items()}


def write_rates(path: Path, cpu: str, entry: Mapping[str, object]) -> None:
    """Put one CPU's rates into the file, beside the others'."""
    try:
        kept = json.loads(path.read_text())
        kept = kept if isinstance(kept, dict) else {}
    except (OSError, ValueError):
        kept = {}
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(path, (json.dumps({**kept, cpu: entry}, indent=1, sort_keys=True) + "\n").encode())
