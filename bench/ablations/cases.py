"""What is compared: three data sets with a small network each, and the configurations of the ablations."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

SEEDS = (0, 1, 2)
STEPS = 4


@dataclass(frozen=True)
class Task:
    """A data set, the network that is trained on it, and the recipe that all configurations share."""

    name: str
    model: str
    data: str
    epochs: int
    options: dict[str, Any]
    says: str


@dataclass(frozen=True)
class Case:
    """One configuration: a preset and what is set over it."""

    name: str
    preset: str
    options: dict[str, Any] = field(default_factory=dict)


_EVENT_LAYERS = [
    {"op": "conv2d", "out": 16, "kernel": 5, "stride": 2, "padding": 2},
    {"op": "conv2d", "out": 32, "kernel": 3, "stride": 2, "padding": 1},
    {"op": "flatten"},
    {"op": "linear", "out": 10},
]
_CUBE_LAYERS = [
    {"op": "conv2d", "out": 24, "kernel": 3},
    {"op": "conv2d", "out": 24, "kernel": 3},
    {"op": "flatten"},
    {"op": "linear", "out": 6},
]

TASKS = (
    Task("digits", "digits", "digits", 20, {"width": 8, "learning_rate": 0.01}, "digits model of width 8, 20 epochs"),
    Task(
        "events",
        "sequential",
        "synthetic-events{kept=0.8 noise=0.01 train_samples=1500}",
        10,
        {"layers": _EVENT_LAYERS, "learning_rate": 0.01},
        "16C5/2-32C3/2-FC, 10 epochs",
    ),
    Task(
        "cube",
        "sequential",
        "synthetic-cube",
        20,
        {"layers": _CUBE_LAYERS, "in_shape": [32, 5, 5], "learning_rate": 0.01},
        "bands as channels, 24C3-24C3-FC, 20 epochs",
    ),
)

CASES = (
    Case("full precision", "full"),
    Case("Quant", "quant"),
    Case("SpQuant", "spquant"),
    Case("full precision + adaptive", "full+adaptive"),
    Case("Quant + adaptive", "quant+adaptive"),
    Case("SpQuant + adaptive", "spquant+adaptive"),
    Case("SpQuant + gate target 68 %", "spquant+gated"),
    Case("2-bit weights", "quant", {"weight_bits": 2}),
    Case("8-bit weights", "quant", {"weight_bits": 8, "weight_grid": "apot"}),
    Case("T = 1", "quant", {"steps": 1}),
    Case("T = 2", "quant", {"steps": 2}),
    Case("T = 10", "quant", {"steps": 10}),
    Case("negatives silenced", "quant+silenced"),
    Case("lowest level -2", "quant", {"membrane": [-2, -1, 0, 1]}),
    Case("lowest level -3", "quant", {"membrane": [-3, -2, -1, 0, 1]}),
    Case("float membrane", "quant", {"membrane": "float"}),
    Case("sparse weights, L0", "quant+sparse"),
    Case("sparse weights, blocks of 4", "quant", {"sparsity": "block:4"}),
    Case("sparse weights, 2:4", "quant", {"sparsity": "2:4"}),
)


def key(task: Task, case: Case, seed: int) -> str:
    """Return the name of one run."""
    return f"{task.name} | {case.name} | {seed}"
