"""`spqc run`: an artifact on an array."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from . import shared

if TYPE_CHECKING:
    from spqc.api import RunReport
    from spqc.ir.axis_order import AxisOrder


@click.command("run")
@click.argument("artifact")
@click.option(
    "--input", "input_path", metavar="X.npy", help="Inputs [N, T, ...] or [N, ...]: floats in [0, 1], or codes."
)
@click.option("--data", metavar="NAME", help="Real test images of a known data set instead: digits.")
@click.option("--labels", metavar="Y.npy", help="The right class of each sample of --input: count what is right.")
@click.option("--labels-from", type=int, default=0, show_default=True, help="The number of the first class.")
@click.option("--output", metavar="Y.npy", help="Write the logits [N, T, classes] here.")
@shared.layout
@shared.as_json
def command(
    artifact: str,
    input_path: str | None,
    data: str | None,
    labels: str | None,
    labels_from: int,
    output: str | None,
    layout: AxisOrder | None,
    as_json: bool,
) -> None:
    """Run ARTIFACT and print the class of each sample."""
    from spqc import api

    if (input_path is None) == (data is None):
        raise click.UsageError("give either --input or --data")
    if data is not None and layout is not None:
        raise click.UsageError("--layout is for --input")
    if data is not None and (labels is not None or labels_from):
        raise click.UsageError("--data brings its own labels, numbered from 0")
    opened = api.load(artifact)
    if data is not None:
        examples = api.data_set(data)
        result = api.classify(opened, examples.x, examples.labels, examples.description)
    else:
        right = None if labels is None else api.read_array(labels)
        given = api.read_array(str(input_path))
        result = api.classify(opened, given, right, str(input_path), layout, labels_from)
    if output is not None:
        api.save_array(output, result.logits)
    _print(result, output, as_json)


def _print(result: RunReport, output: str | None, as_json: bool) -> None:
    from spqc.report.machine import fields_of
    from spqc.report.terminal import say

    if as_json:
        shared.print_json("run", fields_of(result) | {"output": output}, leave_out=("logits",))
    elif result.correct is not None:
        share = 100 * result.correct / result.samples
        say(f"{result.inputs}: {result.correct} of {result.samples} right, {share:.2f} %")
    elif output is not None:
        say(f"wrote {output}: logits {list(result.logits.shape)}")
    else:
        print("\n".join(map(str, result.predictions)))
