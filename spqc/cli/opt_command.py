"""`spqc opt`: passes over a graph."""

from __future__ import annotations

import sys

import click


@click.command("opt")
@click.argument("file")
@click.option(
    "--passes", metavar="PIPELINE", help="E.g. 'remove-dead,fold-neurons{limit=64}'; else line 1 of the file says it."
)
@click.option("--dump", metavar="FOLDER", help="Write the graph after every pass into this folder.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(file: str, passes: str | None, dump: str | None, as_json: bool) -> None:
    """Run passes over the graph in FILE (a .tg text or a model) and print the graph."""
    from spqc import api

    from . import shared

    text = api.opt_file(file, passes, dump)
    if as_json:
        shared.print_json("opt", {"file": file, "text": text})
    else:
        sys.stdout.write(text)
