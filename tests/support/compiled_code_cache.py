"""Libraries that LLVM has built before, by everything that they are made of: what is the same is not compiled again.

Most of the tests' processor time is LLVM's. What it makes of the same functions is the same, byte for byte (tests
compare that, without this cache), so a library is kept from test to test, worker to worker and run to run.

Of the cases of one default test, the first is compiled as users compile; the others are about the meaning of what is
emitted, and LLVM optimises nothing of them, which takes well under half the time. Slow tests are compiled as users do.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from .places import ROOT

Compiler = Callable[..., bytes]
CALLERS = ("spqc.targets.llvm.compile", "spqc.targets.llvm.tuning.measure")
LONGEST_S = 7 * 24 * 3600
"""Libraries that no test has asked for so long are removed."""


class LibraryCache:
    """A folder of libraries, and the compiler that makes those it has not."""

    def __init__(self, folder: Path, compiler: Compiler) -> None:
        self.folder, self.compiler = folder, compiler
        self.enabled = self.optimises = True

    def shared_library(self, functions: Mapping[str, Any], target: Any, behind: str = "") -> bytes:
        """Return what the compiler makes of the same arguments, now or before."""
        if not self.enabled or "CC" in os.environ:
            return self.compiler(functions, target, behind)
        target = target if self.optimises else unoptimised(target)
        path = self.folder / f"{_key(functions, target, behind)}.so"
        try:
            content = path.read_bytes()
            os.utime(path)
        except OSError:
            content = self.compiler(functions, target, behind)
            self._keep(path, content)
        return content

    def _keep(self, path: Path, content: bytes) -> None:
        """Write a file at once, whole or not at all: other workers read it."""
        with tempfile.NamedTemporaryFile(dir=self.folder, delete=False) as file:
            file.write(content)
        Path(file.name).replace(path)

    def prune(self) -> None:
        oldest = time.time() - LONGEST_S
        for path in self.folder.iterdir():
            try:
                if path.stat().st_mtime < oldest:
                    path.unlink()
            except FileNotFoundError:  # another worker was faster
                continue


def unoptimised(target: Any) -> Any:
    """Return a target of TVM for which LLVM optimises nothing."""
    import tvm

    return tvm.target.Target({**dict(target.attrs), "kind": target.kind.name, "opt-level": 0})


def _key(functions: Mapping[str, Any], target: Any, behind: str) -> str:
    """Return a name of everything that a library is made of: functions, target, C code, and those who compile them."""
    import tvm

    compiler = Path(shutil.which("gcc") or "gcc")
    version = compiler.stat().st_mtime_ns if compiler.exists() else 0
    made_by = (tvm.__version__, tvm.__file__, str(compiler), version, (ROOT / "targets/_tir/build.py").read_text())
    text = tvm.ir.save_json(tvm.IRModule(dict(functions)))
    return hashlib.sha256(repr((list(functions), text, str(target), behind, made_by)).encode()).hexdigest()


@contextmanager
def kept_libraries(folder: Path) -> Iterator[LibraryCache | None]:
    """Let the llvm target keep its libraries in a folder; None where no test that was collected compiles anything."""
    if "tvm" not in sys.modules:
        yield None
        return
    from spqc.targets._tir import build

    cache = LibraryCache(folder, build.shared_library)
    cache.prune()
    with pytest.MonkeyPatch.context() as patch:
        refuse = build.refuse_runtime
        # Without optimisation LLVM keeps the names of what nothing calls.
        patch.setattr(build, "refuse_runtime", lambda code: refuse(code) if cache.optimises else None)
        for caller in CALLERS:
            patch.setattr(f"{caller}.shared_library", cache.shared_library)
        yield cache
