"""`spqc bench`: measured times."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from . import shared

if TYPE_CHECKING:
    from spqc.ir.axis_order import AxisOrder


@click.command("bench")
@click.argument("artifact")
@click.option("--model", metavar="MODEL", help="The source model: measures its framework too.")
@click.option("--input", "input_path", metavar="X.npy", help="Inputs to rotate through.")
@click.option("--repeats", type=int, default=100, show_default=True, help="Calls to time.")
@click.option("--batch", "batches", type=int, multiple=True, default=(1, 32), show_default=True, help="Batch sizes.")
@click.option("--threads", type=int, default=1, show_default=True, help="Threads the framework may use.")
@shared.frontend
@shared.layout
@shared.as_json
def command(
    artifact: str,
    model: str | None,
    input_path: str | None,
    repeats: int,
    batches: tuple[int, ...],
    threads: int | None,
    frontend: str | None,
    layout: AxisOrder | None,
    as_json: bool,
) -> None:
    """Measure ARTIFACT, and with --model the framework beside it."""
    from spqc import api

    x = None if input_path is None else api.read_array(input_path)
    report = api.bench(
        artifact, model, x, repeats=repeats, batches=batches, threads=threads, layout=layout, frontend=frontend
    )
    if as_json:
        shared.print_json("bench", report)
    else:
        from spqc.report.terminal import show_bench

        show_bench(report)
