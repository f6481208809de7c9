"""Peak memory of a process that only runs an artifact, above a bare Python."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

# VmHWM and not getrusage: the latter hands a child the peak of the process that started it.
_PEAK = "print(open('/proc/self/status').read().partition('VmHWM:')[2].split()[0])"
_RUN = """
import sys
import numpy as np
import spqc
artifact = spqc.load(sys.argv[1])
frame = artifact.graph.inputs[0].type
x = np.random.default_rng(0).integers(0, artifact.inputs.max + 1, (1, *frame.shape)).astype(np.uint8)
artifact.run(x); artifact.run(x)
"""


def above_bare_mb(artifact: Path) -> tuple[float, float]:
    """Return (peak of a bare Python, peak of one that loads and runs the artifact above it), in MB."""
    bare = _peak_kb([_PEAK])
    return bare / 1024, (_peak_kb([_RUN + _PEAK, str(artifact)]) - bare) / 1024


def _peak_kb(arguments: list[str]) -> int:
    done = subprocess.run([sys.executable, "-c", *arguments], capture_output=True, text=True, check=True)
    return int(done.stdout)
