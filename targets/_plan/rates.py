"""Fitted rates of the cost function: the user's for this CPU, else those that come with the package for its vectors."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

from spqc.plugins.target import Advice
from spqc.targets._plan.machine import Machine

Rates = Mapping[str, Mapping[str, float]]
"""Nanoseconds by strategy and feature."""


def rates_for(machine: Machine, advice: Advice) -> Rates:
    """Return the rates to predict with."""
    fitted = advice.rates.get(machine.cpu)
    return shipped(vectors(machine.features))["rates"] if fitted is None else fitted


def vectors(features: frozenset[str]) -> str:
    """Return the class of CPUs that share rates: by the widest vectors of integers."""
    if "avx512f" in features:
        return "avx512"
    return "avx2" if "avx2" in features else "sse"


@cache
def shipped(vectors: str = "avx512") -> dict[str, Any]:
    """Return the rates that were fitted where this package was made, with CPU, date and error."""
    fitted: dict[str, Any] = json.loads(files(__package__).joinpath("rates.json").read_text())[vectors]
    return fitted
