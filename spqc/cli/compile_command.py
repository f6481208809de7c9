"""`spqc compile`: a model into one artifact."""

from __future__ import annotations

from pathlib import Path

import click

from . import shared


@click.command("compile")
@click.argument("model")
@shared.target
@click.option(
    "-o", "--output", metavar="FILE", help="The artifact; MODEL's name with .spqc in this folder if left out."
)
@click.option("--passes", metavar="PIPELINE", help="Passes instead of the target's own; `default` stands for those.")
@click.option("--dump", metavar="FOLDER", help="Write the graph after every pass into this folder.")
@click.option("--calibrate", metavar="X.npy", help="Inputs that show how often neurons spike, to choose kernels by.")
@click.option("--records", metavar="FILE", help="Tuning records to choose kernels by; `none` for none.")
@shared.frontend
@shared.as_json
def command(
    model: str,
    target: str,
    output: str | None,
    passes: str | None,
    dump: str | None,
    calibrate: str | None,
    records: str | None,
    frontend: str | None,
    as_json: bool,
) -> None:
    """Compile MODEL into one artifact that runs fast and exactly."""
    from spqc import api

    path = Path(output or Path(model).with_suffix(".spqc").name)
    before = _identity(path)
    try:
        artifact = api.compile(
            model, target, passes=passes, out=path, dump=dump, calibrate=calibrate, records=records, frontend=frontend
        )
    except KeyboardInterrupt:
        click.echo(f"interrupted: {_kept(path, before, dump)}", err=True)
        raise
    tuned = artifact.contents.report.get("tuning")
    if tuned is not None:
        whole = tuned["hits"] + tuned["misses"]
        click.echo(f"tuning records: {tuned['hits']} of {whole} kernels found, {tuned['misses']} predicted", err=True)
    result = {
        "model": model,
        "target": artifact.target,
        "pipeline": artifact.contents.pipeline,
        "output": str(path),
        "bytes": path.stat().st_size,
        "report": dict(artifact.contents.report),
    }
    if as_json:
        shared.print_json("compile", result)
    else:
        print(f"compiled {model} for {artifact.target}: {path}, {result['bytes']:,} bytes")


def _identity(path: Path) -> tuple[int, int] | None:
    """Return what tells a file from the one that replaces it; None where there is none."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_ino, status.st_mtime_ns


def _kept(path: Path, before: tuple[int, int] | None, dump: str | None) -> str:
    """Return what an interrupted compilation leaves."""
    now = _identity(path)
    state = "was written" if now != before else "is as it was" if now else "was not written"
    dumps = f"; the dumps in '{dump}' are kept" if dump is not None and Path(dump).is_dir() else ""
    return f"{path} {state}{dumps}"
