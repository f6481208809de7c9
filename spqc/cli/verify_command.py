"""`spqc verify`: exact equality, or the first difference."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from . import shared

if TYPE_CHECKING:
    from spqc.ir.axis_order import AxisOrder


@click.command("verify")
@click.argument("model")
@click.argument("artifact", required=False)
@shared.target
@click.option("--input", "input_path", metavar="X.npy", help="Inputs to compare on.")
@click.option("--samples", type=int, metavar="N", help="How many samples to draw where no input is given.")
@click.option("--stress", type=int, metavar="N", help="Instead draw N random inputs, from silent to full.")
@click.option("--seed", type=int, default=0, show_default=True, help="Seed of drawn inputs.")
@shared.frontend
@shared.layout
@shared.as_json
def command(
    model: str,
    artifact: str | None,
    target: str,
    input_path: str | None,
    samples: int | None,
    stress: int | None,
    seed: int,
    frontend: str | None,
    layout: AxisOrder | None,
    as_json: bool,
) -> int:
    """Compare every spike, state, mask and logit of MODEL in its framework, in the interpreter and in ARTIFACT.

    The artifact runs every sample twice, in another order the second time, as whole windows and as streams.
    Without ARTIFACT the model is compiled for --target. Exits with 1 when anything differs.
    """
    from spqc import api
    from spqc.report.progress import counter

    x = None if input_path is None else api.read_array(input_path)
    with counter("verifying") as count:
        report = api.verify(
            model, target, artifact, x, samples, seed,
            layout=layout, stress=stress, frontend=frontend, progress=lambda done: count(done, stress or done),
        )  # fmt: skip
    if as_json:
        shared.print_json("verify", report)
    else:
        from spqc.report.terminal import show_verify

        show_verify(report)
    return 0 if report.equal else 1
