"""The measurements as a page: one table against every peer, one of what a user pays besides."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from .goals import DENSE, MEMORY_MB, THREADS, against_goals

_TOP = """# Measured speed on a CPU

Written by `make bench-cpu`: {cpu}, {date}, commit {commits}; {versions}.

Every row is one run: ours and one peer take turns of four calls in one process, each on inputs that rotate; the first
call of a turn, which finds the other's data in the caches, is not timed. Figures are medians of **measured** processor
time of one call, or of wall time where there are two threads, and a ratio is the peer's time over ours. Each peer is
visited three times, the others between; of the three ratios the middle one is shown, with its times. Before anything
is timed, our logits are compared with PyTorch's exact evaluation, bit for bit. Weights are random powers of two (at 8
bits: integers), and every layer's threshold is set so that it fires at the stated rate. Peers run the same network with
time folded into the batch and batch norm folded into the weights, on float32 frames that are ready; ours reads 8-bit
frames through `Artifact.run`, checks included. `openvino-int8` gets exact 8-bit codes around every sum, its fastest
integer form; `ort-int8` is ONNX Runtime's own static quantisation, whose logits are not the network's. `spikingjelly`
keeps float membranes: the same work, another function. `ours, ms` was measured with no peer beside it.
GMAC/s counts dense multiply-accumulates, zeros included.
"""

Row = dict[str, Any]


def page(result: dict[str, Any]) -> str:
    """Return the page of one result file."""
    versions = ", ".join(f"{name} {version}" for name, version in result["versions"].items())
    rows: list[Row] = result["rows"]
    commits = " and ".join(dict.fromkeys(row["commit"] for row in rows))
    parts = [_TOP.format(cpu=result["cpu"], date=result["date"], commits=commits, versions=versions)]
    for threads in sorted({row["threads"] for row in rows}):
        chosen = [row for row in rows if row["threads"] == threads]
        parts.append(f"\n## {threads} thread{'s' if threads > 1 else ''}\n\n{_speed(chosen)}")
        parts.append("" if threads == 1 else _threads(chosen))
    parts.append(_once(rows))
    parts.append(f"\n## Against the goals\n\n{_goals(rows)}")
    parts.append(f"\n## What else it costs\n\n{_costs(result['networks'])}")
    return "".join(parts)


def _speed(rows: list[Row]) -> str:
    peers = list(dict.fromkeys(name for row in rows for name in row["peers"]))
    head = ["network", "batch", "rate", "ours, ms", "GMAC/s", *peers]
    return _table(head, [_speed_cells(row, peers) for row in rows])


def _speed_cells(row: Row, peers: list[str]) -> list[str]:
    ours = row["ours_ms"]
    cells = [row["network"], str(row["batch"]), f"{row['rate']:.2f}", f"{ours:.3g}", f"{row['gmac'] / ours * 1e3:.0f}"]
    return cells + [_ratio(row["peers"].get(peer)) for peer in peers]


def _goals(rows: list[Row]) -> str:
    """Return every goal with what was reached, also where it was missed."""
    lead = (
        "Times of a peer over ours, one thread. Besides: digits at batch 1 in a third of the best peer's time; two\n"
        f"threads {THREADS:g} times as fast as one; VGG-9 with ten steps and 2-bit weights within {MEMORY_MB} MB.\n"
        "Why a goal was missed, and what comes next: "
        "[the diary of the CPU kernels](cpu-kernels-diary.md#a-vgg-9-layer-by-layer).\n\n"
    )
    return lead + _table(["network", "batch", *DENSE[2]], against_goals(rows))


def _threads(rows: list[Row]) -> str:
    """Return a sentence for each network: wall time on several threads against one, both in turn."""
    lines = [
        f"- {row['network']}, batch {row['batch']}: {row['one_thread_ms']:.3g} ms on one thread, "
        f"{row['threads_ms']:.3g} ms here, {row['one_thread_ms'] / row['threads_ms']:.2f} times as fast{_calm(row)}\n"
        for row in rows
        if "one_thread_ms" in row
    ]
    lead = (
        "\nOurs against ours on one thread, in turn: medians of wall time, and what the fastest tenth of each one's\n"
        "calls keep within, when whoever else uses the machine leaves both cores alone:\n\n"
    )
    return lead + "".join(lines) if lines else ""


def _calm(row: Row) -> str:
    if "threads_calm_ms" not in row:
        return ""
    one, here = row["one_thread_calm_ms"], row["threads_calm_ms"]
    return f"; fastest tenth: {one:.3g} and {here:.3g} ms, {one / here:.2f} times"


def _once(rows: list[Row]) -> str:
    """Return which networks' rows are of a time when the bench visited every peer once."""
    names = dict.fromkeys(row["network"] for row in rows if any("ratios" not in p for p in row["peers"].values()))
    return f"\nMeasured by an earlier commit, in one visit: {'; '.join(names)}.\n" if names else ""


def _ratio(row: Row | None) -> str:
    return "-" if row is None else f"{row['ratio']:.1f}x ({row['ms']:.3g} ms)"


def _costs(networks: dict[str, Row]) -> str:
    head = ["network", "compile, s", "artifact, kB", "peak memory of running it above bare Python, MB", "strategies"]
    cells = [
        [name, f"{n['compile_s']:.1f}", f"{n['artifact_kb']:.0f}", _memory(n), n.get("strategies", "")]
        for name, n in networks.items()
    ]
    return _table(head, cells)


def _memory(network: Row) -> str:
    memory_mb = network.get("memory_mb")
    return "-" if memory_mb is None else f"{memory_mb:.0f}"


def _table(head: list[str], rows: Iterable[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)
