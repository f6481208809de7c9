"""What the project set out to reach on one thread, and how far each measured row is from it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

Ratios = Mapping[str, float]  # by peer: its time over ours

DENSE: Mapping[int, Ratios] = {
    2: {"eager": 20, "compile": 15, "ort-int8": 5, "openvino-int8": 4},
    4: {"eager": 12, "compile": 9, "ort-int8": 3, "openvino-int8": 2.3},
    8: {"eager": 5, "compile": 4, "ort-int8": 1.4, "openvino-int8": 1.1},
}
"""VGG-9 with max pooling and ResNet-19, by bits of a weight, at a 15 % spike rate."""

AVERAGE: Mapping[int, Ratios] = {2: {"openvino-int8": 3}, 4: {"openvino-int8": 1.8}}
"""VGG-9 with average pooling: its sums read 0 to 4 spikes at once."""

THREADS = 1.85  # two threads against one, wall time
MEMORY_MB = 120  # of VGG-9 with ten steps and 2-bit weights, above bare Python


def goals(network: str) -> Ratios:
    """Return the goals of a network by its name in the table, none for a network without."""
    if "rate" in network or "T4" not in network:
        return {}
    bits = {f"{n}-bit": n for n in DENSE}.get(network.rpartition(", ")[2], 0)
    if "avg pool" in network:
        return AVERAGE.get(bits, {})
    return DENSE.get(bits, {}) if network.startswith(("vgg9", "resnet19")) else {}


def against_goals(rows: list[dict[str, Any]]) -> Iterator[list[str]]:
    """Yield a table's lines: network, batch, and for each peer the ratio beside its goal."""
    for row in rows:
        wanted = goals(row["network"]) if row["threads"] == 1 else {}
        if wanted:
            yield [row["network"], str(row["batch"]), *(_cell(row["peers"], peer, wanted) for peer in DENSE[2])]


def _cell(peers: Mapping[str, Any], name: str, wanted: Ratios) -> str:
    if name not in wanted or name not in peers:
        return "-"
    ratio = peers[name]["ratio"]
    shown = f"{ratio:.1f}" if ratio >= max(10, wanted[name]) else f"{ratio:.2f}"
    return f"{shown} of {wanted[name]:g}, {'reached' if ratio >= wanted[name] else 'missed'}"
