"""What a command must say of a bad file: its exit code, and words in the error."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

Run = Callable[..., object]
X = np.zeros((1, 2, 4), np.uint8)


def assert_error(outcome: object, code: int, *words: str) -> None:
    """Check the exit code, and that the error names these words."""
    assert outcome.code == code, outcome  # type: ignore[attr-defined]
    assert outcome.out == ""  # type: ignore[attr-defined]
    err: str = outcome.err  # type: ignore[attr-defined]
    assert err.startswith("error: ") and "Traceback" not in err
    for word in words:
        assert word in err, err


def assert_refused(spqc: Run, path: Path, *words: str) -> None:
    """Check that `inspect` and `run` refuse an artifact, and name it and these words."""
    for command in (["inspect", path], ["run", path, "--input", "x.npy"]):
        assert_error(spqc(*command), 2, path.name, *words)
