"""What this installation offers: plug-ins, operators, models, each with one line and its options."""

from __future__ import annotations

import dataclasses
import inspect
import typing
from dataclasses import dataclass, field
from typing import Any

from spqc.foundation.errors import UsageError
from spqc.foundation.options import format_value, nearest
from spqc.ir import OPERATORS
from spqc.plugins import registry
from spqc.train import data
from spqc.train.presets import PRESETS

KINDS = (*registry.KINDS, "models", "operators", "data", "presets")


@dataclass(frozen=True)
class Entry:
    """One thing by its name; `options` maps each option to its type and default, as text."""

    name: str
    summary: str
    options: dict[str, str] = field(default_factory=dict)


def entries(kind: str, name: str | None = None) -> list[Entry]:
    """Return everything of a kind, or the one that is named; UsageError with the nearest name."""
    if kind not in KINDS:
        raise UsageError(f"there is nothing called '{kind}' to list", hint=nearest(kind, KINDS))
    names = _names(kind)
    if name is not None and name not in names:
        raise UsageError(f"there is no '{name}' among the {kind}", hint=nearest(name, names))
    return [_entry(kind, one, name is not None) for one in names if name in (None, one)]


def _names(kind: str) -> list[str]:
    if kind == "operators":
        return sorted(OPERATORS)
    if kind == "models":
        return _models()
    if kind == "data":
        return data.available()
    if kind == "presets":
        return list(PRESETS)
    return list(registry.available(kind))  # type: ignore[arg-type]


def _models() -> list[str]:
    try:
        from spqc.nn import models
    except ImportError as error:
        raise UsageError(f"models need {error.name}", hint="pip install 'spqc[torch]'") from None
    return models.available()


def _entry(kind: str, name: str, alone: bool) -> Entry:
    if kind == "models":
        from spqc.nn import models

        return Entry(name, _first_line(models.find(name)))
    if kind == "operators":
        return Entry(name, _first_line(OPERATORS[name]), _options(OPERATORS[name], 3))
    if kind == "data":
        known = data.find(name)
        files = f"; reads {known.files}, from {known.source}" if alone and known.files else ""
        return Entry(name, known.summary + files, _options(known.options))
    if kind == "presets":
        return Entry(name, PRESETS[name].summary)
    cls = registry.load(kind, name)  # type: ignore[arg-type]
    return Entry(name, _first_line(cls), _options(cls) if dataclasses.is_dataclass(cls) else {})


def _first_line(thing: Any) -> str:
    return (inspect.getdoc(thing) or "").partition("\n")[0]


def _options(cls: Any, skip: int = 0) -> dict[str, str]:
    hints = typing.get_type_hints(cls)
    shown = {}
    for option in dataclasses.fields(cls)[skip:]:
        hint = hints[option.name]
        choices = typing.get_args(hint) if typing.get_origin(hint) is typing.Literal else ()
        kind = "|".join(map(str, choices)) if choices else getattr(hint, "__name__", str(hint))
        if typing.get_args(hint) and not choices:
            kind = str(hint)
        default = "" if option.default is dataclasses.MISSING else f" = {format_value(option.default)}"
        shown[option.name.replace("_", "-")] = kind + default
    return shown
