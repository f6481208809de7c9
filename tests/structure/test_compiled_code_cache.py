"""The tests' own cache of libraries: what is the same is compiled once, and nothing else is taken for it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from support.compiled_code_cache import LibraryCache

pytest.importorskip("tvm")

from spqc.targets.llvm.compile import machine_target


@pytest.fixture
def compiled() -> list[str]:
    """What the compiler was asked for: the C code behind each library."""
    return []


@pytest.fixture
def cache(tmp_path: Path, compiled: list[str]) -> LibraryCache:
    def compiler(functions: object, target: object, behind: str) -> bytes:
        compiled.append(behind)
        return f"library {len(compiled)}".encode()

    return LibraryCache(tmp_path, compiler)


def test_the_same_is_compiled_once_and_other_code_or_targets_again(cache: LibraryCache, compiled: list[str]) -> None:
    host, other = machine_target("host")[0], machine_target("x86-64-v2")[0]
    asked = [({}, host, "a"), ({}, host, "b"), ({}, other, "a")]
    made = [cache.shared_library(*arguments) for arguments in asked]
    assert compiled == ["a", "b", "a"] and len(set(made)) == 3
    assert [cache.shared_library(*arguments) for arguments in asked] == made
    assert len(compiled) == 3


def test_tests_of_compiling_compile(cache: LibraryCache, compiled: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    target = machine_target("host")[0]
    cache.enabled = False
    assert cache.shared_library({}, target, "") != cache.shared_library({}, target, "")
    cache.enabled = True
    monkeypatch.setenv("CC", "gcc")  # another compiler
    assert cache.shared_library({}, target, "") != cache.shared_library({}, target, "")
    assert len(compiled) == 4 and not list(cache.folder.iterdir())


def test_what_was_removed_is_compiled_again(cache: LibraryCache, compiled: list[str]) -> None:
    target = machine_target("host")[0]
    first = cache.shared_library({}, target, "")
    for path in cache.folder.iterdir():
        path.unlink()
    assert cache.shared_library({}, target, "") != first and len(compiled) == 2


def test_what_is_only_about_meaning_is_not_optimised(tmp_path: Path) -> None:
    """Everything else of the target stays: a processor has the same instructions."""
    levels = []

    def compiler(functions: object, target: Any, behind: str) -> bytes:
        levels.append((target.attrs.get("opt-level"), str(target.attrs["mcpu"]), list(target.attrs.get("mattr", []))))
        return b"library"

    cache = LibraryCache(tmp_path, compiler)
    target = machine_target("x86-64-v3")[0]
    for optimises in (True, False, True):
        cache.optimises = optimises
        cache.shared_library({}, target, "")
    features = list(target.attrs.get("mattr", []))
    assert levels == [(None, "x86-64-v3", features), (0, "x86-64-v3", features)]


@pytest.mark.parametrize("case", range(3))
def test_the_first_case_of_a_test_is_compiled_as_users_compile(case: int, compiled_code: LibraryCache) -> None:
    assert compiled_code.optimises == (case == 0)


@pytest.mark.slow
@pytest.mark.parametrize("case", range(2))
def test_every_slow_case_is_compiled_as_users_compile(case: int, compiled_code: LibraryCache) -> None:
    assert compiled_code.optimises
