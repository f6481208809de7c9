"""The public functions; every command of `spqc` is one call to one of them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy.typing as npt

from spqc.commands.analyze import Analysis, Question, analyze_model
from spqc.commands.analyze_subject import assigned
from spqc.commands.bench import BenchReport, measure_artifact
from spqc.commands.compile import compile_model
from spqc.commands.doctor import Diagnosis, diagnose
from spqc.commands.inspect import Inspection, inspect_path
from spqc.commands.list import Entry, entries
from spqc.commands.run import RunReport, classified
from spqc.commands.sources import data_samples, data_set, inputs_for, read_model
from spqc.commands.tune import fit, tune
from spqc.commands.verify import Progress, VerifyReport, require_same_model, verify_chunks, verify_model
from spqc.foundation.arrays import read_array, save_array
from spqc.foundation.errors import UsageError
from spqc.foundation.options import fields_of, format_value, split_call
from spqc.foundation.threads import limited
from spqc.ir import Array, parse_graph
from spqc.ir.axis_order import AxisOrder
from spqc.plugins import pipeline, registry
from spqc.plugins.target import Emitter
from spqc.runtime.given import drawn_layout
from spqc.runtime.samples import random_codes
from spqc.runtime.session import Artifact
from spqc.runtime.stream import Logits
from spqc.runtime.stress import DESCRIPTION as STRESS
from spqc.runtime.stress import stress_codes
from spqc.tuning.driver import TuneReport
from spqc.tuning.fit import FitReport

__all__ = [
    "Analysis", "Artifact", "BenchReport", "Diagnosis", "Entry", "FitReport", "Inspection", "RunReport", "TuneReport",
    "VerifyReport", "analyze", "bench", "classify", "compile", "data_set", "doctor", "fit", "inspect", "list_", "load",
    "opt", "opt_file", "read_array", "run", "save_array", "train", "tune", "verify",
]  # fmt: skip


def compile(
    model: Any,
    target: str | Emitter = "llvm",
    *,
    passes: str | None = None,
    out: str | Path | None = None,
    dump: str | Path | None = None,
    calibrate: npt.ArrayLike | str | Path | None = None,
    records: str | Path | None = None,
    layout: AxisOrder | None = None,
    frontend: str | None = None,
) -> Artifact:
    """Compile a model - a path, a live network or a graph - for a target such as `llvm{threads=2}`.

    passes: a pipeline text instead of the target's own, where `default` stands for it. out: also write the artifact.
    dump: a folder for the graph after every pass. calibrate: inputs (or their .npy file) that show how often neurons
    spike, so that the target can choose its kernels; without them it assumes typical rates. layout: their axes, NT, TN,
    N or T. records: the file of tuning records to choose by, instead of the one that `tune` writes by default; `none`
    for none. frontend: the name of the one that reads the model; without it, the one that is surest to read it.
    Raises ModelError, UsageError, InputError or OutputError.
    """
    _require_inputs(calibrate, layout)
    artifact = compile_model(
        model, target, passes, None if dump is None else Path(dump), calibrate, records, layout, frontend
    )
    if out is not None:
        artifact.save(out)
    return artifact


def load(path: str | Path) -> Artifact:
    """Return the compiled network in a file; ArtifactError says what is wrong with it."""
    return Artifact.load(path)


def run(artifact: Artifact | str | Path, x: npt.ArrayLike, layout: AxisOrder | None = None) -> Logits:
    """Return logits [N, T, classes] of inputs [N, T, ...] or [N, ...], or of the layout TN or T."""
    return _opened(artifact).run(x, layout)


def classify(
    artifact: Artifact | str | Path,
    x: npt.ArrayLike,
    labels: npt.ArrayLike | None = None,
    inputs: str = "given inputs",
    layout: AxisOrder | None = None,
    labels_from: int = 0,
) -> RunReport:
    """Run a network and name the class of each sample: the greatest logit summed over the steps.

    labels: the right class of each sample; labels_from: the number of the first class, in labels and predictions.
    Raises InputError for labels that are none of the network's classes.
    """
    return classified(_opened(artifact), x, labels, inputs, layout, labels_from)


def verify(
    model: Any,
    target: str | Emitter = "llvm",
    artifact: Artifact | str | Path | None = None,
    x: npt.ArrayLike | None = None,
    samples: int | None = None,
    seed: int = 0,
    *,
    layout: AxisOrder | None = None,
    stress: int | None = None,
    progress: Progress | None = None,
    frontend: str | None = None,
) -> VerifyReport:
    """Compare a model's framework, the interpreter and the artifact on every spike, state, mask and logit.

    Without `artifact` the model is compiled for `target`; without `x` inputs are drawn (`samples`, `seed`): the real
    test images where the model has some, and the report says which. layout: the axes of x, NT, TN, N or T. stress:
    instead draw that many random inputs, from silent to full. progress: called with the number of samples done.
    frontend: the name of the one that reads the model. Raises UsageError for another model's artifact.
    """
    _positive("samples", samples)
    _require_inputs(x, layout)
    if _positive("stress", stress) is not None and (x is not None or samples is not None):
        raise UsageError("stress draws its own inputs", hint="leave out the inputs, or the number of samples")
    read = read_model(model, frontend)
    if artifact is None:
        compiled = compile_model(read, target)
    else:
        compiled = _opened(artifact)
        require_same_model(read, compiled)
    if stress is not None:
        chunks = stress_codes(read.graph, stress, _seed(seed))
        return verify_chunks(read, compiled, chunks, f"{STRESS} (seed {seed})", progress)
    if x is None:
        examples = inputs_for(read.graph, samples, _seed(seed))
        return verify_model(read, compiled, examples.x, examples.description, drawn_layout(read.graph, examples.x))
    return verify_model(read, compiled, x, "given inputs", layout)


def bench(
    artifact: Artifact | str | Path | None = None,
    model: Any = None,
    x: npt.ArrayLike | None = None,
    *,
    target: str = "llvm",
    repeats: int = 100,
    batches: tuple[int, ...] = (1, 32),
    threads: int | None = 1,
    layout: AxisOrder | None = None,
    frontend: str | None = None,
) -> BenchReport:
    """Measure a compiled network, and its framework's eager mode where the source model is given.

    threads: how many threads the framework may use, and the target where it has the option `threads`. layout: the axes
    of x: NT, TN, N or T. frontend: the name of the one that reads the model.
    """
    _positive("repeats", repeats)
    _require_inputs(x, layout)
    _positive("threads", threads)
    if model is None and frontend is not None:
        raise UsageError("a frontend reads a model, and there is none", hint="give the model too")
    read = None if model is None else read_model(model, frontend)
    if artifact is None and read is None:
        raise UsageError("there is nothing to measure", hint="give an artifact, a model, or both")
    compiled = _opened(artifact) if artifact is not None else compile_model(read, _with_threads(target, threads))
    if x is not None:
        codes, description = compiled.codes(x, layout), "given inputs"
    elif read is not None:
        examples = inputs_for(read.graph, 64, 0)
        codes, description = compiled.codes(examples.x, drawn_layout(read.graph, examples.x)), examples.description
    else:
        examples = random_codes(compiled.graph, 64, 0)
        codes, description = examples.x, examples.description
    with limited(threads):
        return measure_artifact(compiled, read, codes, description, batches, repeats, threads)


def analyze(
    model: Any,
    settings: Mapping[str, Any] | tuple[str, ...] = (),
    *,
    x: npt.ArrayLike | None = None,
    data: str | None = None,
    root: str | Path | None = None,
    samples: int | None = None,
    **asked: Any,
) -> Analysis:
    """Return the papers' arithmetic for a model's name, a path, a live network, a graph or an artifact.

    settings: options of a named model, or `key=value` texts. x, data, samples: what to run it on: given inputs, samples
    of a data set (its files in `root`), or how many inputs to draw. asked: other fields of `Question`
    (spqc/commands/analyze.py).
    """
    chosen = settings if isinstance(settings, Mapping) else assigned(model, settings)
    _positive("samples", samples)
    _require_inputs(x, asked.get("layout"))
    description = "given inputs"
    if data is not None:
        if x is not None:
            raise UsageError("give either inputs or a data set, not both")
        asked["from_data"] = True
        examples = data_samples(data, root, samples or 16, asked.get("seed", 0))
        x, description = examples.x, examples.description
    return analyze_model(model, chosen, Question(x=x, description=description, samples=samples, **asked))


def inspect(path: str | Path, *, frontend: str | None = None) -> Inspection:
    """Return what a model file or an artifact holds; `frontend` names the one that reads it, as a model."""
    return inspect_path(path, frontend)


def opt(text: str, passes: str, data: dict[str, Array] | None = None, dump: str | Path | None = None) -> str:
    """Return the text of a graph after some passes; some passes need the arrays of the constants, `data`."""
    graph = parse_graph(text, data or {})
    return str(pipeline.run(graph, pipeline.parse(passes), None if dump is None else Path(dump)))


def opt_file(
    path: str | Path, passes: str | None = None, dump: str | Path | None = None, *, frontend: str | None = None
) -> str:
    """Return the text of a model after some passes: those given, or those that line 1 of a .tg file names.

    The pipeline `default` stands for the passes of the target llvm. frontend: the name of the one that reads the model.
    """
    recorded = None
    if passes is None and Path(path).suffix == ".tg" and Path(path).is_file():
        first = Path(path).read_text(errors="replace").partition("\n")[0]
        recorded = first.removeprefix("// pipeline:").strip() if first.startswith("// pipeline:") else None
    aliases = {"default": registry.create("targets", "llvm").pipeline()}
    chosen = pipeline.parse(recorded or passes or "", aliases)
    return str(pipeline.run(read_model(path, frontend).graph, chosen, None if dump is None else Path(dump)))


def list_(kind: str, name: str | None = None) -> list[Entry]:
    """Return what this installation offers: frontends, passes, targets, models or operators."""
    return entries(kind, name)


def doctor() -> Diagnosis:
    """Check the installation, and every target with a tiny network."""
    return diagnose()


def train(name: str = "digits", *, out: str | Path, assignments: tuple[str, ...] = (), **options: Any) -> Any:
    """Train a model and write its checkpoint to `out`; UsageError where torch is not installed.

    assignments: `key=value` texts of recipe fields and network options; options: of `spqc.train.train`.
    """
    try:
        from spqc.train import train as run_training
        from spqc.train.settings import read_assignments
    except ImportError as error:
        raise UsageError(
            f"training needs {error.name}, which is not installed", hint="pip install 'spqc[torch]'"
        ) from None
    chosen = {**read_assignments(assignments), **(options.pop("options", None) or {})}
    return run_training(name, out=str(out), options=chosen, **options)


def _opened(artifact: Artifact | str | Path) -> Artifact:
    return artifact if isinstance(artifact, Artifact) else Artifact.load(artifact)


def _positive(name: str, value: int | None) -> int | None:
    if value is not None and value < 1:
        raise UsageError(f"{name} must be 1 or more, not {format_value(value)}")
    return value


def _require_inputs(x: object, layout: AxisOrder | None) -> None:
    if layout is not None and x is None:
        raise UsageError("a layout says what the axes of given inputs are", hint="give the inputs too")


def _seed(seed: int) -> int:
    if seed < 0:
        raise UsageError(f"seed must be 0 or more, not {seed}")
    return seed


def _with_threads(target: str, threads: int | None) -> str:
    """Return the target's text with the option `threads`, where it has one and the text does not set it."""
    name, values = split_call(target)
    if threads is None or "threads" in values or "threads" not in fields_of(registry.load("targets", name)):
        return target
    return f"{name}{{{' '.join(f'{k}={v}' for k, v in {**values, 'threads': str(threads)}.items())}}}"
