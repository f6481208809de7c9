"""Shared fixtures: golden texts and the command line in this process."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from support.compiled_code_cache import LibraryCache, kept_libraries

_CACHE = pytest.StashKey[LibraryCache | None]()
GOLDEN = Path(__file__).parent / "golden"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-golden", action="store_true", help="rewrite the expected texts")


@pytest.fixture(autouse=True, scope="session")
def checked_memory() -> None:
    """Run every compiled function twice, on garbage, between guard pages; also in the processes that tests start."""
    os.environ.setdefault("SPQC_CHECK", "1")


@pytest.fixture(autouse=True, scope="session")
def data_folder(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Keep the user's own tuning records out of the tests."""
    os.environ["XDG_DATA_HOME"] = str(tmp_path_factory.mktemp("data"))


@pytest.fixture(autouse=True, scope="session")
def compiled_code(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Do not let LLVM compile again what is the same as in another test, worker or run; see `compiles`."""
    kept = getattr(request.config, "cache", None)
    folder = kept.mkdir("libraries") if kept else tmp_path_factory.mktemp("libraries")
    with kept_libraries(folder) as cache:
        request.config.stash[_CACHE] = cache
        yield cache


_FULLY = pytest.StashKey[bool]()


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let the first case of each default test, and every slow one, be compiled as users compile."""
    seen: set[str] = set()
    for item in items:
        test = item.nodeid.partition("[")[0]
        item.stash[_FULLY] = test not in seen or item.get_closest_marker("slow") is not None
        seen.add(test)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    cache = item.config.stash.get(_CACHE, None)
    if cache is not None:
        cache.optimises = item.stash[_FULLY]


@pytest.fixture
def compiles(compiled_code: LibraryCache | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """For tests of compiling itself: no library comes from another test."""
    if compiled_code is not None:
        monkeypatch.setattr(compiled_code, "enabled", False)


@dataclass(frozen=True)
class Outcome:
    """What a command did."""

    code: int
    out: str
    err: str


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[str, str], None]:
    """Compare a text with the file of that name below tests/golden, or rewrite the file."""

    def check(name: str, text: str) -> None:
        path = GOLDEN / name
        if request.config.getoption("--update-golden"):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        assert path.exists(), f"{path} is missing; run pytest --update-golden and look at it"
        assert text == path.read_text()

    return check


@pytest.fixture
def spqc(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Outcome]:
    """Run a command line in this process."""
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.delenv("SPQC_TRACEBACK", raising=False)

    def run(*arguments: object) -> Outcome:
        from spqc.cli import main

        capsys.readouterr()
        code = main([str(argument) for argument in arguments])
        found = capsys.readouterr()
        return Outcome(code, found.out, found.err)

    return run


@pytest.fixture
def tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small model as tiny.tg in an empty working folder."""
    from spqc.commands.doctor import tiny_graph
    from spqc.frontends.graph_text import write_arrays

    monkeypatch.chdir(tmp_path)
    write_arrays(Path("tiny.tg"), tiny_graph())
    return Path("tiny.tg")
