"""Where measurements are kept: the user's data folder, unless told otherwise."""

from __future__ import annotations

import os
from pathlib import Path


def data_folder() -> Path:
    """Return `$XDG_DATA_HOME/spqc`, by default `~/.local/share/spqc`."""
    base = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(base) / "spqc"


def records_path() -> Path:
    """Return the file of tuning records that `tune` writes and `compile` reads by default."""
    return data_folder() / "records.jsonl"


def rates_path() -> Path:
    """Return the file of fitted rates that `tune --fit` writes and `compile` reads."""
    return data_folder() / "rates.json"
