"""The fuzzing tool: the same seed damages alike, and whatever goes wrong in a process is found and kept."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from support.places import ROOT

from fuzz import __main__ as campaign
from fuzz import mutations
from fuzz.subjects import maps_graph

PATH = f"{ROOT / 'tests'}{os.pathsep}{ROOT}"
FAULTS = {
    "crash": "import os; os.abort()",
    "hang": "import time; time.sleep(600)",
    "memory": "bytearray(1 << 34)",
    "bug": "print(json.dumps({'index': index, 'finding': 'exit 70'}), flush=True); input()",
}
WORKER = """
import itertools, json, sys, time
from pathlib import Path
from fuzz.worker import limit_memory
limit_memory()
first, folder = int(sys.argv[3]), Path(sys.argv[4])
for index in itertools.count(first):
    time.sleep(0.01)
    (folder / "current.bin").write_bytes(b"%d" % index)
    print(json.dumps({{"index": index}}), flush=True)
    if index == 3:
        {fault}
"""


@pytest.mark.parametrize("fault", FAULTS)
def test_faults_are_found_and_kept(fault: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "worker.py").write_text(WORKER.format(fault=FAULTS[fault]))
    start = subprocess.Popen

    def replaced(command: list[str], **options: object) -> object:
        arguments = command[command.index("fuzz.worker") + 1 :]
        return start([sys.executable, str(tmp_path / "worker.py"), *arguments], cwd=ROOT, **options)  # type: ignore[call-overload]

    monkeypatch.setattr(campaign.subprocess, "Popen", replaced)
    monkeypatch.setattr(campaign, "LIMIT_S", 1.0)
    monkeypatch.setenv("PYTHONPATH", PATH)
    tally = campaign.Campaign("text", 7, 4.0, tmp_path / "kept").run()
    assert len(tally.findings) == 1 and tally.findings[0].startswith("text 3: "), tally
    assert tally.files > 4  # it went on behind it
    assert (tmp_path / "kept" / "text-7-3.bin").read_bytes() == b"3"


def test_a_seed_damages_alike() -> None:
    content = str(maps_graph()).encode()
    for damage in (mutations.damage_bytes, mutations.damage_text):
        first, second, other = (damage(np.random.default_rng([seed, 1]), content) for seed in (0, 0, 1))
        assert first == second != other


def test_a_few_damaged_files_are_harmless(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "fuzz", "--only", "reference", "--seconds", "3", "--keep", tmp_path]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": PATH}, check=False)
    assert done.returncode == 0 and "0 findings" in done.stdout, done.stdout
