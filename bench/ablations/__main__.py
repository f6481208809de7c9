"""Train every configuration that is not in the results yet, then write the page.

    python -m bench.ablations [--minutes M] [--only TEXT] [--page]

Stop it at any time: each run is written when it ends, and a later call goes on with those that are missing.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime
import io
import json
import os
import platform
import time
from pathlib import Path
from typing import Any

import torch

import spqc
from spqc.foundation.files import write_atomic
from spqc.train import train

from .cases import CASES, SEEDS, STEPS, TASKS, Case, Task, key
from .page import page

ROOT = Path(__file__).resolve().parents[2]
RESULTS = ROOT / "bench" / "results" / "ablations.json"
PAGE = ROOT / "docs" / "ablations.md"


def main() -> None:
    """Run what is missing, seed after seed, and write both files."""
    chosen = _arguments()
    limit = time.monotonic() + 60 * chosen.minutes
    results = read()
    for seed in SEEDS:
        for case in CASES:
            for task in TASKS:
                name = key(task, case, seed)
                if chosen.page or name in results["runs"] or chosen.only not in name or time.monotonic() > limit:
                    continue
                results["runs"][name] = one(task, case, seed)
                results |= environment()
                write_atomic(RESULTS, (json.dumps(results, indent=1) + "\n").encode())
                print(f"{name}: {100 * results['runs'][name]['test_accuracy']:.2f} %", flush=True)
    write_atomic(PAGE, page(results).encode())


def read() -> dict[str, Any]:
    """Return the results so far."""
    if not RESULTS.exists():
        return {"runs": {}}
    results: dict[str, Any] = json.loads(RESULTS.read_text())
    return results


def one(task: Task, case: Case, seed: int) -> dict[str, Any]:
    """Train one configuration and return what it reached; shares are means over the layers."""
    started = time.process_time()
    options = {"steps": STEPS, **task.options, **case.options}
    with contextlib.redirect_stderr(io.StringIO()):
        report = train(
            task.model, data=task.data, preset=case.preset, options=options, epochs=task.epochs, seed=seed, batch=64
        )
    layers = report.layers
    shares = {
        name: sum(getattr(layer, name) for layer in layers) / len(layers)
        for name in ("spike_rate", "zero_states", "kept", "open_gates", "threshold", "weight_density")
    }
    accuracies = {"test_accuracy": report.test_accuracy, "train_accuracy": report.train_accuracy}
    return {**accuracies, **shares, "cpu_seconds": round(time.process_time() - started, 2)}


def environment() -> dict[str, Any]:
    """Return what the results depend on, beside the code."""
    return {
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "cpu": _cpu(),
        "versions": {"spqc": spqc.__version__, "torch": torch.__version__, "python": platform.python_version()},
    }


def _cpu() -> str:
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.ablations", description=__doc__)
    parser.add_argument("--minutes", type=float, default=1e6, help="start no run after so many minutes")
    parser.add_argument("--only", default="", help="runs whose name holds this text, as in 'digits | Quant'")
    parser.add_argument("--page", action="store_true", help="train nothing: write the page of what there is")
    return parser.parse_args()


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    main()
