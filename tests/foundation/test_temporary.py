"""Folders for temporary files that are missing, full or forbidden: an error that names them, and nothing left."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from support.places import ROOT
from support.refusals import assert_error

import spqc as package
from spqc.commands.doctor import tiny_graph
from spqc.targets.llvm.loader import loading

Run = Callable[..., object]
X = np.zeros((1, 2, 4), np.uint8)


@pytest.fixture
def folder(compiles: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of one's own for temporary files."""
    found = tmp_path / "temporary"
    found.mkdir()
    monkeypatch.setenv("TMPDIR", str(found))
    monkeypatch.setattr(tempfile, "tempdir", None)
    return found


@pytest.fixture
def net(tiny: Path, spqc: Run) -> Path:
    spqc("compile", "tiny.tg", "-o", "net.spqc")
    np.save("x.npy", X)
    return Path("net.spqc")


def refuse(*_: object, **__: object) -> None:
    raise OSError(28, "No space left on device")


def test_running_needs_no_folder(net: Path, spqc: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "mkdtemp", refuse)
    monkeypatch.setattr(tempfile, "mkstemp", refuse)
    assert spqc("run", net, "--input", "x.npy").code == 0  # type: ignore[attr-defined]


def test_running_without_memory_files_and_without_a_folder(
    net: Path, spqc: Run, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(os, "memfd_create")
    monkeypatch.setattr(tempfile, "mkdtemp", refuse)
    assert_error(spqc("run", net, "--input", "x.npy"), 2, "No space left", "TMPDIR is", str(folder))


def test_running_without_memory_files(net: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "memfd_create")
    np.testing.assert_array_equal(package.load(net).run(X), package.compile(tiny_graph(), "reference").run(X))
    assert not list(folder.iterdir())


def test_a_full_disk_while_a_library_is_loaded(
    net: Path, spqc: Run, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(os, "memfd_create")
    monkeypatch.setattr(Path, "write_bytes", refuse)
    assert_error(spqc("run", net, "--input", "x.npy"), 2, "No space left", "TMPDIR is")
    assert not list(folder.iterdir())


def test_a_folder_that_runs_no_code(net: Path, spqc: Run, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class NoExec:
        f_flag = os.ST_NOEXEC

    def forbidden(path: str) -> None:
        raise OSError(f"{path}: failed to map segment from shared object")

    monkeypatch.setattr(ctypes, "CDLL", forbidden)
    monkeypatch.setattr(os, "statvfs", lambda _: NoExec)
    assert_error(spqc("run", net, "--input", "x.npy"), 2, "noexec", "TMPDIR is", "set TMPDIR to a folder")
    assert not list(folder.iterdir())


def test_no_folder_to_compile_in(spqc: Run, tiny: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "mkdtemp", refuse)
    assert_error(spqc("compile", tiny, "-o", "net.spqc"), 2, "No space left", "TMPDIR is", str(folder))
    assert not Path("net.spqc").exists()


def test_a_full_folder_to_compile_in(spqc: Run, tiny: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "write_bytes", refuse)
    assert_error(spqc("compile", tiny, "-o", "net.spqc"), 2, "No space left", "TMPDIR is", str(folder))
    assert not list(folder.iterdir()) and not Path("net.spqc").exists()


@pytest.mark.parametrize(
    "said", ["/tmp/cc.s: No space left on device", "final link failed: disk quota exceeded", "Read-only file system"]
)
def test_a_disk_that_refuses_the_linker(spqc: Run, tiny: Path, folder: Path, said: str) -> None:
    compiler = Path("cc")
    compiler.write_text(f"#!/bin/sh\necho '{said}' >&2\nexit 1\n")
    compiler.chmod(0o755)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CC", str(compiler.absolute()))
        assert_error(spqc("compile", tiny, "-o", "net.spqc"), 2, "TMPDIR is", "temporary files cannot be written")
    assert not list(folder.iterdir())


def test_what_the_compiler_writes_stays_in_its_folder(spqc: Run, tiny: Path, folder: Path) -> None:
    compiler = Path("cc")
    compiler.write_text('#!/bin/sh\necho "$TMPDIR" > seen.txt; cp seen.txt "$OLDPWD_FOR_TEST"\nexec gcc "$@"\n')
    compiler.chmod(0o755)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CC", str(compiler.absolute()))
        patch.setenv("OLDPWD_FOR_TEST", str(Path.cwd()))
        assert spqc("compile", tiny, "-o", "net.spqc").code == 0  # type: ignore[attr-defined]
    assert Path("seen.txt").read_text().startswith(f"{folder}/spqc-")
    assert not list(folder.iterdir())


def _may_mount() -> bool:
    command = ["unshare", "-m", "mount", "-t", "tmpfs", "tmpfs", "/mnt"]
    return shutil.which("unshare") is not None and subprocess.run(command, capture_output=True).returncode == 0


@pytest.mark.skipif(not _may_mount(), reason="NOTHING CAN BE MOUNTED: full and noexec file systems are not tested")
def test_a_small_file_system_that_runs_no_code(net: Path, tmp_path: Path) -> None:
    small = tmp_path / "small"
    small.mkdir()
    script = f"""
        mount -t tmpfs -o size=64k,noexec tmpfs {small}
        export TMPDIR={small}
        {sys.executable} -m spqc run {net} --input x.npy || exit 100
        {sys.executable} -m spqc compile tiny.tg -o other.spqc
        code=$?
        ls {small} other.spqc 2>/dev/null && exit 101
        exit $code
    """
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = ["unshare", "-m", "sh", "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 2, done.stderr
    assert f"TMPDIR is '{small}'" in done.stderr and "No space left" in done.stderr and "LLVM" not in done.stderr


def test_paths_of_memory_are_never_the_same(net: Path) -> None:
    paths = [loading.memory_path(7, number) for number in range(300)]
    assert len(set(paths)) == 300
    descriptor = os.memfd_create("spqc")
    try:
        for number in range(20):
            path = Path(loading.memory_path(descriptor, number))
            assert path.samefile(f"/proc/self/fd/{descriptor}")
    finally:
        os.close(descriptor)


def test_libraries_are_not_taken_for_one_another(tiny: Path) -> None:
    """Descriptors are given again; two artifacts that are alive at a time must stay two."""
    flipped = tiny_graph()
    flipped.data["@v"][:] *= -1
    x = np.random.default_rng(0).integers(0, 2, (4, 2, 4))
    first, second = package.compile(tiny_graph(), "llvm"), package.compile(flipped, "llvm{threads=2}")
    right = [package.compile(graph, "reference").run(x) for graph in (tiny_graph(), flipped)]
    for _ in range(2):
        np.testing.assert_array_equal(first.run(x), right[0])
        np.testing.assert_array_equal(second.run(x), right[1])


@pytest.mark.parametrize("there", [False, True])
def test_an_interrupted_compilation_says_what_is_kept(
    spqc: Run, tiny: Path, monkeypatch: pytest.MonkeyPatch, there: bool
) -> None:
    def interrupt(*_: object, **__: object) -> None:
        Path("dump").mkdir()
        raise KeyboardInterrupt

    if there:
        Path("net.spqc").write_bytes(b"before")
    monkeypatch.setattr("spqc.api.compile", interrupt)
    outcome = spqc("compile", tiny, "-o", "net.spqc", "--dump", "dump")
    state = "is as it was" if there else "was not written"
    assert outcome.code == 130  # type: ignore[attr-defined]
    assert outcome.err == f"interrupted: net.spqc {state}; the dumps in 'dump' are kept\n"  # type: ignore[attr-defined]
