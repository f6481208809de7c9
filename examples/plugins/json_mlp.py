"""A frontend: multi-layer perceptrons written as JSON, run by a few lines of numpy.

    {"steps": 4, "inputs": 3, "classifier": [[1, -2]],
     "layers": [{"weight": [[2, 0, -1], [1, 1, 1]], "scale": 0.25, "offset": [0.0, 0.1], "threshold": 1.0}]}

Inputs are spikes, weights are 8-bit integers, and a layer computes `x = scale * (weight @ spikes) + offset` in float32.
"""

from __future__ import annotations

import json
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from spqc.contracts import Frontend, Match, Observation, Source
from spqc.errors import ModelError
from spqc.ir import Array, Builder, Graph, Type, Value
from spqc.ir.ops import Affine, Linear, Neuron
from spqc.ir.types import state_type

Numbers = npt.NDArray[Any]


class JsonMlp(Frontend):
    """Reads perceptrons of ternary spiking neurons from JSON."""

    name: ClassVar[str] = "json-mlp"

    @classmethod
    def matches(cls, source: Source) -> Match:
        if source.path is None or source.path.suffix != ".json":
            return Match.no("its name does not end in .json")
        head = source.head()
        if not head.lstrip().startswith(b"{"):
            return Match.no("it is no JSON object")
        if b'"layers"' in head and b'"steps"' in head:
            return Match.likely("a JSON object with steps and layers")
        return Match.unsure("a JSON object, whose beginning does not tell what it describes")

    def load(self, source: Source) -> Graph:
        model = read(source)
        build = Builder("mlp", model["steps"], notes=[("input_encoding", "spikes")])
        x = build.input("x", Type("spike", 1, (model["inputs"],)))
        for index, layer in enumerate(model["layers"]):
            x = add_layer(build, x, layer, index)
        weight = add_weight(build, "classifier", model["classifier"])
        (logits,) = build.op(Linear, x, weight, origin="classifier (Linear)")
        return build.graph(logits)

    def observe(self, source: Source, x: Array) -> Observation:
        """Run the model as its own framework would: float32 numpy, without any part of the compiler."""
        model = read(source)
        spikes: dict[str, list[Numbers]] = {}
        states: dict[str, list[Numbers]] = {}
        membrane: list[Numbers] = [np.zeros((len(x), len(layer["weight"])), np.float32) for layer in model["layers"]]
        logits = []
        for step in range(model["steps"]):
            now: Numbers = x[:, step].astype(np.int64)
            for index, layer in enumerate(model["layers"]):
                now, membrane[index] = run_layer(layer, now, membrane[index])
                spikes.setdefault(f"layers.{index}", []).append(now)
                states.setdefault(f"layers.{index}", []).append(membrane[index].astype(np.int64))
            logits.append(now @ np.array(model["classifier"], np.int64).T)
        return Observation(np.stack(logits, axis=1), over_time(spikes), over_time(states))


def read(source: Source) -> dict[str, Any]:
    """Return the description; ModelError with its place and a hint where it is none."""
    try:
        model = json.loads(source.path.read_text()) if source.path else None
    except (OSError, ValueError) as error:
        raise ModelError(f"the file cannot be read as JSON: {error}", source.label) from None
    missing = {"steps", "inputs", "layers", "classifier"} - set(model if isinstance(model, dict) else ())
    if missing or not isinstance(model, dict):
        lacks = f"the model lacks {', '.join(sorted(missing))}"
        raise ModelError(lacks, source.label, "see the first lines of json_mlp.py")
    return model


def add_layer(build: Builder, x: Value, layer: dict[str, Any], index: int) -> Value:
    """Append one layer and return its spikes."""
    origin = f"layers.{index} (Layer)"  # its first word names the layer in `spqc verify` and in every error
    (n,) = build.op(Linear, x, add_weight(build, f"weight{index}", layer["weight"]), origin=origin)
    real = Type("float", 32, n.type.shape)
    a = build.constant(f"scale{index}", real, np.full(n.type.shape, layer["scale"], np.float32))
    b = build.constant(f"offset{index}", real, np.array(layer["offset"], np.float32))
    (current,) = build.op(Affine, n, a, b, origin=origin)
    state = build.state(f"membrane{index}", state_type(-1, 1, n.type.shape))
    threshold = float(np.float32(layer["threshold"]))
    spike, following = build.op(Neuron, current, state, origin=origin, threshold=threshold)
    build.nexts.append(following)
    return spike


def add_weight(build: Builder, name: str, rows: list[list[int]]) -> Value:
    array = np.array(rows, np.int64)
    if array.ndim != 2 or np.abs(array).max(initial=0) > 127:
        raise ModelError(f"'{name}' is not a matrix of integers from -127 to 127", hint="quantise it first")
    return build.constant(name, Type("int", 8, array.shape), array)


def run_layer(layer: dict[str, Any], spikes: Numbers, membrane: Numbers) -> tuple[Numbers, Numbers]:
    """Charge, fire, reset to 0, and quantise to -1, 0 or 1 (a tie goes to the lower level)."""
    n = (spikes @ np.array(layer["weight"], np.int64).T).astype(np.float32)
    current = n * np.float32(layer["scale"]) + np.array(layer["offset"], np.float32)
    u = np.float32(0.5) * membrane + current
    fired = u >= np.float32(layer["threshold"])
    v = np.where(fired, np.float32(0), u)
    return fired.astype(np.int64), (v > 0.5).astype(np.float32) - (v <= -0.5).astype(np.float32)


def over_time(series: dict[str, list[Numbers]]) -> dict[str, Numbers]:
    return {name: np.stack(arrays, axis=1) for name, arrays in series.items()}


PLUGIN = JsonMlp
