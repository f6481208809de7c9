"""`spqc train`: a model on a known data set."""

from __future__ import annotations

import click

from . import shared


@click.command("train")
@click.argument("name")
@click.option("--out", "-o", required=True, metavar="FILE", help="Where the checkpoint goes, e.g. digits.pt.")
@click.option("--preset", default="quant", show_default=True, help="full, quant or spquant.")
@click.option("--epochs", type=int, help="Rounds over the data, instead of the preset's.")
@click.option("--seed", type=int, default=0, show_default=True, help="The same seed gives the same weights.")
@shared.as_json
def command(name: str, out: str, preset: str, epochs: int | None, seed: int, as_json: bool) -> None:
    """Train the model NAME (digits) and write a checkpoint."""
    from spqc import api

    report = api.train(name, preset=preset, epochs=epochs, seed=seed, out=out)
    if as_json:
        shared.print_json("train", report)
    else:
        print(
            f"wrote {report.path}: test accuracy {100 * report.test_accuracy:.2f} %, spike rate {report.spike_rate:.3f}"
        )
