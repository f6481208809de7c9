"""`import spqc`, the runtime and `spqc --help` load neither torch nor tvm, and help little else."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = "[m for m in ('torch', 'tvm', 'tvm_ffi', 'sklearn', 'rich', 'numpy') if m in sys.modules]"


def loaded(code: str) -> str:
    """Return the heavy modules that some code loads, as text."""
    command = [sys.executable, "-c", f"import sys\n{code}\nprint({HEAVY}, file=sys.stderr)"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stderr.strip()


@pytest.mark.parametrize(
    "code", ["import spqc", "from spqc.cli import main; main(['--help'])", "import spqc.plugins.registry"]
)
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


WITHOUT_TVM = """
class NoTvm:
    def find_spec(self, name, path=None, target=None):
        if name.partition('.')[0] in ('tvm', 'tvm_ffi'):
            raise ImportError(f'{name} was imported')

sys.meta_path.insert(0, NoTvm())
"""
PREDICTION = """
from spqc.commands.compile import lowered, optimised
from spqc.contracts import Advice
from spqc.targets._plan.constants import Constants
from spqc.targets._plan.machine import Machine
from spqc.targets.llvm.strategies import chooser

graph = optimised('examples/digits.pt')
program = lowered(graph)['run']
for features in ({'avx512f', 'avx512bw', 'avx512vnni', 'avx512vbmi', 'gfni', 'avx512vl', 'avx2', 'ssse3'}, {'avx2'}):
    machine = Machine(frozenset(features))
    choices = chooser().choose_all(program, machine, Constants(graph, program.layout.tile), Advice())
    assert len(choices) > 1 and all(choice.predicted_ns > 0 for choice in choices.values())
"""


def test_a_prediction_imports_no_tvm() -> None:
    """What a network costs on another machine can be planned where no compiler is installed."""
    loaded(WITHOUT_TVM + PREDICTION)


def test_help_is_quick() -> None:
    """What makes a command slow to start is what it imports: for help, the parser and nothing that computes."""
    program = "import sys; before = set(sys.modules); from spqc.cli import main; main(['--help']); "
    program += "print(*sorted(set(sys.modules) - before), file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    modules = done.stderr.split()
    assert {name.split(".")[1] for name in modules if name.startswith("spqc.")} == {"cli", "foundation"}
    assert {name.partition(".")[0] for name in modules} - sys.stdlib_module_names == {"click", "spqc"}
