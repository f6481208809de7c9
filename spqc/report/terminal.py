"""Results for people: tables and plain sentences."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from spqc.benchmark import BenchReport
    from spqc.catalogue import Entry
    from spqc.health import Diagnosis
    from spqc.inspection import Inspection, OperatorRow
    from spqc.verification import VerifyReport

_PLAIN_WIDTH = 120
_SPARSE = 0.75  # weights of which fewer are not zero are worth a word
_COLOURS = {"ok": "green", "missing": "yellow", "failed": "red"}


class _Console(Console):
    def on_broken_pipe(self) -> None:
        """Leave it to the command line, which knows the exit code."""
        raise BrokenPipeError


def console() -> Console:
    """Return a console on standard output; as wide as the terminal, or fixed where there is none."""
    found = _Console(highlight=False, emoji=False)
    return found if found.is_terminal else _Console(highlight=False, emoji=False, width=_PLAIN_WIDTH)


def show_table(head: Sequence[str], rows: Iterable[Sequence[str | Text]], right: Sequence[str] = ()) -> None:
    """Print a table; the columns named in `right` are numbers. Plain cells are literal: brackets are no markup."""
    table = Table(box=None, pad_edge=False, header_style="bold", show_header=any(head))
    for title in head:
        table.add_column(Text(title), justify="right" if title in right else "left", overflow="fold")
    for row in rows:
        table.add_row(*(cell if isinstance(cell, Text) else Text(cell) for cell in row))
    out = console()
    with out.capture() as captured:
        out.print(table)
    print("".join(f"  {line.rstrip()}\n" for line in captured.get().splitlines()), end="")


def show_verify(report: VerifyReport) -> None:
    """Print the verdict, what was compared, and the first difference."""
    out = console()
    verdict = "[green]equal[/]" if report.equal else "[red]different[/]"
    out.print(verdict, end=": ")
    shown = f"{report.model} on target {report.target}, {report.inputs}, {report.samples} samples, {report.steps} steps"
    out.print(shown, markup=False, soft_wrap=True)
    names = ("spikes", "states", "masks", "logits")
    counted = [(n, getattr(report, f"compared_{n}"), getattr(report, f"mismatched_{n}")) for n in names]
    show_table(
        ("what", "compared", "different"), [(n, f"{a:,}", f"{b:,}") for n, a, b in counted], ("compared", "different")
    )
    out.print(f"  {_proof(report)}", markup=False, soft_wrap=True)
    if report.first_mismatch is not None:
        out.print(f"first difference: {report.first_mismatch}", markup=False, soft_wrap=True)


def _proof(report: VerifyReport) -> str:
    """Return how much was run to find out."""
    each, memory = report.inferences // max(report.samples, 1), ", in memory full of garbage" * report.dirty_memory
    orders = "1 order" if report.orders == 1 else f"{report.orders} orders"
    words = f"every sample {each} times, in {orders}, as whole windows and as streams"
    return f"{report.inferences:,} inferences: {words}{memory}"


def show_bench(report: BenchReport) -> None:
    """Print measured times, one row a batch size."""
    threads = "" if report.threads is None else f", {report.threads} threads"
    line = f"measured on {report.machine}, {report.cores} cores{threads}: {report.model}, {report.inputs}"
    console().print(line, markup=False, soft_wrap=True)
    head = ("batch", "target", "median ms", "min ms", "CPU ms", "samples/s", "speed-up")
    rows = []
    for row in report.rows:
        for name, timing in ((report.target, row.compiled), ("PyTorch eager", row.eager)):
            if timing is None:
                continue
            faster = f"{row.speedup:.1f}x" if row.speedup and timing is row.compiled else ""
            times = (f"{ms:.3f}" for ms in (timing.median_ms, timing.min_ms, timing.cpu_median_ms))
            rows.append((str(row.batch), name, *times, f"{row.batch / timing.median_ms * 1e3:,.0f}", faster))
    show_table(head, rows, tuple(h for h in head if h != "target"))


def show_inspection(found: Inspection) -> None:
    """Print the signature, the operators and the sizes."""
    out = console()
    out.print(f"{found.kind} {found.path}: network '{found.name}', {found.steps} steps", markup=False, soft_wrap=True)
    facts = [("input", found.input), ("output", found.output)]
    known = [key for key in ("target", "pipeline", "spqc") if found.facts.get(key)]
    facts += [(key, str(found.facts[key]).replace(",", ", ")) for key in known]
    sizes = f"{found.weights:,} constants in {found.weight_bytes:,} bytes; state {found.state_bytes:,} bytes"
    facts += [("size", f"{sizes}; file {found.file_bytes:,} bytes")]
    facts += [("part", f"{name}, {size:,} bytes") for name, size in found.parts.items()]
    show_table(("", ""), facts)
    head = ("operator", "layer", "result", "constants", "bytes")
    rows = [(r.operator, r.origin, r.result, _constants(r), f"{r.weight_bytes:,}") for r in found.operators]
    show_table(head, rows, ("bytes",))
    show_kernels(found.report.get("kernels", {}).get("run", []))


def _constants(row: OperatorRow) -> str:
    """Return an operator's constants; of sparse weights, how many are not zero."""
    sparse = row.density is not None and row.density < _SPARSE
    return f"{row.constants}, {row.density:.0%} not zero" if sparse else row.constants


def show_kernels(kernels: Sequence[Mapping[str, Any]]) -> None:
    """Print how each weighted sum is computed, and why."""
    if not kernels:
        return
    rows = []
    for k in kernels:
        settings = " ".join(f"{name}={value}" for name, value in k["settings"].items())
        predicted = "" if k["predicted_us"] is None else f"{k['predicted_us']:,.1f}"
        density = f"{k['density']:.0%} {'measured' if k['density_measured'] else 'assumed'}"
        rows.append((k["kernel"], k["layer"], density, k["strategy"], settings, predicted, k["reason"]))
    show_table(("kernel", "layer", "density", "strategy", "settings", "us", "reason"), rows, ("us",))


def show_entries(entries: Sequence[Entry]) -> None:
    """Print names with one line each, and their options below."""
    out, width = console(), max(len(entry.name) for entry in entries) if entries else 0
    for entry in entries:
        out.print(f"{entry.name:<{width}}  {entry.summary}", markup=False, soft_wrap=True)
        for key, text in entry.options.items():
            out.print(f"{'':<{width}}    {key}: {text}", markup=False, soft_wrap=True)


def show_diagnosis(found: Diagnosis) -> None:
    """Print every check, and a hint below each that is not well."""
    rows: list[tuple[str | Text, str, str]] = []
    for check in found.checks:
        rows.append((Text(check.state, _COLOURS[check.state]), check.name, check.detail))
        if check.hint:
            rows.append(("", "", f"hint: {check.hint}"))
    show_table(("", "part", "found"), rows)
