"""Compiled networks against PyTorch eager with time folded into the batch: one process, one thread, inputs in turn.

    python bench/cpu.py [--quick] [--out FOLDER]

Every pair is checked for equal logits before it is timed. Ours and the peer take turns, each on inputs that rotate
(replaying one input would let the branch predictor learn it). Figures are medians of processor time of one call; the
ratio is peer over ours. Results go to FOLDER/cpu-DATE.json with the machine, versions and commit, and to
docs/benchmarks.md as a table.
"""

from __future__ import annotations

import argparse
import datetime
import json
import platform
import resource
import statistics
import subprocess
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

import spqc
from spqc.nn import models
from spqc.nn.eager import folded
from spqc.runtime.artifact import encode

ROOT = Path(__file__).resolve().parent.parent
SEED = 0


@dataclass(frozen=True)
class Case:
    """One network to time."""

    name: str
    model: str
    options: dict[str, Any]
    batches: tuple[int, ...] = (1, 16)


@dataclass(frozen=True)
class Row:
    """Measured processor time of one call, in milliseconds."""

    network: str
    batch: int
    gmac: float
    spike_rate: float
    ours_ms: float
    eager_ms: float
    ratio: float
    compile_s: float
    artifact_kb: float


def vgg9(bits: int, pool: str) -> Case:
    options = {"in_shape": (3, 32, 32), "classes": 10, "steps": 4, "weight_bits": bits, "pool": pool}
    return Case(f"vgg9 32x32 T4, {bits}-bit, {pool} pooling", "vgg9", options)


CASES = (
    Case("digits 8x8 T4, 4-bit", "digits", {"weight_bits": 4}),
    vgg9(2, "avg"),
    vgg9(4, "avg"),
    vgg9(2, "max"),
    vgg9(4, "max"),
    vgg9(8, "avg"),
)


def run_case(case: Case, rounds: int) -> list[Row]:
    net = models.create(case.model, seed=SEED, **case.options)
    began = time.perf_counter()
    artifact = spqc.compile(net, target="llvm")
    compile_s = time.perf_counter() - began
    eager = folded(net)
    return [_time_batch(case, net, artifact, eager, batch, rounds, compile_s) for batch in case.batches]


def _time_batch(
    case: Case, net: Any, artifact: Any, eager: Callable[[Any], torch.Tensor], batch: int, rounds: int, compile_s: float
) -> Row:
    draw = np.random.default_rng(SEED)
    shape = (batch, net.steps, *net.in_shape)
    inputs = [draw.integers(0, net.inputs.max + 1, shape).astype(np.uint8) for _ in range(6)]
    if net.inputs.coding == "direct":
        inputs = [np.repeat(x[:, :1], net.steps, axis=1) for x in inputs]
    for x in inputs[:2]:
        if not np.array_equal(artifact.run(x), eager(x).numpy()):
            raise SystemExit(f"{case.name}: the compiled network does not equal PyTorch; nothing is timed")
    rates = [float(spikes.float().mean()) for spikes, _ in net.trace(inputs[0]).values()]
    ours, theirs = _in_turn(artifact.run, eager, inputs, rounds)
    size = len(encode(artifact.contents)) / 1024
    gmac = batch * _macs(artifact) / 1e9
    return Row(case.name, batch, gmac, statistics.mean(rates), ours, theirs, theirs / ours, compile_s, size)


def _in_turn(
    first: Callable[[Any], Any], second: Callable[[Any], Any], inputs: list[Any], rounds: int
) -> tuple[float, float]:
    """Return the median milliseconds of processor time of two functions that take turns."""
    times: tuple[list[float], list[float]] = ([], [])
    for turn in range(rounds + 2):
        for function, kept in zip((first, second), times, strict=True):
            x = inputs[turn % len(inputs)]
            before = time.process_time()
            function(x)
            if turn >= 2:
                kept.append((time.process_time() - before) * 1e3)
    return statistics.median(times[0]), statistics.median(times[1])


def _macs(artifact: Any) -> int:
    """Return the dense multiply-accumulates of one inference, every step counted (a hoisted layer too)."""
    graph = artifact.graph
    total = 0
    for op in graph.ops:
        if op.name in ("conv2d", "linear"):
            weight = op.inputs[1].type
            pixels = int(np.prod(op.out.type.shape[1:], dtype=np.int64))
            total += weight.size * pixels * graph.steps
    return total


def environment() -> dict[str, Any]:
    cpu = next(
        (
            line.split(":")[1].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        "",
    )
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False
    ).stdout.strip()
    return {
        "kind": "measured",
        "date": datetime.date.today().isoformat(),
        "commit": commit,
        "cpu": cpu,
        "machine": platform.machine(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "spqc": spqc.__version__,
        "threads": 1,
    }


_INTRODUCTION = """# Measured speed on a CPU

Written by `make bench-cpu`: {cpu}, one thread, torch {torch}, {date}, commit {commit}.
Random weights, calibrated batch norms; logits were equal bit for bit before timing. Medians of processor time of one
call, inputs rotating; `ratio` is PyTorch eager (time folded into the batch, weights quantised and norms folded
beforehand) over ours. GMAC/s counts dense multiply-accumulates, zeros included.

| network | batch | spike rate | ours, ms | eager, ms | ratio | ours, GMAC/s | compile, s | artifact, kB |
|---|---|---|---|---|---|---|---|---|
"""


def table(rows: list[Row], facts: dict[str, Any]) -> str:
    return _INTRODUCTION.format(**facts) + "".join(f"| {' | '.join(_cells(row))} |\n" for row in rows)


def _cells(row: Row) -> list[str]:
    speed = row.gmac / row.ours_ms * 1e3
    times = [f"{row.spike_rate:.2f}", f"{row.ours_ms:.3f}", f"{row.eager_ms:.2f}", f"{row.ratio:.1f}", f"{speed:.0f}"]
    return [row.network, str(row.batch), *times, f"{row.compile_s:.1f}", f"{row.artifact_kb:.0f}"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="the first two networks, few rounds, nothing written")
    parser.add_argument("--out", type=Path, default=ROOT / "bench" / "results")
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    rows: list[Row] = []
    for case in CASES[:2] if chosen.quick else CASES:
        for row in run_case(case, rounds=5 if chosen.quick else 21):
            print(
                f"{row.network}, batch {row.batch}: {row.ours_ms:.3f} ms,",
                f"eager {row.eager_ms:.2f} ms, {row.ratio:.1f} times",
                flush=True,
            )
            rows.append(row)
    facts = environment() | {"peak_memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024}
    if chosen.quick:
        return
    chosen.out.mkdir(parents=True, exist_ok=True)
    result = chosen.out / f"cpu-{facts['date']}.json"
    result.write_text(json.dumps(facts | {"rows": [asdict(r) for r in rows]}, indent=1) + "\n")
    (ROOT / "docs" / "benchmarks.md").write_text(table(rows, facts))


if __name__ == "__main__":
    main()
