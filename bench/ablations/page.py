"""The results as a page: accuracies, differences seed by seed, and what the papers report beside them."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from .cases import CASES, SEEDS, STEPS, TASKS, Case, Task, key

Results = dict[str, Any]

_TOP = """# Ablations

Written by `make ablations` from `bench/results/ablations.json`: {date}, {cpu}; {versions}. {done} of {all} runs.

Small networks on small data, trained briefly: these tables show trends and their spread, not what the networks of the
papers reach. Every configuration has the same recipe (Adam at 0.01 falling to 0, 64 samples a batch, T = {steps} unless
told otherwise) and seeds {seeds}. Cells are test accuracies in per cent: the mean over the seeds ± their standard
deviation; no epoch is picked by its accuracy. Unless told otherwise, Quant has 4-bit power-of-two weights and the
membrane levels -1, 0, 1; 8-bit weights are additive powers of two. SpQuant adds a spatial mask (35 %) and channel
gates.

{tasks}
"""

_TRENDS = """
## Differences

Points of accuracy, seed by seed: the mean of the differences ± their standard deviation. With so few seeds and samples
(one of 360 digits is 0.28 points), a difference below about twice its deviation says nothing. The last column is what
the papers report, on their networks and data.

"""

_MASKS = """
## Activity

Means over layers and seeds: spikes per neuron and step; channel gates shut; inputs silenced by the spatial mask;
stored states that are 0 (for a float membrane: exactly 0); weights that are 0. The papers report 67 to 70 % of the
channels shut. Nothing in the loss of SpQuant shuts gates; with a target, a penalty of ours does
(`--preset spquant+gated`).

"""


_VERDICTS = """
## Do the published trends show?

yes: the mean difference is at least the bound (the spread, in the next table, says how surely); open: it is below,
but by less than two of its standard errors; no: it is further below.

