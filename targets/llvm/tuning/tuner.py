"""Measures the candidates of a network's kernels, one kernel at a time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import tvm

from spqc.foundation.errors import InternalError, Unavailable, UsageError
from spqc.ir import Graph
from spqc.ir.program import Program
from spqc.plugins.target import Advice
from spqc.plugins.tuning import Candidate, Job, Tracker, Tuner
from spqc.targets._plan.choice import site
from spqc.targets._plan.constants import Constants
from spqc.targets._plan.key import key_of
from spqc.targets._plan.machine import Machine
from spqc.targets._plan.strategy import Site
from spqc.targets._tir.width import LANES

from ..compile import Options, machine_target
from ..cpu import missing_features
from ..strategies import chooser, strategies
from .measure import Bench
from .remote import Lender, measure_remotely, wrapper


@dataclass
class NativeTuner(Tuner):
    """The kernels of one program; kernels that differ in nothing their time depends on are one job."""

    program: Program
    machine: Machine
    constants: Constants
    advice: Advice
    target: tvm.target.Target
    lender: Lender | None = None  # None: measure on this machine

    @property
    def cpu(self) -> str:  # type: ignore[override]
        return self.machine.cpu

    @cached_property
    def sites(self) -> dict[str, Site]:
        sites = (site(self.program, k, self.machine, self.constants, self.advice) for k in self.program.kernels)
        return {key_of(s): s for s in reversed([s for s in sites if s is not None])}

    def jobs(self) -> Sequence[Job]:
        return [self._job(key, one) for key, one in reversed(self.sites.items())]

    def _job(self, key: str, one: Site) -> Job:
        candidates = candidates_of(one)
        own = chooser().choose(one)
        taken = next(c for c in candidates if (c.strategy, c.settings) == (own.strategy, dict(own.settings)))
        return Job(key, own.layer, tuple(candidates), taken)

    def measure(self, job: Job, candidates: Sequence[Candidate]) -> Iterator[tuple[Candidate, float]]:
        if self.lender is not None:
            bench = Bench(self.sites[job.key], candidates, self.target, wrapper)
            yield from measure_remotely(self.lender, bench, candidates)
            return
        bench = Bench(self.sites[job.key], candidates, self.target)
        results = [bench.result(index) for index in range(len(candidates))]
        for candidate, result in zip(candidates, results, strict=True):
            if not np.array_equal(result, results[0]):
                different = f"{candidate.strategy} and {candidates[0].strategy} give different results for {job.key}"
                raise InternalError(different, hint="please report this")
        for index, candidate in enumerate(candidates):
            yield candidate, bench.measure(index).median_ns


def candidates_of(one: Site) -> list[Candidate]:
    """Return every way to compute a kernel."""
    return [
        Candidate(
            name, dict(settings), chooser().predict(one, name, settings), strategies()[name].features(one, settings)
        )
        for name in chooser().serving(one)
        for settings in strategies()[name].space(one)
    ]


def tuner(
    graph: Graph, programs: Mapping[str, Program], options: Options, advice: Advice, tracker: Tracker | None
) -> NativeTuner:
    """Return what measures the kernels of whole windows, on this machine or on those of a tracker."""
    chooser().require(options.strategy)
    target, features = machine_target(options.cpu)
    missing = missing_features(features) if tracker is None else []
    if missing:
        raise Unavailable(f"this CPU lacks {', '.join(missing)}", hint="tune on the machine that will run it")
    if tracker is not None and options.threads > 1:
        raise UsageError("kernels for several threads are not measured over RPC", hint="use {threads=1}")
    machine = Machine(frozenset(features), options.threads, str(target.attrs["mcpu"]))
    lender = None if tracker is None else Lender(tracker)
    return NativeTuner(programs["run"], machine, Constants(graph, LANES), advice, target, lender)
