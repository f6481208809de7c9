"""Every plug-in is found by its file, documented, and keeps its contract; an unknown name is met with the nearest."""

from __future__ import annotations

import dataclasses
import inspect
from importlib import import_module
from pathlib import Path

import pytest

from spqc.foundation.errors import UsageError
from spqc.plugins import registry
from spqc.plugins.frontend import Frontend
from spqc.plugins.passes import Pass
from spqc.plugins.target import Emitter

BASES = {"frontends": Frontend, "passes": Pass, "targets": Emitter}
ALL = [(kind, name) for kind in registry.KINDS for name in registry.available(kind)]


@pytest.mark.parametrize(("kind", "name"), ALL)
def test_plugin_keeps_its_contract(kind: registry.Kind, name: str) -> None:
    plugin = registry.load(kind, name)
    module = import_module(f"spqc.{kind}.{name.replace('-', '_')}")
    assert issubclass(plugin, BASES[kind])
    assert plugin.name == name
    assert module.__doc__ and plugin.__doc__
    assert not inspect.isabstract(plugin)


@pytest.mark.parametrize(("kind", "name"), [(k, n) for k, n in ALL if k != "frontends"])
def test_options_have_defaults(kind: registry.Kind, name: str) -> None:
    plugin = registry.load(kind, name)
    assert dataclasses.is_dataclass(plugin)
    assert registry.create(kind, name) == plugin()


def test_an_added_file_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "negate_twice.py").write_text('"""A pass."""\n\nPLUGIN = dict\n')
    (tmp_path / "_hidden.py").write_text("")
    monkeypatch.setattr("spqc.passes.__path__", [str(tmp_path), *import_module("spqc.passes").__path__])
    found = registry.available("passes")
    assert found["negate-twice"] == "spqc.passes.negate_twice:PLUGIN"
    assert "remove-dead" in found and "-hidden" not in found and "_hidden" not in found
    assert registry.load("passes", "negate-twice") is dict


@pytest.mark.parametrize(
    ("kind", "text", "message"),
    [
        ("passes", "remove-ded", "there is no pass 'remove-ded'\nhint: did you mean 'remove-dead'?"),
        ("targets", "reference{optimize=true}", "'reference' has no option 'optimize'\nhint: did you mean 'optimise'?"),
        (
            "targets",
            "reference{optimise=1}",
            "'optimise=1' is not a value of 'reference'\nhint: expected true or false",
        ),
        ("targets", "{}", "cannot read '{}'\nhint: write name or name{key=value key=value}"),
    ],
)
def test_a_wrong_text_is_met_with_the_nearest(kind: registry.Kind, text: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        registry.create(kind, text)
    assert str(caught.value) == f"error: {message}"
