"""Imports run one way: cli -> api -> {pipeline, runtime, ...} -> contracts -> ir; tvm and torch keep their places."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
DRIVERS = tuple(
    f"spqc.{name}"
    for name in (
        "analysis", "api", "calibration", "cli", "compiler", "sources", "verification", "benchmark", "inspection",
        "catalogue", "health", "pipeline", "registry", "report", "tuning",
    )
)  # fmt: skip
RUNTIME = "spqc.runtime"
PLUGINS = ("spqc.passes", "spqc.targets", "spqc.frontends")
FRAMEWORKS = ("torch", "tvm", "tvm_ffi", "sklearn")

FORBIDDEN: dict[str, tuple[str, ...]] = {
    "spqc/ir": (*DRIVERS, RUNTIME, "spqc.contracts", *PLUGINS, "spqc.nn", *FRAMEWORKS),
    "spqc/contracts.py": (*DRIVERS, RUNTIME, *PLUGINS, "spqc.nn", *FRAMEWORKS),
    "spqc/options.py": (*DRIVERS, RUNTIME, "spqc.ir", "spqc.contracts", *FRAMEWORKS),
    "spqc/errors.py": ("spqc", "numpy", *FRAMEWORKS),
    "spqc/runtime": ("spqc.api", "spqc.cli", "spqc.compiler", *PLUGINS, "spqc.nn", *FRAMEWORKS),
    "spqc/cost": (*DRIVERS, "spqc.contracts", *PLUGINS, "spqc.nn", "spqc.train", *FRAMEWORKS),
    "spqc/pipeline.py": ("spqc.api", "spqc.cli", *PLUGINS, *FRAMEWORKS),
    "spqc/registry.py": ("spqc.api", "spqc.cli", "spqc.pipeline", RUNTIME, *FRAMEWORKS),
    "spqc/api.py": ("spqc.cli", "spqc.report", *PLUGINS, *FRAMEWORKS),
    "spqc/report": ("spqc.cli", *FRAMEWORKS),
    "spqc/cli": ("spqc.pipeline", "spqc.registry", *PLUGINS, "spqc.ir", "spqc.nn", *FRAMEWORKS),
    "spqc/nn": (*DRIVERS, RUNTIME, *PLUGINS, "spqc.train", "tvm"),
    "spqc/train": (*DRIVERS, RUNTIME, *PLUGINS, "tvm"),
    "passes": (*DRIVERS, RUNTIME, "spqc.targets", "spqc.frontends", "spqc.nn", *FRAMEWORKS),
    "frontends": (*DRIVERS, "spqc.passes", "spqc.targets", "tvm"),
    "targets": (*DRIVERS, "spqc.frontends", "spqc.nn", "spqc.train", "torch"),
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
