"""Results for people: tables and plain sentences."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.text import Text

from .table import Cell, sentence, table

if TYPE_CHECKING:
    from spqc.commands.bench import BenchReport
    from spqc.commands.doctor import Diagnosis
    from spqc.commands.inspect import Inspection, OperatorRow
    from spqc.commands.list import Entry
    from spqc.commands.verify import VerifyReport

_PLAIN_WIDTH = 120
_SPARSE = 0.75  # weights of which fewer are not zero are worth a word
_COLOURS = {"ok": "green", "missing": "yellow", "failed": "red"}
_INDENT = "  "


class _Console(Console):
    def on_broken_pipe(self) -> None:
        """Leave it to the command line, which knows the exit code."""
        raise BrokenPipeError


def console() -> Console:
    """Return a console on standard output; as wide as the terminal, or fixed where there is none."""
    terminal = _Console(highlight=False, emoji=False)
    return terminal if terminal.is_terminal else _Console(highlight=False, emoji=False, width=_PLAIN_WIDTH)


def show_table(head: Sequence[str], rows: Iterable[Sequence[Cell]], right: Sequence[str] = (), keys: int = 1) -> None:
    """Print a table; the columns named in `right` are numbers, the first `keys` tell what a row is about.

    A cell is a text, printed as it is, or a rich Text with a style.
    """
    out = console()
    width = out.width - len(_INDENT) if out.is_terminal else _PLAIN_WIDTH
    for line in table(head, rows, right, width, keys):
        out.print(Text(_INDENT) + line, soft_wrap=True)


def say(text: str, indent: str = _INDENT, start: Text | None = None) -> None:
    """Print `start` and a sentence: on a terminal broken at spaces, else in one line; indent: of the lines below."""
    out, lead = console(), start or Text()
    first, *others = sentence(text, out.width, indent, lead.cell_len) if out.is_terminal else [text]
    for line in (lead + Text(first), *map(Text, others)):
        out.print(line, soft_wrap=True)


def show_verify(report: VerifyReport) -> None:
    """Print the verdict, what was compared, and the first difference."""
    verdict = Text("equal", "green") if report.equal else Text("different", "red")
    shown = f"{report.model} on target {report.target}, {report.inputs}, {report.samples} samples, {report.steps} steps"
    say(f": {shown}", start=verdict)
    names = ("spikes", "states", "masks", "logits")
    counted = [(n, getattr(report, f"compared_{n}"), getattr(report, f"mismatched_{n}")) for n in names]
    show_table(
        ("what", "compared", "different"), [(n, f"{a:,}", f"{b:,}") for n, a, b in counted], ("compared", "different")
    )
    say(_proof(report), start=Text(_INDENT))
    if report.first_mismatch is not None:
        say(f"first difference: {report.first_mismatch}")


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
    say(line)
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


def show_inspection(inspection: Inspection) -> None:
    """Print the signature, the operators and the sizes."""
    say(f"{inspection.kind} {inspection.path}: network '{inspection.name}', {inspection.steps} steps")
    facts = [("input", inspection.input), ("output", inspection.output)]
    known = [key for key in ("target", "pipeline", "spqc") if inspection.facts.get(key)]
    facts += [(key, str(inspection.facts[key]).replace(",", ", ")) for key in known]
    sizes = (
        f"{inspection.weights:,} constants in {inspection.weight_bytes:,} bytes; state {inspection.state_bytes:,} bytes"
    )
    facts += [("size", f"{sizes}; file {inspection.file_bytes:,} bytes")]
    facts += [("part", f"{name}, {size:,} bytes") for name, size in inspection.parts.items()]
    show_table(("", ""), facts)
    head = ("operator", "layer", "result", "constants", "bytes")
    rows = [(r.operator, r.origin, r.result, _constants(r), f"{r.weight_bytes:,}") for r in inspection.operators]
    show_table(head, rows, ("bytes",), keys=2)
    show_kernels(inspection.report.get("kernels", {}).get("run", []))


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
    show_table(("kernel", "layer", "density", "strategy", "settings", "us", "reason"), rows, ("us",), keys=2)


def show_entries(entries: Sequence[Entry]) -> None:
    """Print names with one line each, and their options below."""
    width = max(len(entry.name) for entry in entries) if entries else 0
    for entry in entries:
        say(entry.summary, " " * (width + 2), Text(f"{entry.name:<{width}}  "))
        for key, text in entry.options.items():
            say(f"{key}: {text}", " " * (width + 6), Text(" " * (width + 4)))


def show_diagnosis(diagnosis: Diagnosis) -> None:
    """Print every check, and a hint below each that is not well."""
    rows: list[tuple[Cell, ...]] = []
    for check in diagnosis.checks:
        rows.append((Text(check.state, _COLOURS[check.state]), check.name, check.detail))
        if check.hint:
            rows.append(("", "", f"hint: {check.hint}"))
    show_table(("", "part", "found"), rows)
