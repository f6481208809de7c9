"""What goes wrong around a search: interrupts inside TVM, records in places that are no files, disks that are full."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from spqc.foundation.errors import UsageError
from spqc.tuning.records import read_records


def test_an_interrupt_inside_tvm_is_an_interrupt() -> None:
    """In a pass within a pass, as TVM's pipeline has them, KeyboardInterrupt comes out as a RuntimeError, or never."""
    tvm = pytest.importorskip("tvm")
    from spqc.targets._tir.interrupt import interruptible

    @tvm.transform.module_pass(opt_level=0)
    def inner(mod: Any, _: Any) -> Any:
        signal.raise_signal(signal.SIGINT)
        return mod

    @tvm.transform.module_pass(opt_level=0)
    def outer(mod: Any, _: Any) -> Any:
        return tvm.transform.Sequential([inner])(mod)

    def forgetful() -> None:
        with contextlib.suppress(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)

    inherited = signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored where tests run in the background
    try:
        for work in (lambda: outer(tvm.IRModule()), forgetful):
            with pytest.raises(KeyboardInterrupt), interruptible():
                work()
        with pytest.raises(ValueError, match="its own"), interruptible():
            raise ValueError("its own")
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, inherited)


@pytest.mark.parametrize("kind", ["device", "pipe", "folder"])
def test_records_that_are_no_regular_file_are_refused(kind: str, tmp_path: Path) -> None:
    """/dev/full gives zeros for ever, and a pipe waits for ever."""
    path = {"device": Path("/dev/full"), "pipe": tmp_path / "pipe", "folder": tmp_path}[kind]
    if kind == "pipe":
        os.mkfifo(path)
    with pytest.raises(UsageError, match="not in a regular file"):
        read_records(path)


FULL = """
import resource, sys
from pathlib import Path
from spqc.tuning.records import Journal, Record
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), int(sys.argv[2])))
with Journal(Path(sys.argv[1])) as journal:
    for n in range(100):
        journal.append(Record(f"kernel {n}", "dense", {"n": n}, 1.0 + n, "2026-01-02", "0.1.0"))
"""


@pytest.mark.parametrize("limit", [500, 560])
def test_a_file_that_grows_no_more_is_named_and_stays_readable(tmp_path: Path, limit: int) -> None:
    """The system takes a part of a line or none of it, as on a full disk; what was whole before stays."""
    path = tmp_path / "r.jsonl"
    command = [sys.executable, "-c", FULL, str(path), str(limit)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1 and "OutputError" in done.stderr and str(path) in done.stderr
    found = read_records(path)
    assert found and [record.settings["n"] for record in found] == list(range(len(found)))


APPENDER = """
import sys
from pathlib import Path
from spqc.tuning.records import Journal, Record
with Journal(Path(sys.argv[1])) as journal:
    for n in range(150):
        journal.append(Record("kernel " + sys.argv[2], "dense", {"n": n}, 1.0 + n, "2026-01-02", "0.1.0"))
"""


def test_two_searches_may_append_to_one_file_at_once(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    path.write_bytes(b'{"key": "torn')  # both find it, and both begin a new line
    both = [subprocess.Popen([sys.executable, "-c", APPENDER, str(path), name]) for name in "ab"]
    assert [process.wait(60) for process in both] == [0, 0]
    found = read_records(path)
    for name in "ab":
        assert [r.settings["n"] for r in found if r.key == f"kernel {name}"] == list(range(150))