"""


@dataclass(frozen=True)
class Trend:
    """One comparison: `changed` less `base`, what the papers say, and the least that their trend allows."""

    says: str
    base: str
    changed: str
    published: str
    least: float | None = None


TRENDS = (
    Trend("Quant for full precision", "full precision", "Quant", "-0.45 to -0.91", -1.0),
    Trend("SpQuant for Quant", "Quant", "SpQuant", "-1.03 to -1.14", -1.5),
    Trend("adaptive threshold on full precision", "full precision", "full precision + adaptive", "+1.3", 0.0),
    Trend("adaptive threshold on Quant", "Quant", "Quant + adaptive", "+1.2", 0.0),
    Trend("adaptive threshold on SpQuant", "SpQuant", "SpQuant + adaptive", "+0.86", 0.0),
    Trend("gate target on SpQuant (ours)", "SpQuant", "SpQuant + gate target 68 %", "-"),
    Trend("2 bits for 4", "Quant", "2-bit weights", "-"),
    Trend("8 bits for 4", "Quant", "8-bit weights", "-"),
    Trend("T = 1 for 4", "Quant", "T = 1", "-"),
    Trend("T = 2 for 4", "Quant", "T = 2", "-"),
    Trend("T = 10 for 4", "Quant", "T = 10", "-"),
    Trend("negatives silenced", "Quant", "negatives silenced", "a small drop", -1.0),
    Trend("lowest level -2 for -1", "Quant", "lowest level -2", "-"),
    Trend("lowest level -3 for -1", "Quant", "lowest level -3", "+1.20 unclipped, without fine-tuning"),
    Trend("float membrane for ternary", "Quant", "float membrane", "-"),
    Trend("learned gates a weight (L0)", "Quant", "sparse weights, L0", "-"),
    Trend("learned gates a block of 4", "Quant", "sparse weights, blocks of 4", "-"),
    Trend("2 of every 4 weights", "Quant", "sparse weights, 2:4", "-"),
)


def page(results: Results) -> str:
    """Return the page of the results so far."""
    done = sum(key(t, c, s) in results["runs"] for t in TASKS for c in CASES for s in SEEDS)
    versions = ", ".join(f"{name} {version}" for name, version in results["versions"].items())
    tasks = "\n".join(f"- **{task.name}**: `{task.data}`; {task.says}" for task in TASKS)
    top = _TOP.format(
        date=results["date"], cpu=results["cpu"], versions=versions, done=done,
        all=len(TASKS) * len(CASES) * len(SEEDS), steps=STEPS, seeds=", ".join(map(str, SEEDS)), tasks=tasks,
    )  # fmt: skip
    parts = ["\n## Accuracy\n\n", _accuracies(results), _VERDICTS, _verdicts(results), _TRENDS, _trends(results)]
    return "".join([top, *parts, _MASKS, _activity(results)])


def _accuracies(results: Results) -> str:
    rows = [[case.name, *(_cell(_values(results, task, case)) for task in TASKS)] for case in CASES]
    return _table(["configuration", *(task.name for task in TASKS)], rows)


def _trends(results: Results) -> str:
    cases = {case.name: case for case in CASES}
    rows = []
    for trend in TRENDS:
        cells = [_signed(_differences(results, task, cases[trend.base], cases[trend.changed])) for task in TASKS]
        rows.append([trend.says, *cells, trend.published])
    return _table(["change", *(task.name for task in TASKS), "papers"], rows)


def _verdicts(results: Results) -> str:
    cases = {case.name: case for case in CASES}
    rows = []
    for trend in TRENDS:
        if trend.least is not None:
            differences = [_differences(results, task, cases[trend.base], cases[trend.changed]) for task in TASKS]
            rows.append([trend.says, f"{trend.least:+.1f}", *(_verdict(values, trend.least) for values in differences)])
    return _table(["trend", "at least", *(task.name for task in TASKS)], rows)


def _verdict(values: Sequence[float], least: float) -> str:
    """Return yes, no, or that the spread leaves it open, with the mean."""
    if len(values) < 2:
        return "-"
    mean = sum(values) / len(values)
    error = statistics.stdev(values) / math.sqrt(len(values))
    word = "yes" if mean >= least else "open" if mean + 2 * error >= least else "no"
    return f"{word} ({mean:+.2f})"


def _activity(results: Results) -> str:
    shown = [case for case in CASES if case.name.startswith(("full", "Quant", "SpQuant", "sparse"))]
    rows = [[case.name, *(_shares(results, task, case) for task in TASKS)] for case in shown]
    head = ["spikes, gates shut, silenced, zero states, zero weights", *(task.name for task in TASKS)]
    return _table(head, rows)


def _shares(results: Results, task: Task, case: Case) -> str:
    runs = [run for run in (_run(results, task, case, seed) for seed in SEEDS) if run]
    if not runs:
        return "-"
    mean = {name: sum(run[name] for run in runs) / len(runs) for name in runs[0]}
    unlike = [1 - mean[name] for name in ("open_gates", "kept", "weight_density")]
    shares = (mean["spike_rate"], *unlike[:2], mean["zero_states"], unlike[2])
    return ", ".join(f"{100 * share:.0f} %" for share in shares)


def _run(results: Results, task: Task, case: Case, seed: int) -> dict[str, Any] | None:
    run: dict[str, Any] | None = results["runs"].get(key(task, case, seed))
    return run


def _values(results: Results, task: Task, case: Case) -> list[float]:
    runs = (_run(results, task, case, seed) for seed in SEEDS)
    return [100 * run["test_accuracy"] for run in runs if run]


def _differences(results: Results, task: Task, base: Case, changed: Case) -> list[float]:
    pairs = ((_run(results, task, base, seed), _run(results, task, changed, seed)) for seed in SEEDS)
    return [100 * (after["test_accuracy"] - before["test_accuracy"]) for before, after in pairs if before and after]


def _cell(values: Sequence[float]) -> str:
    if not values:
        return "-"
    mean, spread = _spread(values)
    return f"{mean:.2f} ± {spread}{_few(values)}"


def _signed(values: Sequence[float]) -> str:
    if not values:
        return "-"
    mean, spread = _spread(values)
    return f"{mean:+.2f} ± {spread}{_few(values)}"


def _spread(values: Sequence[float]) -> tuple[float, str]:
    """Return the mean and the sample standard deviation as text, `?` for one value."""
    mean = sum(values) / len(values)
    if len(values) < 2:
        return mean, "?"
    return mean, f"{statistics.stdev(values):.2f}"


def _few(values: Sequence[float]) -> str:
    return "" if len(values) == len(SEEDS) else f" ({len(values)} of {len(SEEDS)} seeds)"


def _table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)
