"""`spqc opt`: passes over a graph."""

from __future__ import annotations

import sys

import click

from . import shared


@click.command("opt")
@click.argument("file")
@click.option(
    "--passes", metavar="PIPELINE", help="E.g. 'remove-dead,fold-neurons{limit=64}'; else line 1 of the file says it."
)
@click.option("--dump", metavar="FOLDER", help="Write the graph after every pass into this folder.")
@shared.frontend
@shared.as_json
def command(file: str, passes: str | None, dump: str | None, frontend: str | None, as_json: bool) -> None:
    """Run passes over the graph in FILE (a .tg text or a model) and print the graph."""
    from spqc import api

    text = api.opt_file(file, passes, dump, frontend=frontend)
    if as_json:
        shared.print_json("opt", {"file": file, "text": text})
    else:
        sys.stdout.write(text)
