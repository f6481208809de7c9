"""`spqc inspect`: what a file holds."""

from __future__ import annotations

import click

from . import shared


@click.command("inspect")
@click.argument("path")
@shared.frontend
@shared.as_json
def command(path: str, frontend: str | None, as_json: bool) -> None:
    """Show the signature, layers and sizes of a model or an artifact."""
    from spqc import api

    inspection = api.inspect(path, frontend=frontend)
    if as_json:
        shared.print_json("inspect", inspection)
    else:
        from spqc.report.terminal import show_inspection

        show_inspection(inspection)
