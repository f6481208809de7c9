"""`spqc tune`: measure kernels, and keep what was measured."""

from __future__ import annotations

import click

from spqc.foundation.errors import UsageError

from . import shared


@click.command("tune")
@click.argument("model", required=False)
@shared.target
@click.option("--trials", type=int, metavar="N", help="At most N measurements; otherwise all.")
@click.option("--budget", metavar="TIME", help="No new measurement after this time, e.g. 90s or 10m.")
@click.option("--records", metavar="FILE", help="Append records to FILE instead of the one that `compile` reads.")
@click.option("--calibrate", metavar="X.npy", help="Inputs that show how often neurons spike; give `compile` the same.")
@click.option("--dry-run", is_flag=True, help="Only say what would be measured.")
@click.option("--fit", "fit_", is_flag=True, help="Instead fit the cost function, of every model, to this machine.")
@click.option("--tracker", metavar="HOST:PORT", help="Measure on the machines of this RPC tracker; needs --key.")
@click.option("--key", metavar="K", help="The key that those machines registered with.")
@shared.frontend
@shared.as_json
@click.pass_context
def command(
    context: click.Context,
    model: str | None,
    target: str,
    trials: int | None,
    budget: str | None,
    records: str | None,
    calibrate: str | None,
    dry_run: bool,
    fit_: bool,
    tracker: str | None,
    key: str | None,
    frontend: str | None,
    as_json: bool,
) -> None:
    """Measure every way to compute each kernel of MODEL; `spqc compile` then takes the fastest.

    Records are kept in spqc/records.jsonl of the user's data folder; a search that was interrupted goes on from there.
    """
    from spqc import api
    from spqc.report import progress, tuning
    from spqc.tuning.budget import machines, seconds

    if fit_:
        with progress.counter("fitting") as count:
            fitted = api.fit(target, progress=count)
        shared.print_json("fit", fitted) if as_json else tuning.show_fit(fitted)
        return
    if model is None:
        raise UsageError("there is nothing to tune", hint="spqc tune MODEL, or spqc tune --fit")
    limit = None if budget is None else seconds(budget)
    with progress.trials() as step:
        report = api.tune(
            model, target, trials=trials, budget_s=limit, records=records, calibrate=calibrate, dry_run=dry_run,
            tracker=machines(tracker, key), frontend=frontend, progress=step,
        )  # fmt: skip
    shared.print_json("tune", report) if as_json else tuning.show_tuning(report)
    if report.ended == "interrupted":
        context.exit(130)
