"""Peak memory of a process that only runs an artifact, above a bare Python with numpy."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

_BARE = "import resource; print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
_RUN = """
import resource, sys
import numpy as np
import spqc
artifact = spqc.load(sys.argv[1])
frame = artifact.graph.inputs[0].type
x = np.random.default_rng(0).integers(0, artifact.inputs.max + 1, (1, *frame.shape)).astype(np.uint8)
artifact.run(x); artifact.run(x)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def above_bare_mb(artifact: Path) -> tuple[float, float]:
    """Return (peak of a bare Python, peak of one that loads and runs the artifact above it), in MB."""
    bare = _peak_kb([_BARE])
    return bare / 1024, (_peak_kb([_RUN, str(artifact)]) - bare) / 1024


def _peak_kb(arguments: list[str]) -> int:
    done = subprocess.run([sys.executable, "-c", *arguments], capture_output=True, text=True, check=True)
    return int(done.stdout)
