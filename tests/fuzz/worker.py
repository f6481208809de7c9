"""A process that damages and reads one file after another: it tells each number before it reads, and each finding.

`python -m fuzz.worker SUBJECT SEED FIRST FOLDER`: the file lies in FOLDER while it is read, so that whoever
started this process finds it there when the process dies or hangs. After a finding the process waits for a line.
"""

from __future__ import annotations

import json
import resource
import sys
from pathlib import Path

import numpy as np

from .subjects import SUBJECTS

MEMORY_BYTES = 1 << 30
"""What the process may map more than when it starts reading."""


def limit_memory() -> None:
    """Let this process map MEMORY_BYTES more than now."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    ceiling = pages * resource.getpagesize() + MEMORY_BYTES
    resource.setrlimit(resource.RLIMIT_AS, (ceiling, ceiling))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def main() -> None:
    name, seed, first, folder = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[4])
    subject = SUBJECTS[name](folder)
    path = folder / f"current{subject.suffix}"
    path.write_bytes(subject.intact)
    found = subject.run(path, True)
    if found:
        raise SystemExit(f"the intact file is refused: {found}")
    limit_memory()
    index = first
    while True:
        damaged = subject.damage(np.random.default_rng([seed, sum(name.encode()), index]), subject.intact)
        path.write_bytes(damaged)
        print(json.dumps({"index": index}), flush=True)
        found = subject.run(path, False)
        if found:
            print(json.dumps({"index": index, "finding": found}), flush=True)
            sys.stdin.readline()  # the file stays as it is until it was kept
        index += 1


if __name__ == "__main__":
    main()
