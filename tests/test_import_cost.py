"""`import spqc`, the runtime and `spqc --help` load neither torch nor tvm, and help is quick."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest

HEAVY = "[m for m in ('torch', 'tvm', 'tvm_ffi', 'sklearn', 'rich', 'numpy') if m in sys.modules]"


def loaded(code: str) -> str:
    """Return the heavy modules that some code loads, as text."""
    command = [sys.executable, "-c", f"import sys\n{code}\nprint({HEAVY}, file=sys.stderr)"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stderr.strip()


@pytest.mark.parametrize("code", ["import spqc", "from spqc.cli import main; main(['--help'])", "import spqc.registry"])
def test_light(code: str) -> None:
    assert loaded(code) == "[]"


@pytest.mark.parametrize(
    "code",
    [
        "import spqc; spqc.load",
        "import spqc.runtime.session",
        "from spqc.cli import main; main(['list', 'passes'])",
        "from spqc.cli import main; main(['list', 'targets'])",
    ],
)
def test_neither_torch_nor_tvm(code: str) -> None:
    found = loaded(code)
    assert not any(name in found for name in ("torch", "tvm", "sklearn")), found


def test_help_is_quick() -> None:
    times = []
    for _ in range(3):
        started = time.perf_counter()
        subprocess.run([sys.executable, "-m", "spqc", "--help"], check=True, capture_output=True)
        times.append(time.perf_counter() - started)
    assert min(times) < 0.5
