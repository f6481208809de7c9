"""`spqc list`: what this installation offers."""

from __future__ import annotations

import click

from . import shared


@click.command("list")
@click.argument("kind", metavar="KIND")
@click.argument("name", required=False)
@shared.as_json
def command(kind: str, name: str | None, as_json: bool) -> None:
    """List KIND: frontends, passes, targets, models, operators, data or presets; or only the one called NAME."""
    from spqc import api

    entries = api.list_(kind, name)
    if as_json:
        shared.print_json("list", {"kind": kind, "entries": entries})
    else:
        from spqc.report.terminal import show_entries

        show_entries(entries)
