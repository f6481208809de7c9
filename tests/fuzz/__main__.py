"""Damaged files by the thousand: none may crash, hang, take much memory, give wrong logits or end in a bug.

`python -m fuzz --seconds 600 --seed 0 [--only SUBJECT] [--keep FOLDER]`. Every subject (a kind of file) gets the
same time, in a process with a ceiling of memory; a file that takes longer than LIMIT_S is a finding. The files of
findings are kept. Exits with 1 where there are any. The same seed damages the same files in the same way.
"""

from __future__ import annotations

import argparse
import json
import select
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from .subjects import SUBJECTS

LIMIT_S = 20.0
"""For one file, on a busy machine; the intact one takes a hundredth of a second."""
_START_S = 300.0  # until a process has made its intact file


@dataclass
class Tally:
    """How many files of one subject were read in how long, and what was found."""

    name: str
    files: int = 0
    seconds: float = 0.0
    findings: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        rate = self.files / max(self.seconds, 1e-9)
        return f"{self.name:<12} {self.files:>8} files  {rate:>7.1f} /s  {len(self.findings)} findings"


class Campaign:
    """One subject for some seconds: processes that read damaged files, a new one after each that died."""

    def __init__(self, name: str, seed: int, seconds: float, kept: Path) -> None:
        self.tally = Tally(name)
        self._seed, self._seconds, self._kept = seed, seconds, kept
        self._index = -1  # the number of the file that is being read
        self._ends = 0.0

    def run(self) -> Tally:
        first = 0
        while self._ends == 0.0 or time.monotonic() < self._ends:
            with tempfile.TemporaryDirectory(prefix="spqc-fuzz-") as folder:
                self._one_process(first, Path(folder))
            first = self._index + 1
        self.tally.seconds = self._seconds
        return self.tally

    def _one_process(self, first: int, folder: Path) -> None:
        """Read files from number `first` on, until the time is over or the process has ended."""
        command = [sys.executable, "-m", "fuzz.worker", self.tally.name, str(self._seed), str(first), str(folder)]
        errors = (folder / "errors.txt").open("w+")
        with errors, self._started(command, errors) as process:
            try:
                reason = self._follow(process, folder)
            finally:
                process.kill()
            if reason:
                errors.seek(0)
                if self._index < first:
                    raise SystemExit(f"the process for '{self.tally.name}' did not start: {errors.read().strip()}")
                self._keep(folder, f"{reason} {errors.read().strip()[-500:]}".strip())

    def _started(self, command: list[str], errors: IO[str]) -> subprocess.Popen[str]:
        pipe = subprocess.PIPE
        return subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=errors, text=True)

    def _follow(self, process: subprocess.Popen[str], folder: Path) -> str:
        """Count what a process tells; return why it ended, or "" where the time is over."""
        assert process.stdin is not None and process.stdout is not None
        patience = _START_S
        while True:
            ready, _, _ = select.select([process.stdout], [], [], patience)
            if not ready:
                return f"nothing happened for {patience:.0f} s"
            line = process.stdout.readline()
            if not line:
                return f"the process ended with {process.wait()}"
            told = json.loads(line)
            if "finding" in told:
                self._keep(folder, told["finding"])
                print(file=process.stdin, flush=True)
                continue
            if self._ends == 0.0:
                self._ends = time.monotonic() + self._seconds
            self._index, patience = told["index"], LIMIT_S
            self.tally.files += 1
            if time.monotonic() >= self._ends:
                return ""

    def _keep(self, folder: Path, reason: str) -> None:
        """Keep the file that was being read, with the finding."""
        self._kept.mkdir(parents=True, exist_ok=True)
        for file in folder.glob("current.*"):
            shutil.copy(file, self._kept / f"{self.tally.name}-{self._seed}-{self._index}{file.suffix}")
        self.tally.findings.append(f"{self.tally.name} {self._index}: {reason}")
        print(f"FINDING {self.tally.findings[-1]}", flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(prog="fuzz")
    parser.add_argument("--seconds", type=float, default=600.0, help="for all subjects together")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", choices=list(SUBJECTS), help="one subject alone")
    parser.add_argument("--keep", type=Path, default=Path("out/fuzz"), help="where the files of findings go")
    asked = parser.parse_args()
    names = [asked.only] if asked.only else list(SUBJECTS)
    tallies = []
    for name in names:
        tallies.append(Campaign(name, asked.seed, asked.seconds / len(names), asked.keep).run())
        print(tallies[-1], flush=True)
    total = Tally("all", sum(t.files for t in tallies), sum(t.seconds for t in tallies))
    total.findings = [finding for tally in tallies for finding in tally.findings]
    print(total)
    if total.findings:
        print(f"the files are in {asked.keep}")
    return 1 if total.findings else 0


if __name__ == "__main__":
    sys.exit(main())
