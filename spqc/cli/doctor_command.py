"""`spqc doctor`: is this installation well?"""

from __future__ import annotations

import click

from . import shared


@click.command("doctor")
@shared.as_json
def command(as_json: bool) -> int:
    """Check Python, the packages and every target. Exits with 1 when something needed fails."""
    from spqc import api

    diagnosis = api.doctor()
    if as_json:
        shared.print_json("doctor", diagnosis)
    else:
        from spqc.report.terminal import show_diagnosis

        show_diagnosis(diagnosis)
    return 0 if diagnosis.healthy else 1
