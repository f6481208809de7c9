"""`spqc train`: any model on any data set."""

from __future__ import annotations

from typing import Any

import click

from . import shared


@click.command("train")
@click.argument("name")
@click.option("--out", "-o", required=True, metavar="FILE", help="Where the checkpoint goes, e.g. digits.pt.")
@click.option("--data", metavar="SET", help="A data set, with options as in 'synthetic-events{steps=4}'.")
@click.option("--root", metavar="DIR", help="The folder of the data set's files.")
@click.option("--labels-from", type=int, help="The number of the first class in your own arrays or lists: 0 or 1.")
@click.option("--preset", help="full, quant, spquant or ace, then +adaptive, ...; quant or ace, by the model.")
@click.option("--set", "chosen", multiple=True, metavar="KEY=VALUE", help="A field of the recipe or of the network.")
@click.option("--epochs", type=int, help="Rounds over the data, instead of the recipe's.")
@click.option("--batch", type=int, help="Samples a step over all processes, instead of the recipe's.")
@click.option("--seed", type=int, default=0, show_default=True, help="The same seed gives the same weights.")
@click.option("--device", type=click.Choice(["cpu", "cuda"]), default="cpu", show_default=True, help="Where to train.")
@click.option("--amp", is_flag=True, help="Products in half precision while training; evaluation stays exact.")
@click.option("--resume", is_flag=True, help="Go on where a training to the same FILE was interrupted.")
@click.option("--log-dir", metavar="DIR", help="Write TensorBoard logs.")
@click.option("--save-seconds", type=float, default=600.0, show_default=True, help="Save inside an epoch that often.")
@click.option("--workers", type=click.IntRange(0), default=0, show_default=True, help="Processes that read the data.")
@shared.as_json
def command(chosen: tuple[str, ...], as_json: bool, **options: Any) -> None:
    """Train the model NAME and write its checkpoint; `spqc list models` names them.

    \b
    spqc train digits -o digits.pt
    spqc train digits --preset spquant+adaptive --set weight_bits=2 -o small.pt
    spqc train sequential --data synthetic-events --set layers='[{"op": "linear", "out": 10}]' -o line.pt
    """
    from spqc import api

    report = api.train(**options, assignments=chosen)
    if not report.first:
        return
    if as_json:
        shared.print_json("train", report, leave_out=("first",))
    else:
        reached = f"test {report.measure} {100 * report.test_accuracy:.2f} %"
        from spqc.report.terminal import say

        say(f"wrote {report.path}: {reached}, spike rate {report.spike_rate:.3f}")
