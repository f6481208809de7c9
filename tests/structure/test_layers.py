"""Imports run one way: cli -> api -> commands -> {runtime, plugins, ...} -> ir -> foundation."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.places import ROOT

DRIVERS = tuple(
    f"spqc.{name}"
    for name in ("api", "cli", "commands", "plugins.pipeline", "plugins.registry", "report", "tuning")
)  # fmt: skip
RUNTIME = "spqc.runtime"
PLUGINS = ("spqc.passes", "spqc.targets", "spqc.frontends")
FRAMEWORKS = ("torch", "tvm", "tvm_ffi", "sklearn")
LAYERS = tuple(
    f"spqc.{name}"
    for name in ("api", "cli", "commands", "cost", "ir", "nn", "plugins", "report", "runtime", "train", "tuning")
)  # fmt: skip

FORBIDDEN: dict[str, tuple[str, ...]] = {
    "spqc/foundation": (*LAYERS, *PLUGINS, *FRAMEWORKS),
    "spqc/ir": (*DRIVERS, RUNTIME, "spqc.plugins", *PLUGINS, "spqc.nn", *FRAMEWORKS),
    "spqc/plugins": ("spqc.api", "spqc.cli", "spqc.commands", RUNTIME, "spqc.nn", *FRAMEWORKS),
    "spqc/runtime": ("spqc.api", "spqc.cli", "spqc.commands", *PLUGINS, "spqc.nn", *FRAMEWORKS),
    "spqc/cost": (*DRIVERS, "spqc.plugins", *PLUGINS, "spqc.nn", "spqc.train", *FRAMEWORKS),
    "spqc/tuning": ("spqc.api", "spqc.cli", "spqc.commands", RUNTIME, *PLUGINS, "spqc.nn", *FRAMEWORKS),
    "spqc/commands": ("spqc.api", "spqc.cli", "spqc.report", *PLUGINS, *FRAMEWORKS),
    "spqc/api.py": ("spqc.cli", "spqc.report", *PLUGINS, *FRAMEWORKS),
    "spqc/report": ("spqc.cli", *FRAMEWORKS),
    "spqc/cli": ("spqc.plugins", *PLUGINS, "spqc.ir", "spqc.nn", *FRAMEWORKS),
    "spqc/nn": (*DRIVERS, RUNTIME, *PLUGINS, "spqc.train", "tvm"),
    "spqc/train": (*DRIVERS, RUNTIME, *PLUGINS, "tvm"),
    "passes": (*DRIVERS, RUNTIME, "spqc.targets", "spqc.frontends", "spqc.nn", *FRAMEWORKS),
    "frontends": (*DRIVERS, "spqc.passes", "spqc.targets", "tvm"),
    "targets": (*DRIVERS, "spqc.frontends", "spqc.nn", "spqc.train", "torch"),
    "targets/_plan": ("spqc.targets._tir", "spqc.targets.llvm", "spqc.targets.reference", *FRAMEWORKS),
    "targets/_tir": ("spqc.targets.llvm", "spqc.targets.reference"),
    "targets/reference": ("spqc.targets._tir", "spqc.targets.llvm", "tvm"),
}  # fmt: skip
# What a frontend or a target may use of the runtime: how runs are observed, and how arrays are packed.
RUNTIME_FOR_PLUGINS = ("spqc.runtime.observe", "spqc.runtime.packing")


def files_of(place: str) -> list[Path]:
    path = ROOT / place
    return [path] if path.suffix == ".py" else sorted(path.rglob("*.py"))


def imports(path: Path) -> Iterator[str]:
    """Yield what a module imports when it runs, by its absolute name; imports for type checkers do not count."""
    for node in _running(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = _absolute(node, path)
            yield module
            yield from (f"{module}.{alias.name}" for alias in node.names)


def _running(tree: ast.AST) -> Iterator[ast.AST]:
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            continue
        yield node
        yield from _running(node)


def _absolute(node: ast.ImportFrom, path: Path) -> str:
    if node.level == 0:
        return node.module or ""
    parts = path.relative_to(ROOT).with_suffix("").parts
    inside = parts if parts[0] == "spqc" else ("spqc", *parts)
    return ".".join([*inside[: len(inside) - node.level], *([node.module] if node.module else [])])


@pytest.mark.parametrize("place", FORBIDDEN)
def test_nothing_imports_upwards(place: str) -> None:
    found = files_of(place)
    assert found, f"there is no code in {place}"
    for path in found:
        for name in imports(path):
            for banned in FORBIDDEN[place]:
                assert name != banned and not name.startswith(f"{banned}."), f"{path} imports {name}"


@pytest.mark.parametrize("place", ["frontends", "targets"])
def test_plugins_use_little_of_the_runtime(place: str) -> None:
    for path in files_of(place):
        for name in imports(path):
            if name.startswith(f"{RUNTIME}."):
                assert name.startswith(RUNTIME_FOR_PLUGINS), f"{path} imports {name}"


@pytest.mark.parametrize("place", ["spqc", "frontends", "passes", "targets", "tests"])
def test_modules_stay_short(place: str) -> None:
    for path in files_of(place):
        lines = len(path.read_text().splitlines())
        assert lines < 300, f"{path} has {lines} lines: split it"


@pytest.mark.parametrize("place", ["frontends", "passes", "targets"])
def test_folders_of_plugins_are_not_top_level_packages(place: str) -> None:
    assert f'if __name__ == "{place}"' in (ROOT / place / "__init__.py").read_text()


def test_no_test_imports_a_test() -> None:
    """What two tests use is in tests/support."""
    for path in files_of("tests"):
        for name in imports(path):
            tests = [part for part in name.split(".") if part.startswith("test_")]
            assert not tests, f"{path} imports {name}: move what it uses to tests/support"


def test_the_top_of_the_package_has_no_loose_modules() -> None:
    """What stands there is what users import: the rest is in a layer."""
    loose = {path.stem for path in (ROOT / "spqc").glob("*.py")}
    assert loose == {"__init__", "__main__", "api", "contracts", "errors", "options"}
