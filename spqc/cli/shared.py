"""Options that several commands have."""

from __future__ import annotations

from typing import Any

import click

LAYOUTS = ("NT", "TN", "N", "T")
"""As spqc.ir.axis_order has them, which would load numpy before a word is printed."""

as_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
target = click.option(
    "--target", default="llvm", show_default=True, metavar="TARGET", help="A target, e.g. llvm or 'llvm{threads=2}'."
)
frontend = click.option(
    "--frontend", metavar="NAME", help="Read MODEL with this one of `spqc list frontends`, instead of the surest."
)
layout = click.option(
    "--layout",
    type=click.Choice(LAYOUTS),
    help="The axes of the input: N samples, T steps; one frame a sample, or one sample. Else [N, T, ...] or [N, ...].",
)


def print_json(command: str, result: Any, *, leave_out: tuple[str, ...] = ()) -> None:
    """Print a result as one JSON object on standard output."""
    from spqc.report.machine import to_json

    print(to_json(command, result, leave_out=leave_out))
