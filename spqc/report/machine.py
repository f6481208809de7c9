"""Results for programs: one JSON object with a versioned schema."""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path
from typing import Any


def to_json(command: str, result: Any, *, leave_out: tuple[str, ...] = ()) -> str:
    """Return one JSON object: `schema` is `spqc.<command>/1`, the other keys are the fields of the result."""
    fields = result if isinstance(result, dict) else fields_of(result)
    kept = {key: value for key, value in fields.items() if key not in leave_out}
    return json.dumps({"schema": f"spqc.{command}/1", **_plain(kept)}, indent=2, allow_nan=False)


def fields_of(result: Any) -> dict[str, Any]:
    """Return the fields of a dataclass and its properties."""
    fields = {f.name: getattr(result, f.name) for f in dataclasses.fields(result)}
    own = [name for name, value in vars(type(result)).items() if isinstance(value, property)]
    return fields | {name: getattr(result, name) for name in own}


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return _plain(fields_of(value))
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return str(value) if isinstance(value, Path) else value
