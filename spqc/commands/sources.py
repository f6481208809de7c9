"""From what the user names - a file, a live network, a graph - to the model, and to real inputs for it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from spqc.commands.matching import frontend_for
from spqc.foundation.errors import ModelError, SpqcError, UsageError
from spqc.foundation.options import build, nearest, require_seed, split_call
from spqc.ir import Graph, verify
from spqc.ir.finite import require_finite
from spqc.plugins.frontend import Frontend, Source
from spqc.runtime.observe import input_format
from spqc.runtime.samples import Examples, random_codes

RANDOM_SAMPLES = 16
DATA_SETS = ("digits",)


@dataclass(frozen=True)
class Model:
    """A model that was read: its source, the frontend that read it, and the graph as loaded."""

    source: Source
    frontend: Frontend
    graph: Graph


def read_model(model: Any, frontend: str | None = None) -> Model:
    """Return the model in a file, or a live object; ModelError says why it cannot be read.

    frontend: the name of the one to read it with, instead of the one that is surest.
    """
    if isinstance(model, Model):
        return model
    source = source_of(model)
    reader = frontend_for(source, frontend)
    return Model(source, reader, require_finite(verify(reader.load(source)), source.label))


def source_of(model: Any) -> Source:
    """Return what the user gave as a source; ModelError for a path with nothing to read."""
    if not isinstance(model, str | Path):
        return Source(f"<{type(model).__name__}>", model=model)
    path = Path(model)
    try:
        missing = not path.exists()
    except OSError as error:
        raise ModelError(f"the file cannot be read: {error.strerror}", str(model)) from None
    if missing:
        raise ModelError("there is no such file", str(model), "give the path of a model, e.g. examples/digits.pt")
    if path.is_dir():
        raise ModelError("this is a folder, not a model", str(model))
    if path.stat().st_size == 0:
        raise ModelError("the file is empty", str(model), "was it written completely?")
    return Source(str(model), path)


def data_set(name: str, samples: int | None = None) -> Examples:
    """Return the real test images of a known data set; UsageError names the package that is missing."""
    if name not in DATA_SETS:
        raise UsageError(f"there is no data set '{name}'", hint=nearest(name, DATA_SETS))
    try:
        from spqc.train import digits
    except ImportError as error:
        raise UsageError(f"the data set '{name}' needs {error.name}", hint="pip install 'spqc[torch]'") from None
    split = digits.load()
    x, labels = split.test_images[:samples], split.test_labels[:samples]
    return Examples(x, f"real test images of '{name}'", labels)


def data_samples(text: str, root: str | Path | None, samples: int, seed: int) -> Examples:
    """Return some samples of a data set, `name` or `name{key=value}`, drawn from its test split where it has one."""
    try:
        from spqc.train import data
    except ImportError as error:
        raise UsageError(f"the data set '{text}' needs {error.name}", hint="pip install 'spqc[torch]'") from None
    name, values = split_call(text)
    known = data.find(name)
    chosen: Any = build(known.options, name, values)
    options = {key.replace("-", "_"): getattr(chosen, key.replace("-", "_")) for key in values}
    split = "test" if "test" in known.splits else known.splits[-1]
    split_samples = data.load(name, root, split, **options)
    picked = np.sort(np.random.default_rng(require_seed(seed)).permutation(len(split_samples))[:samples])
    codes, labels = split_samples.arrays(picked)
    repaired = split_samples.repairs
    return Examples(
        codes, f"samples of '{text}', split '{split}' (seed {seed})" + (f"; {repaired}" if repaired else ""), labels
    )


def inputs_for(graph: Graph, samples: int | None, seed: int) -> Examples:
    """Return what to show a network: real images of the data set of its name, or seeded random codes."""
    return _known_inputs(graph, samples) or random_codes(graph, samples or RANDOM_SAMPLES, seed)


def _known_inputs(graph: Graph, samples: int | None) -> Examples | None:
    if graph.name not in DATA_SETS:
        return None
    try:
        examples = data_set(graph.name, samples)
        input_format(graph).to_codes(examples.x[:1], graph.inputs[0].type.shape, graph.steps)
        return examples
    except SpqcError:
        return None  # not installed, or a network of the same name that reads something else
