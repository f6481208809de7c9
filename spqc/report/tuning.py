"""What a search or a fit found, for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .terminal import say, show_table

if TYPE_CHECKING:
    from spqc.tuning.driver import TunedKernel, TuneReport
    from spqc.tuning.fit import FitReport

_ENDS = {
    "complete": "every candidate is measured",
    "trials": "the trials are done",
    "budget": "the time is up",
    "interrupted": "interrupted",
    "dry run": "dry run, nothing was measured",
}


def show_tuning(report: TuneReport) -> None:
    """Print the fastest way of every kernel, beside the one that would be taken without records."""
    say(f"{_ENDS[report.ended]}: {report.measured} measured, {report.reused} known before, {report.remaining} left")
    rows = [_row(kernel) for kernel in report.kernels]
    head = ("layer", "fastest", "settings", "us", "without records", "us", "known")
    show_table(head, rows, ("us", "known"))
    say(f"records: {report.records}")


def _row(k: TunedKernel) -> tuple[str, ...]:
    settings = " ".join(f"{name}={value}" for name, value in sorted(k.settings.items()))
    times = ["" if ns is None else f"{ns / 1e3:,.1f}" for ns in (k.time_ns, k.own_ns)]
    return (k.layer, k.strategy, settings, times[0], k.own_strategy, times[1], f"{k.known} of {k.candidates}")


def show_fit(report: FitReport) -> None:
    """Print how well the fitted rates predict."""
    errors = f"median error {report.median_error:.1%}, worst {report.worst_error:.1%}"
    say(f"fitted to {report.samples} measurements on {report.cpu}; of kernels held back: {errors}")
    rows = [(s.strategy, str(s.samples), f"{s.median_error:.1%}", f"{s.worst_error:.1%}") for s in report.strategies]
    show_table(("strategy", "measurements", "median error", "worst"), rows, ("measurements", "median error", "worst"))
    say(f"rates: {report.file}")
