"""From a model to a tuned network, and from a machine to fitted rates."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy.typing as npt

from spqc.commands.advice import NONE, advice_for
from spqc.commands.compile import lowered, optimised, target_of
from spqc.foundation.errors import UsageError
from spqc.foundation.options import format_call
from spqc.ir import Graph
from spqc.ir.ops import Conv, Linear
from spqc.plugins import registry
from spqc.plugins.target import Advice, Emitter
from spqc.plugins.tuning import Candidate, Tracker, Tunable
from spqc.tuning.driver import Step, TuneReport, search
from spqc.tuning.fit import FitReport, Measurement, fitted
from spqc.tuning.places import rates_path, records_path
from spqc.tuning.rates import write_rates

TIMED_LAYER = "measured"  # of a calibration network


def tune(
    model: Any,
    target: str | Emitter = "llvm",
    *,
    trials: int | None = None,
    budget_s: float | None = None,
    records: str | Path | None = None,
    calibrate: npt.ArrayLike | str | Path | None = None,
    dry_run: bool = False,
    tracker: Tracker | None = None,
    frontend: str | None = None,
    progress: Callable[[Step], None] | None = None,
) -> TuneReport:
    """Measure how fast each kernel of a model can run on this machine; `compile` then takes the fastest.

    trials: at most so many measurements. budget_s: no more after so many seconds. records: the file that they are
    appended to. calibrate: inputs as for `compile`; give the same ones there. dry_run: only say what would be measured.
    tracker: measure on the machines that TVM's RPC tracker lends, instead of this one. frontend: the name of the one
    that reads the model, as for `compile`.
    Raises UsageError for a target that has nothing to tune.
    """
    if trials is not None and trials < 1:
        raise UsageError(f"trials must be 1 or more, not {trials}")
    chosen = target_of(target)
    graph = optimised(model, chosen, frontend)
    tuner = tunable(chosen).tuner(graph, lowered(graph, chosen), advice_for(graph, calibrate, NONE), tracker)
    path = Path(records or records_path())
    return search(tuner, format_call(chosen.name, chosen), path, trials, budget_s, dry_run, progress)


def fit(target: str | Emitter = "llvm", progress: Callable[[int, int], None] | None = None) -> FitReport:
    """Fit the cost function to this machine, over a set of kernels; `compile` then predicts with it.

    Raises UsageError for a target that has no cost function.
    """
    chosen = target_of(target)
    networks = enumerate(tunable(chosen).lessons())
    pairs = [(number, network.graph, density) for number, network in networks for density in network.densities]
    measured: list[Measurement] = []
    cpu = ""
    for index, (number, graph, density) in enumerate(pairs):
        done = optimised(graph, chosen)
        tuner = tunable(chosen).tuner(done, lowered(done, chosen), Advice(_even(done, density)))
        cpu = tuner.cpu
        job = next(job for job in tuner.jobs() if job.layer == TIMED_LAYER)
        times = tuner.measure(job, representatives(job.candidates))
        measured += [Measurement(c.strategy, c.features, ns, number) for c, ns in times]
        if progress is not None:
            progress(index + 1, len(pairs))
    report = fitted(measured, format_call(chosen.name, chosen), cpu, str(rates_path()))
    errors = {"median_error": report.median_error, "worst_error": report.worst_error, "samples": report.samples}
    write_rates(rates_path(), cpu, {"rates": report.rates, "date": report.date, **errors})
    return report


def tunable(target: Emitter) -> Tunable:
    """Return the target as one that can be tuned; UsageError, with those that can, where it cannot."""
    if isinstance(target, Tunable):
        return target
    known = (registry.load("targets", name) for name in registry.available("targets"))
    able = [one.name for one in known if issubclass(one, Tunable)]
    raise UsageError(
        f"target '{target.name}' has nothing to tune", hint=f"targets that can be tuned: {', '.join(able)}"
    )


def representatives(candidates: Sequence[Candidate]) -> list[Candidate]:
    """Return up to three candidates of each strategy: its first, one from the middle and its last."""
    chosen = []
    for name in dict.fromkeys(c.strategy for c in candidates):
        own = [c for c in candidates if c.strategy == name]
        chosen += [own[index] for index in sorted({0, len(own) // 2, len(own) - 1})]
    return chosen


def _even(graph: Graph, density: float) -> dict[str, tuple[float, ...]]:
    """Return the same density for every sum's input, its codes above 0 equally likely."""
    sources = [op.inputs[0] for op in graph.ops if isinstance(op, Conv | Linear)]
    tops = {value.name: min(value.type.range[1], 255) for value in sources}
    return {name: (1 - density, *[density / top] * top) for name, top in tops.items()}
