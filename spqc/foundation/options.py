"""Frozen dataclasses as text, `name{key=value key=value}`: one definition gives the Python call, text and check.

Values are int, float, bool, str, or a tuple of these (written `1|2|3`); `none` stands for an optional value left out.
"""

from __future__ import annotations

import dataclasses
import difflib
import re
import types
import typing
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

from spqc.foundation.errors import UsageError

T = TypeVar("T")

_CALL = re.compile(r"([A-Za-z][\w-]*)(?:\{([^{}]*)\})?")


def format_value(value: object) -> str:
    """Return the text of one option value."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple):
        return "|".join(format_value(item) for item in value)
    if isinstance(value, float):
        return repr(value).removesuffix(".0") if abs(value) < 1e15 else repr(value)
    return str(value)


def parse_value(hint: Any, text: str) -> Any:
    """Read `text` as a value of the annotated type `hint`; raises ValueError when it is none."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        if text == "none" and type(None) in arguments:
            return None
        return parse_value(next(a for a in arguments if a is not type(None)), text)
    if origin is tuple:
        return tuple(parse_value(arguments[0], item) for item in text.split("|") if item)
    if origin is typing.Literal:
        if text not in arguments:
            raise ValueError(f"one of {', '.join(map(str, arguments))}")
        return text
    if hint is bool:
        if text not in ("true", "false"):
            raise ValueError("true or false")
        return text == "true"
    return hint(text)


def nearest(name: str, known: Iterable[str]) -> str:
    """Return a hint that names the nearest known word, or all of them."""
    words = sorted(known)
    near = difflib.get_close_matches(name, words, n=1)
    return f"did you mean '{near[0]}'?" if near else f"known: {', '.join(words) or 'none'}"


GREATEST_SEED = 2**63 - 1


def require_seed(seed: int) -> int:
    """Return a seed; UsageError unless it is an integer that numpy's and torch's generators both take."""
    if isinstance(seed, bool) or not hasattr(seed, "__index__") or not 0 <= seed <= GREATEST_SEED:
        raise UsageError(f"the seed must be an integer in 0..2^63-1, not {seed!r}")
    return int(seed)


def fields_of(cls: type) -> dict[str, Any]:
    """Return the option names of a dataclass (as written in text) with their annotated types."""
    hints = typing.get_type_hints(cls)
    return {f.name.replace("_", "-"): hints[f.name] for f in dataclasses.fields(cls) if f.init}


def build(cls: type[T], name: str, values: Mapping[str, str]) -> T:
    """Make the dataclass `cls` from option texts; UsageError names an unknown option or a wrong value."""
    hints = fields_of(cls)
    parsed: dict[str, Any] = {}
    for key, text in values.items():
        word = key.replace("_", "-")
        if word not in hints:
            raise UsageError(f"'{name}' has no option '{key}'", hint=nearest(word, hints))
        try:
            parsed[word.replace("-", "_")] = parse_value(hints[word], text)
        except ValueError as error:
            raise UsageError(f"'{key}={text}' is not a value of '{name}'", hint=f"expected {error}") from None
    try:
        return cls(**parsed)
    except TypeError as error:
        raise UsageError(f"'{name}' lacks an option: {error}") from None


def split_call(text: str) -> tuple[str, dict[str, str]]:
    """Split `name{key=value ...}` into its name and option texts."""
    match = _CALL.fullmatch(text.strip())
    if match is None:
        raise UsageError(f"cannot read '{text}'", hint="write name or name{key=value key=value}")
    values: dict[str, str] = {}
    for item in (match[2] or "").replace(",", " ").split():
        key, equals, value = item.partition("=")
        if not equals:
            raise UsageError(f"option '{item}' of '{match[1]}' has no value", hint="write key=value")
        values[key] = value
    return match[1], values


def format_call(name: str, instance: Any) -> str:
    """Return `name{key=value ...}` of a dataclass, options at their defaults left out."""
    shown = []
    for field in dataclasses.fields(instance):
        value = getattr(instance, field.name)
        if field.init and value != field.default:
            shown.append(f"{field.name.replace('_', '-')}={format_value(value)}")
    return name + (f"{{{' '.join(shown)}}}" if shown else "")
