"""Compiled networks against what users run today: one process, inputs in turn, exactness first.

python -m bench.cpu [--quick] [--only TEXT] [--peers a,b] [--threads 1,2] [--out FOLDER]
"""

from __future__ import annotations

import argparse
import datetime
import gc
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import spqc
from spqc.commands.sources import read_model
from spqc.foundation.version import __version__
from spqc.runtime.artifact import encode

from .networks import SEED, Case, build, digits, events, folded, frames, rates, resnet19, spikformer, vgg9
from .page import page
from .peers import PEERS, Peer, Setting
from .resident import above_bare_mb
from .timing import in_turn, rounds_for

ROOT = Path(__file__).resolve().parent.parent.parent
INPUTS = 6
VISITS = 3  # of a peer, the others between them: what else the machine does for some seconds spoils one at most
BATCHES = (1, 16)
SLOW_TO_PREPARE = ("compile", "ort-int8")  # minutes in all: at the first batch size only, but with `--slow`
_TURNS, _BESIDE_S = 1001, 20.0  # of several threads beside one: long enough to meet calm seconds
TWO_THREADS = ("openvino-int8",)  # the threads of torch spin after a call, which would slow ours

CASES = (
    digits(4),
    *(vgg9(bits) for bits in (2, 4, 8)),
    *(resnet19(bits) for bits in (2, 4, 8)),
    *(vgg9(bits, "avg") for bits in (2, 4)),
    vgg9(2, size=48, steps=10),
    spikformer(4),
    vgg9(2, rate=0.05),
    vgg9(2, rate=0.30),
    vgg9(4, rate=0.05),
    vgg9(4, rate=0.30),
    resnet19(2, steps=2),
    *(vgg9(8, grid=grid) for grid in ("pot", "apot")),  # weights of two bytes, which no peer has in integers
    events(2),
)


def main() -> None:
    chosen = _arguments()
    result = started(environment(chosen.peers), chosen.out)
    for case in CASES:
        if chosen.only not in f"{case.name} rate {case.rate}":
            continue
        _run_case(case, chosen, result)
        if not chosen.quick:
            _write(result, chosen.out)


def started(facts: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Return a result without rows, or today's file, so that a part can be measured again; each row has its commit."""
    path = _result_path(facts, folder)
    earlier = json.loads(path.read_text()) if path.exists() else {}
    if earlier.get("schema") != facts["schema"] or earlier.get("cpu") != facts["cpu"]:
        return facts | {"networks": {}, "rows": []}
    versions = earlier["versions"] | facts["versions"]  # rows that stay have peers that this run may lack
    return facts | {"networks": earlier["networks"], "rows": earlier["rows"], "versions": versions}


def put(rows: list[dict[str, Any]], row: dict[str, Any]) -> None:
    """Add a row, in the place of one of the same network, batch and threads; peers of the same commit stay in it."""
    key = ("network", "batch", "threads")
    same = [i for i, old in enumerate(rows) if all(old[name] == row[name] for name in key)]
    place = same[0] if same else len(rows)
    if same and rows[place]["commit"] == row["commit"]:
        row = row | {"peers": rows[place]["peers"] | row["peers"]}
    rows[place : place + 1] = [row]


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.cpu", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few rounds, nothing written")
    parser.add_argument("--slow", action="store_true", help="peers that take minutes to prepare, at every batch size")
    parser.add_argument("--only", default="", help="networks whose name contains this text")
    parser.add_argument("--peers", default=",".join(p.name for p in PEERS), help="names, separated by commas")
    parser.add_argument("--threads", default="1,2", help="numbers of threads, separated by commas")
    parser.add_argument("--budget", type=float, default=2.0, help="seconds of timed rounds for each pair")
    parser.add_argument("--out", type=Path, default=ROOT / "bench" / "results")
    arguments = parser.parse_args()
    arguments.peers = [p for p in PEERS if p.name in arguments.peers.split(",")]
    arguments.threads = [int(n) for n in arguments.threads.split(",")]
    return arguments


