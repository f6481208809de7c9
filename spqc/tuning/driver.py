"""The search: every kernel's candidates, the most promising first, until trials or time run out."""

from __future__ import annotations

import datetime
import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from spqc.foundation.version import __version__
from spqc.plugins.target import Finding
from spqc.plugins.tuning import Candidate, Job, Tuner

from .records import Journal, Record, findings, read_records

TOGETHER = 4  # candidates of a kernel that are compiled as one library


@dataclass(frozen=True)
class Step:
    """What just happened, for whoever shows progress."""

    done: int
    total: int
    layer: str
    strategy: str
    time_ns: float
    best_ns: float


@dataclass(frozen=True)
class TunedKernel:
    """The fastest way known of one kernel; times of one sample, `own_ns` that of the choice without records."""

    key: str
    layer: str
    strategy: str
    settings: dict[str, int]
    time_ns: float | None
    own_strategy: str
    own_ns: float | None
    candidates: int
    known: int


@dataclass(frozen=True)
class TuneReport:
    """What a search found. `ended`: `complete`, `trials`, `budget`, `interrupted` or `dry run`."""

    target: str
    records: str
    ended: str
    measured: int
    reused: int
    remaining: int
    seconds: float
    kernels: list[TunedKernel] = field(default_factory=list)


def search(
    tuner: Tuner,
    target: str,
    path: Path,
    trials: int | None = None,
    budget_s: float | None = None,
    dry_run: bool = False,
    progress: Callable[[Step], None] | None = None,
) -> TuneReport:
    """Measure candidates until all are known, `trials` are done or `budget_s` seconds have passed.

    Every measurement is on the disk before the next begins; what the records know already is not measured again. An
    interrupt ends the search like a budget.
    """
    known = findings(read_records(path))
    run = _Run(tuner.jobs(), known)
    began, wanted = time.monotonic(), run.waiting if trials is None else min(run.waiting, trials)
    ended = "dry run"
    if not dry_run:
        try:
            with Journal(path) as journal:
                ended = _measure(tuner, run, journal, wanted, None if budget_s is None else began + budget_s, progress)
        except KeyboardInterrupt:
            ended = "interrupted"
    seconds = round(time.monotonic() - began, 1)
    kernels = [run.outcome(job) for job in run.jobs]
    return TuneReport(target, str(path), ended, run.measured, run.reused, run.waiting - run.measured, seconds, kernels)


def _measure(
    tuner: Tuner,
    run: _Run,
    journal: Journal,
    wanted: int,
    deadline: float | None,
    progress: Callable[[Step], None] | None,
) -> str:
    """Measure up to `wanted` candidates before the deadline; return why it ended."""
    for job, batch in run.batches():
        for candidate, ns in tuner.measure(job, batch[: wanted - run.measured]):
            journal.append(_record(job, candidate, ns))
            best = run.add(job, candidate, ns)
            if progress is not None:
                progress(Step(run.measured, wanted, job.layer, candidate.strategy, ns, best))
            if deadline is not None and time.monotonic() >= deadline:
                return "budget"
        if run.measured >= wanted:
            break
    return "complete" if run.measured == run.waiting else "trials"


class _Run:
    """What is known of every job: before the search, and since."""

    def __init__(self, jobs: Sequence[Job], known: Mapping[str, tuple[Finding, ...]]) -> None:
        self.jobs = jobs
        self.times = {job.key: {_label(f): f.time_ns for f in known.get(job.key, ())} for job in jobs}
        self.reused = sum(_label(c) in self.times[job.key] for job in jobs for c in job.candidates)
        self.waiting = sum(len(job.candidates) for job in jobs) - self.reused
        self.measured = 0

    def batches(self) -> Iterator[tuple[Job, list[Candidate]]]:
        """Yield some candidates of the slowest kernel, of the next, and so on; then the next candidates of each."""
        waiting = []
        for job in sorted(self.jobs, key=lambda job: -job.own.predicted_ns):
            unknown = [c for c in job.candidates if _label(c) not in self.times[job.key]]
            waiting.append((job, sorted(unknown, key=lambda c: (c != job.own, c.predicted_ns, _label(c)))))
        for first in range(0, max((len(c) for _, c in waiting), default=0), TOGETHER):
            for job, candidates in waiting:
                if candidates[first:]:
                    yield job, candidates[first : first + TOGETHER]

    def add(self, job: Job, candidate: Candidate, ns: float) -> float:
        """Note a measurement; return the best time of the kernel."""
        self.times[job.key][_label(candidate)] = ns
        self.measured += 1
        return min(self.times[job.key].values())

    def outcome(self, job: Job) -> TunedKernel:
        times = self.times[job.key]
        known = sorted((times[_label(c)], _label(c), c) for c in job.candidates if _label(c) in times)
        own_ns = times.get(_label(job.own))
        counts = len(job.candidates), len(known)
        if not known:
            return TunedKernel(job.key, job.layer, "", {}, None, job.own.strategy, None, *counts)
        ns, _, best = known[0]
        return TunedKernel(
            job.key, job.layer, best.strategy, dict(best.settings), ns, job.own.strategy, own_ns, *counts
        )


def _label(choice: Candidate | Finding) -> str:
    return f"{choice.strategy} {json.dumps(dict(choice.settings), sort_keys=True)}"


def _record(job: Job, candidate: Candidate, ns: float) -> Record:
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    return Record(job.key, candidate.strategy, dict(candidate.settings), round(ns, 1), today, __version__)
