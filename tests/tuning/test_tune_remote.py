"""Measuring over TVM's RPC tracker: two servers on this machine, one of them killed while it works."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import spqc
from spqc.foundation.errors import Unavailable, UsageError
from spqc.plugins.tuning import Tracker
from spqc.tuning.budget import machines
from spqc.tuning.records import read_records

pytest.importorskip("tornado")
pytest.importorskip("psutil")


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def start(*words: str) -> subprocess.Popen[bytes]:
    """Start a process in a session of its own: it has children that hold its port."""
    command = [sys.executable, "-m", *words]
    environment = {**os.environ, "TVM_NUM_THREADS": "1"}
    return subprocess.Popen(
        command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )


def stop(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait(10)


@pytest.fixture
def servers() -> Iterator[tuple[Tracker, list[subprocess.Popen[bytes]]]]:
    from tvm import rpc

    port = free_port()
    started = [start("tvm.exec.rpc_tracker", "--host", "127.0.0.1", "--port", str(port), "--port-end", str(port + 1))]
    try:
        wait(lambda: rpc.connect_tracker("127.0.0.1", port))
        for _ in range(2):
            place = ("--host", "127.0.0.1", "--tracker", f"127.0.0.1:{port}", "--key", "test")
            started.append(start("tvm.exec.rpc_server", *place))
        tracker = rpc.connect_tracker("127.0.0.1", port)
        wait(lambda: tracker.summary()["queue_info"]["test"]["free"] == 2 or 1 / 0)
        yield Tracker("127.0.0.1", port, "test"), started[1:]
    finally:
        for process in started:
            stop(process)


def wait(ready: Any) -> None:
    """Try until it raises nothing."""
    for _ in range(240):
        try:
            ready()
            return
        except Exception:
            time.sleep(0.25)
    raise TimeoutError("the servers did not start")


@pytest.mark.slow
def test_a_server_may_be_killed(tiny: Path, servers: tuple[Tracker, list[subprocess.Popen[bytes]]]) -> None:
    """The search goes on with the other server, and finds what a local search finds: a time for every candidate."""
    tracker, processes = servers
    psutil = pytest.importorskip("psutil")
    seen = 0

    def kill_the_busy_one(_: object) -> None:
        nonlocal seen
        seen += 1
        if seen == 2:
            busy = max(processes, key=lambda p: len(psutil.Process(p.pid).children(recursive=True)))
            stop(busy)
            processes.remove(busy)

    report = spqc.tune(tiny, tracker=tracker, records="r.jsonl", progress=kill_the_busy_one)
    assert report.ended == "complete" and report.measured == seen > 2 and len(processes) == 1
    assert all(0 < record.time_ns < 1e8 for record in read_records(Path("r.jsonl")))
    stop(processes[0])
    with pytest.raises(Unavailable, match="no machine of key 'test'"):
        spqc.tune(tiny, tracker=tracker, records="other.jsonl", trials=1)


def test_a_tracker_that_is_not_there(tiny: Path) -> None:
    with pytest.raises(Unavailable, match="no tracker answers"):
        spqc.tune(tiny, tracker=Tracker("127.0.0.1", free_port(), "k"), records="r.jsonl")


@pytest.mark.parametrize(
    ("tracker", "key"), [("host", "k"), ("host:port", "k"), ("host:1", None), (None, "k"), (":1", "k")]
)
def test_half_a_tracker_is_refused(tracker: str | None, key: str | None) -> None:
    with pytest.raises(UsageError, match="both its place and a key"):
        machines(tracker, key)


def test_a_whole_tracker() -> None:
    assert machines("host:9190", "k") == Tracker("host", 9190, "k") and machines(None, None) is None
