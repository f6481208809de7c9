"""Finds frontends, passes and targets: one module or package each, or an entry point of another distribution.

Built-in plug-ins are the modules of spqc.frontends, spqc.passes and spqc.targets; a module `fold_norm` provides the
plug-in `fold-norm` under the name PLUGIN. Others provide theirs with entry points of the group `spqc.<kind>`.
Listing names imports no plug-in.
"""

from __future__ import annotations

import pkgutil
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any, Literal, TypeVar

from spqc.foundation.errors import InternalError, UsageError
from spqc.foundation.options import build, nearest, split_call

Kind = Literal["frontends", "passes", "targets"]
KINDS: tuple[Kind, ...] = ("frontends", "passes", "targets")

_WORD: dict[Kind, str] = {"frontends": "frontend", "passes": "pass", "targets": "target"}

T = TypeVar("T")


class UnknownPlugin(UsageError):
    """A name that no built-in module and no entry point provides."""


def available(kind: Kind) -> dict[str, str]:
    """Return every plug-in name of `kind` with the object path (`module:attribute`) that provides it."""
    package = import_module(f"spqc.{kind}")
    entries = {
        info.name.replace("_", "-"): f"spqc.{kind}.{info.name}:PLUGIN"
        for info in pkgutil.iter_modules(package.__path__)
        if not info.name.startswith("_")
    }
    for entry in entry_points(group=f"spqc.{kind}"):
        if entry.name in entries:
            raise InternalError(f"{entry.value} redefines the {_WORD[kind]} '{entry.name}'")
        entries[entry.name] = entry.value
    return dict(sorted(entries.items()))


def load(kind: Kind, name: str) -> Any:
    """Import and return the class of the plug-in `name`; UnknownPlugin names the nearest one."""
    plugins = available(kind)
    if name not in plugins:
        raise UnknownPlugin(f"there is no {_WORD[kind]} '{name}'", hint=nearest(name, plugins))
    module, _, attribute = plugins[name].partition(":")
    return getattr(import_module(module), attribute)


def create(kind: Kind, text: str) -> Any:
    """Return the plug-in that `name{key=value ...}` describes; UsageError names a wrong option or value."""
    name, values = split_call(text)
    return build(load(kind, name), name, values)
