"""Random networks against the interpreter for as long as you like: `make stress`.

Every case is a line of the log, with the commit that it ran on. A later run goes on behind the last seed of the log,
and the total counts the cases of this commit. The exit code is 1 where anything differed.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

from .worker import CASES

PATIENCE = 600  # seconds for one case


@dataclass
class Totals:
    """What all cases of a commit compared."""

    cases: int = 0
    refused: int = 0
    spikes: int = 0
    states: int = 0
    logits: int = 0
    failures: list[str] = field(default_factory=list)

    def add(self, record: dict[str, Any]) -> None:
        self.cases += 1
        self.refused += bool(record["refused"])
        for kind in ("spikes", "states", "logits"):
            setattr(self, kind, getattr(self, kind) + record[kind])
        if record["differences"]:
            self.failures.append(f"seed {record['seed']}, {record['target']}: {record['differences'][0]}")

    def __str__(self) -> str:
        text = f"{self.cases} networks ({self.refused} refused), {self.spikes:,} spikes, {self.states:,} states, "
        return text + f"{self.logits:,} logits compared; {len(self.failures)} networks differ"


@dataclass
class Suite:
    """The state that the workers' threads share."""

    log: TextIO
    commit: str
    until: float
    totals: Totals
    lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, record: dict[str, Any]) -> None:
        with self.lock:
            self.log.write(json.dumps({"commit": self.commit, **record}) + "\n")
            self.log.flush()
            self.totals.add(record)
            left = max(0, round(self.until - time.monotonic()))
            print(f"{left:5d} s left: {self.totals}", flush=True)
            if record["differences"]:
                print(f"  {self.totals.failures[-1]}", flush=True)

    def work(self, first: int, step: int) -> None:
        """Run cases first, first + step, ... in one process after another until the time is over."""
        while time.monotonic() < self.until:
            for record in _records(first, step, self.until):
                self.add(record)
            first += CASES * step


def _records(first: int, step: int, until: float) -> Iterator[dict[str, Any]]:
    """Yield the records of one worker; a case in which the process ends or hangs is a difference."""
    command = [sys.executable, "-m", "stress.worker", str(first), str(step)]
    worker = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    seed = first
    watch = threading.Timer(PATIENCE, worker.kill)
    try:
        for line in worker.stdout or ():
            watch.cancel()
            if line.startswith("begin "):
                seed = int(line.split()[1])
                if time.monotonic() > until:
                    return
                watch = threading.Timer(PATIENCE, worker.kill)
                watch.start()
            elif line.startswith("{"):
                yield json.loads(line)
        if worker.wait() != 0:
            kinds = {"refused": "", "spikes": 0, "states": 0, "logits": 0, "target": ""}
            yield {"seed": seed, **kinds, "differences": [f"the process ended with {worker.returncode}"]}
    finally:
        watch.cancel()
        worker.kill()
        worker.wait()


def _commit() -> str:
    """Return the commit of the tree, and whether files differ from it."""
    run = subprocess.run(["git", "describe", "--always", "--dirty", "--abbrev=12"], capture_output=True, text=True)
    return run.stdout.strip() or "unknown"


def main() -> int:
    parser = argparse.ArgumentParser(prog="stress", description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=3600)
    parser.add_argument("--seed", type=int, default=0, help="the first case, where the log has none")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--log", type=Path, default=Path("out/stress.jsonl"))
    asked = parser.parse_args()
    commit, totals, first = _commit(), Totals(), asked.seed
    if asked.log.exists():
        for record in map(json.loads, asked.log.read_text().splitlines()):
            first = max(first, record["seed"] + 1)
            if record["commit"] == commit:
                totals.add(record)
    asked.log.parent.mkdir(parents=True, exist_ok=True)
    with asked.log.open("a") as log:
        suite = Suite(log, commit, time.monotonic() + asked.seconds, totals)
        workers = [
            threading.Thread(target=suite.work, args=(first + i, asked.workers), daemon=True)
            for i in range(asked.workers)
        ]
        for worker in workers:
            worker.start()
        try:
            for worker in workers:
                worker.join()
        except KeyboardInterrupt:
            print(f"interrupted; {asked.log} keeps what is done, and the next run goes on behind it")
    print(f"commit {commit}: {totals}")
    print("\n".join(totals.failures))
    return 1 if totals.failures else 0


if __name__ == "__main__":
    sys.exit(main())
