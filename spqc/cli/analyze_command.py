"""`spqc analyze`: the papers' arithmetic."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from . import shared

if TYPE_CHECKING:
    from spqc.ir.axis_order import AxisOrder


@click.command("analyze")
@click.argument("model", metavar="NAME|MODEL|ARTIFACT")
@click.option("--set", "chosen", multiple=True, metavar="KEY=VALUE", help="An option of the model NAME.")
@click.option("--input", "input_path", metavar="X.npy", help="Inputs to measure rates, states and masks on.")
@click.option("--data", metavar="SET", help="Samples of a data set, with options as in 'synthetic-events{steps=4}'.")
@click.option("--root", metavar="DIR", help="The folder of the data set's files.")
@click.option("--samples", type=int, metavar="N", help="How many samples to draw or to take.")
@click.option("--seed", type=int, default=0, show_default=True, help="Seed of drawn inputs.")
@click.option("--clip-bound", type=float, default=-1.0, show_default=True, help="c of Eq 5: potentials below it.")
@click.option("--weight-bits", type=int, metavar="B", help="Bits to charge for a weight, instead of the model's own.")
@click.option("--channel-sparsity", type=float, default=0.0, show_default=True, help="S_c where no gate is measured.")
@click.option("--spatial-sparsity", type=float, default=0.0, show_default=True, help="S_p where no mask is measured.")
@click.option("--factor", type=float, metavar="F", help="A factor of Eq 30: tell the S_c that it implies here.")
@click.option("--rate", type=float, metavar="R", help="Share of active inputs to assume where none is measured.")
@click.option("--program/--no-program", default=None, help="Lower it for a CPU, for its memory; a large NAME if asked.")
@shared.frontend
@shared.layout
@shared.as_json
def command(
    model: str,
    chosen: tuple[str, ...],
    input_path: str | None,
    data: str | None,
    root: str | None,
    samples: int | None,
    seed: int,
    clip_bound: float,
    weight_bits: int | None,
    channel_sparsity: float,
    spatial_sparsity: float,
    factor: float | None,
    rate: float | None,
    program: bool | None,
    frontend: str | None,
    layout: AxisOrder | None,
    as_json: bool,
) -> None:
    """Account for a network layer by layer: weights, neurons, memory, operations, energy, as the papers count them.

    A NAME of `spqc list models` is a fresh network; it is run only on inputs that you ask for.

    \b
    spqc analyze resnet19 --set steps=2
    spqc analyze examples/digits.pt --clip-bound -0.5
    """
    from spqc import api

    analysis = api.analyze(
        model,
        chosen,
        x=None if input_path is None else api.read_array(input_path),
        data=data,
        root=root,
        samples=samples,
        seed=seed,
        clip_bound=clip_bound,
        weight_bits=weight_bits,
        channel_sparsity=channel_sparsity,
        spatial_sparsity=spatial_sparsity,
        factor=factor,
        rate=rate,
        program=program,
        frontend=frontend,
        layout=layout,
    )
    if as_json:
        shared.print_json("analyze", analysis)
    else:
        from spqc.report.analysis import show_analysis

        show_analysis(analysis)