def _run_case(case: Case, chosen: argparse.Namespace, result: dict[str, Any]) -> None:
    net = build(case)
    name = case.name if case.rate in (None, 0.15) else f"{case.name}, rate {case.rate:.0%}"
    made: dict[int, Any] = {}
    for threads in chosen.threads:
        began = time.perf_counter()
        artifact = made[threads] = _compiled(net, threads)
        seconds = time.perf_counter() - began
        _require_exact(name, net, artifact)
        if threads == 1:
            result["networks"][name] = _costs(artifact, seconds)
        for batch in BATCHES:
            peers = [p for p in chosen.peers if _takes_part(p.name, batch, threads, chosen.slow)]
            row = _row(name, net, artifact, batch, threads, peers, chosen.budget)
            if threads > 1:
                row |= _beside_one_thread(net, batch, made.get(1) or _compiled(net, 1), artifact)
            put(result["rows"], row | {"commit": result["commit"]})


def _compiled(net: Any, threads: int) -> Any:
    return spqc.compile(net, target=f"llvm{{threads={threads}}}", calibrate=frames(net, 1, SEED), records="none")


def _inputs(net: Any, batch: int) -> list[Any]:
    return [frames(net, batch, SEED + 10 + i) for i in range(INPUTS)]


def _beside_one_thread(net: Any, batch: int, one_thread: Any, artifact: Any) -> dict[str, float]:
    """Return the wall times of one thread and of the artifact's threads, in turn: minutes apart the machine differs."""
    inputs = _inputs(net, batch)
    calls = [(lambda i, run=a.run: run(inputs[i % INPUTS])) for a in (one_thread, artifact)]
    seconds = in_turn(calls[:1], rounds=3)[0].wall_ms / 1e3
    one, several = in_turn(calls, rounds_for(8 * seconds, most=_TURNS, budget_s=_BESIDE_S))
    return {
        "one_thread_ms": one.wall_ms,
        "threads_ms": several.wall_ms,
        "one_thread_calm_ms": one.calm_ms,
        "threads_calm_ms": several.calm_ms,
    }


def _takes_part(peer: str, batch: int, threads: int, slow: bool) -> bool:
    if threads > 1:
        return peer in TWO_THREADS
    return slow or batch == BATCHES[0] or peer not in SLOW_TO_PREPARE


def _require_exact(name: str, net: Any, artifact: Any) -> None:
    """End the run unless windows, traces and streams equal PyTorch and the interpreter."""
    report = spqc.verify(net, artifact=artifact, x=frames(net, 2, SEED))
    if not report.equal:
        raise SystemExit(f"{name}: the compiled network does not equal PyTorch; nothing is timed")


def _costs(artifact: Any, seconds: float) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "net.spqc")
        artifact.save(path)
        bare, above = above_bare_mb(path)
    names = [kernel["strategy"] for kernel in artifact.contents.report["kernels"]["run"]]
    counted = ", ".join(f"{names.count(n)} {n}" for n in dict.fromkeys(names))
    size = len(encode(artifact.contents)) / 1024
    return {"compile_s": seconds, "artifact_kb": size, "memory_mb": above, "bare_mb": bare, "strategies": counted}


def _row(
    name: str, net: Any, artifact: Any, batch: int, threads: int, peers: list[Peer], budget: float
) -> dict[str, Any]:
    inputs = _inputs(net, batch)
    ready = [folded(net, x) for x in inputs]
    row: dict[str, Any] = {"network": name, "batch": batch, "threads": threads, "peers": {}}
    row |= {"rate": float(np.mean(rates(net, inputs[0]))), "gmac": batch * _macs(artifact) / 1e9}
    (alone,) = in_turn([lambda i: artifact.run(inputs[i % INPUTS])], rounds=15)
    row["ours_ms"] = alone.cpu_ms if threads == 1 else alone.wall_ms
    setting = Setting(read_model(net).graph, batch, threads, ready[:4])
    prepared = [_prepared(peer, setting, artifact, inputs, ready, budget) for peer in peers]
    rivals = [rival for rival in prepared if rival is not None]
    visits = [[rival.visit(artifact, inputs, ready, threads) for rival in rivals] for _ in range(VISITS)]
    for rival, *times in zip(rivals, *visits, strict=True):
        row["peers"][rival.name] = facts = middle(times) | rival.facts
        print(
            f"{name}, batch {batch}, {threads} threads: ours {facts['ours_ms']:.3f} ms, {rival.name}",
            f"{facts['ms']:.3f} ms, {facts['ratio']:.2f} times",
            flush=True,
        )
    gc.collect()
    return row


