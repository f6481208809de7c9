"""Two processes of torch's launcher on this machine, connected by gloo."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.places import ROOT

torch = pytest.importorskip("torch")
pytest.importorskip("sklearn")

from spqc.train.processes import Processes  # noqa: E402  (torch must be there)

SCRIPT = """
import os
import sys
import torch
from spqc.cli import main
from spqc.train import run
finish = run._finish
def keep(session, *rest):
    report = finish(session, *rest)
    torch.save(session.network.state_dict(), f"{sys.argv[-1]}.{session.processes.rank}")
    return report
run._finish = keep
with open(f"{sys.argv[-1]}.pid" + os.environ["RANK"], "w") as file:
    file.write(str(os.getpid()))
sys.exit(main(sys.argv[1:]))
"""


def launch(folder: Path, out: str, *more: str) -> list[str]:
    (folder / "script.py").write_text(SCRIPT)
    words = ["train", "digits", "--preset", "spquant+adaptive+gated+sparse", "--set", "width=3", "--batch", "201"]
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", str(folder / "script.py")]
    return [sys.executable, *launcher, *words, "--epochs", "6", *more, "-o", str(folder / out)]


def finish(command: list[str]) -> str:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=300)
    assert done.returncode == 0, done.stderr
    return done.stdout


def weights(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = torch.load(path, weights_only=True)
    return found.get("state_dict", found)


def same(first: Path, second: Path) -> bool:
    one, other = weights(first), weights(second)
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.slow
def test_both_processes_end_alike_and_alike_every_time(tmp_path: Path) -> None:
    printed = finish(launch(tmp_path, "a.pt"))
    assert printed.count("wrote") == 1  # by the first process alone
    assert same(tmp_path / "a.pt.0", tmp_path / "a.pt.1")
    assert same(tmp_path / "a.pt.0", tmp_path / "a.pt")
    finish(launch(tmp_path, "b.pt"))
    assert (tmp_path / "a.pt").read_bytes() == (tmp_path / "b.pt").read_bytes()


@pytest.mark.slow
def test_two_processes_that_are_killed_go_on(tmp_path: Path) -> None:
    finish(launch(tmp_path, "whole.pt"))
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    started = subprocess.Popen(
        launch(tmp_path, "net.pt", "--save-seconds", "0"), env=environment, stderr=subprocess.DEVNULL
    )
    state, limit = tmp_path / "net.state.pt", time.monotonic() + 120
    while not state.exists() and started.poll() is None and time.monotonic() < limit:
        time.sleep(0.01)
    for pid in [int(path.read_text()) for path in tmp_path.glob("net.pt.pid*")]:
        os.kill(pid, signal.SIGKILL)
    started.wait()
    assert state.exists() and not (tmp_path / "net.pt").exists()
    finish(launch(tmp_path, "net.pt", "--resume"))
    assert same(tmp_path / "net.pt", tmp_path / "whole.pt")


@pytest.mark.slow
def test_a_share_of_one_sample_is_merged_or_refused(tmp_path: Path) -> None:
    layers = '[{"op": "flatten"}, {"op": "linear", "out": 8}, {"op": "linear", "out": 10}]'
    words = ["sequential", "--data", "digits", "--set", f"layers={layers}", "--set", "steps=1", "--epochs", "1"]
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", "spqc", "train", *words]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}

    def started(batch: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, *launcher, "--batch", batch, "-o", str(tmp_path / "net.pt")]
        return subprocess.run(command, capture_output=True, text=True, env=environment, timeout=300)

    refused = started("2")
    assert refused.returncode != 0 and "needs 2 samples in each of 2 processes" in refused.stderr
    assert not list(tmp_path.iterdir())
    merged = started("478")  # 3 samples are left, 2 for each
    assert merged.returncode == 0 and "note" not in merged.stderr, merged.stderr
    merged = started("359")  # 1 sample is left
    assert merged.returncode == 0 and merged.stderr.count("joins the one before") == 1, merged.stderr


@pytest.mark.parametrize(("rows", "count"), [(8, 2), (7, 2), (1, 2), (5, 3), (6, 1)])
def test_every_process_gets_as_many_rows_and_every_row_is_somewhere(rows: int, count: int) -> None:
    whole = np.arange(rows) * 10
    shares = [Processes(rank, count).share(whole) for rank in range(count)]
    assert len({len(share) for share in shares}) == 1
    assert set(np.concatenate(shares).tolist()) == set(whole.tolist())
