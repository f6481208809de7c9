"""Imports run one way: cli -> api -> commands -> {runtime, plugins, ...} -> ir -> foundation."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import networkx as nx
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
    "spqc/cost": (*DRIVERS, "spqc.plugins.frontend", *PLUGINS, "spqc.nn", "spqc.train", *FRAMEWORKS),
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


PLACES = ("spqc", "passes", "targets", "frontends")
# Arrows between folders that point back up, and why they may.
BACKWARD = {
    ("spqc/ir", "spqc/ir/ops"): "the package offers its operators, which are made of its types",
    ("spqc/nn", "spqc/nn/models"): "a checkpoint builds the model that it names, and models are made of layers",
    ("spqc/train/data", "spqc/train/data/sets"): "the package looks for its data sets, which are made of its parts",
}  # fmt: skip


def files_of(place: str) -> list[Path]:
    path = ROOT / place
    return [path] if path.suffix == ".py" else sorted(path.rglob("*.py"))


def imports(path: Path) -> Iterator[str]:
    """Yield what a module imports when it runs, by its absolute name; imports for type checkers do not count."""
    yield from _imported(_running(ast.parse(path.read_text())), path, packages=True)


def _imported(nodes: Iterator[ast.AST], path: Path, *, packages: bool = False) -> Iterator[str]:
    """Yield the names that imports bring; with `packages`, also those of the modules that they come from."""
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = _absolute(node, path)
            if packages:
                yield module
            yield from (f"{module}.{alias.name}" for alias in node.names)


def _running(tree: ast.AST) -> Iterator[ast.AST]:
    for node in ast.iter_child_nodes(tree):
        if not _for_type_checkers(node):
            yield node
            yield from _running(node)


def _for_type_checkers(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


def _absolute(node: ast.ImportFrom, path: Path) -> str:
    if node.level == 0:
        return node.module or ""
    inside = _inside(path.relative_to(ROOT).with_suffix("").parts)
    return ".".join([*inside[: len(inside) - node.level], *([node.module] if node.module else [])])


def _inside(parts: tuple[str, ...]) -> tuple[str, ...]:
    return parts if parts[0] == "spqc" else ("spqc", *parts)


def _name(path: Path) -> str:
    """Return the absolute name of a module, that of its package for __init__.py."""
    parts = _inside(path.relative_to(ROOT).with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _module_level(tree: ast.AST) -> Iterator[ast.AST]:
    """Yield what runs when a module is imported, not what its functions do."""
    for node in ast.iter_child_nodes(tree):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and not _for_type_checkers(node):
            yield node
            yield from _module_level(node)


def import_graph(*, everywhere: bool) -> nx.DiGraph[str]:
    """Return which module imports which: at module level, or also inside functions and for type checkers alone."""
    walk = ast.walk if everywhere else _module_level
    modules = {_name(path): path for place in PLACES for path in files_of(place)}
    graph: nx.DiGraph[str] = nx.DiGraph()
    for name, path in modules.items():
        for imported in _imported(walk(ast.parse(path.read_text())), path):
            while imported and imported not in modules:  # a name in a module stands for its module
                imported = imported.rpartition(".")[0]
            if imported and imported != name:
                graph.add_edge(name, imported)
    return graph


@pytest.mark.parametrize("everywhere", [False, True])
def test_no_modules_import_each_other(everywhere: bool) -> None:
    circles = [sorted(part) for part in nx.strongly_connected_components(import_graph(everywhere=everywhere))]
    assert not [circle for circle in circles if len(circle) > 1]


def test_few_arrows_between_folders_point_back_up() -> None:
    folders = {_name(p): str(p.parent.relative_to(ROOT)) for place in PLACES for p in files_of(place)}
    arrows = {(folders[a], folders[b]) for a, b in import_graph(everywhere=False).edges}
    rooms: nx.DiGraph[str] = nx.DiGraph(sorted((a, b) for a, b in arrows - set(BACKWARD) if a != b))
    assert nx.is_directed_acyclic_graph(rooms), nx.find_cycle(rooms)


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
