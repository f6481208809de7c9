"""Fitted rates of the cost function: the user's for this CPU, else those that come with the package."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

from spqc.contracts import Advice

Rates = Mapping[str, Mapping[str, float]]
"""Nanoseconds by strategy and feature."""


def rates_for(cpu: str, advice: Advice) -> Rates:
    """Return the rates to predict with."""
    fitted = advice.rates.get(cpu)
    return shipped()["rates"] if fitted is None else fitted


@cache
def shipped() -> dict[str, Any]:
    """Return the rates that were fitted where this package was made, with CPU, date and error."""
    found: dict[str, Any] = json.loads(files(__package__).joinpath("rates.json").read_text())
    return found