def middle(visits: list[tuple[float, float]]) -> dict[str, Any]:
    """Return the facts of the visit with the middle ratio: (our ms, the peer's ms) each."""
    ordered = sorted(visits, key=lambda times: times[1] / times[0])
    ours, theirs = ordered[len(ordered) // 2]
    return {"ms": theirs, "ours_ms": ours, "ratio": theirs / ours, "ratios": [t / o for o, t in visits]}


@dataclass(frozen=True)
class Rival:
    """A peer that is ready: what is called in turn with ours, and for how many rounds at a visit."""

    name: str
    call: Callable[[Any], Any]
    rounds: int
    facts: dict[str, float]

    def visit(self, artifact: Any, inputs: list[Any], ready: list[Any], threads: int) -> tuple[float, float]:
        """Return our milliseconds and the peer's, medians of calls in turn."""
        count = len(inputs)
        calls = [lambda i: artifact.run(inputs[i % count]), lambda i: self.call(ready[i % count])]
        ours, theirs = in_turn(calls, self.rounds)
        return (ours.cpu_ms, theirs.cpu_ms) if threads == 1 else (ours.wall_ms, theirs.wall_ms)


def _prepared(
    peer: Peer, setting: Setting, artifact: Any, inputs: list[Any], ready: list[Any], budget: float
) -> Rival | None:
    """Return a peer that has answered once, None where it cannot serve."""
    began = time.perf_counter()
    try:
        call = peer.make(setting)
        logits = call(ready[0])
    except (ImportError, ValueError, RuntimeError) as error:
        print(f"  {peer.name} cannot take part: {error}", file=sys.stderr)
        return None
    prepared = time.perf_counter() - began
    exact = artifact.executor.run(artifact.feed(inputs[0])).swapaxes(0, 1).reshape(logits.shape)
    began = time.perf_counter()
    call(ready[1])
    rounds = rounds_for(4 * (time.perf_counter() - began), budget_s=budget)
    difference = float(np.abs(logits - exact).max())
    facts = {"prepare_s": prepared, "greatest_logit_difference": difference}
    return Rival(peer.name, call, -(-rounds // VISITS), facts)


def _macs(artifact: Any) -> int:
    """Return the dense multiply-accumulates of one inference, every step counted (a hoisted layer too)."""
    graph, total = artifact.graph, 0
    for op in graph.ops:
        if op.name.startswith("conv") or op.name == "linear":
            pixels = int(np.prod(op.out.type.shape[1:], dtype=np.int64))
            total += op.inputs[1].type.size * pixels * graph.steps
    return total


def environment(peers: list[Peer]) -> dict[str, Any]:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    cpu = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), "unknown")
    command = ["git", "rev-parse", "--short", "HEAD"]
    commit = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False).stdout.strip()
    return {
        "schema": "spqc.bench.cpu/2",
        "kind": "measured",
        "date": datetime.date.today().isoformat(),
        "commit": commit,
        "cpu": cpu,
        "cores": os.cpu_count(),
        "machine": platform.machine(),
        "python": platform.python_version(),
        "versions": {"spqc": __version__} | {p.package: p.version for p in peers},
    }


def _result_path(facts: dict[str, Any], folder: Path) -> Path:
    return Path(folder, f"cpu-{facts['date']}.json")


def _write(result: dict[str, Any], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    _result_path(result, folder).write_text(json.dumps(result, indent=1) + "\n")
    if folder == ROOT / "bench" / "results":
        Path(ROOT, "docs", "benchmarks.md").write_text(page(result))


if __name__ == "__main__":
    main()
