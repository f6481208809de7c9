"""A whole network beside the sum of its kernels, each measured alone: `python -m bench.cpu.parts`.

The more of a network's time its kernels do not explain, the more they disturb each other: weights that one brings into
the caches put out what the next one reads. Writes bench/results/parts-DATE.json; processor time, one thread, medians.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import spqc
from spqc.commands.advice import NONE, advice_for
from spqc.commands.compile import lowered, optimised, target_of
from spqc.foundation.version import __version__
from spqc.plugins.tuning import Candidate, Job
from spqc.tuning.records import Journal, Record

from .__main__ import INPUTS, ROOT, environment
from .networks import SEED, Case, build, frames, vgg9
from .timing import in_turn

_CASES = ((vgg9(4), "events"), (vgg9(4), "auto"), (vgg9(2), "auto"), (vgg9(8), "auto"))


def main() -> None:
    facts = environment([])
    parts = [part(case, strategy, facts["date"]) for case, strategy in _CASES]
    path = Path(ROOT, "bench", "results", f"parts-{facts['date']}.json")
    path.write_text(json.dumps(facts | {"networks": parts}, indent=1) + "\n")


def part(case: Case, strategy: str, date: str) -> dict[str, Any]:
    """Measure every kernel alone on random inputs of the densities it meets, then the network that is made of them."""
    net, target = build(case), f"llvm{{strategy={strategy}}}"
    calibrate = frames(net, 1, SEED)
    with tempfile.TemporaryDirectory() as folder:
        records = Path(folder, "records.jsonl")
        alone = _measure(net, target, strategy, calibrate, records, date)
        artifact = spqc.compile(net, target=target, calibrate=calibrate, records=records)
    kernels = artifact.contents.report["kernels"]["run"]
    if [kernel["layer"] for kernel in kernels] != list(alone):
        raise SystemExit(f"{case.name}: kernels that are alike were measured once; their sum would lack some")
    inputs = [frames(net, 1, SEED + i) for i in range(INPUTS)]
    (whole,) = in_turn([lambda turn: artifact.run(inputs[turn % INPUTS])], rounds=15)
    total = sum(alone.values()) / 1e3
    print(f"{case.name}, {strategy}: {whole.cpu_ms:.2f} ms, its kernels alone {total:.2f} ms", flush=True)
    rows = [[kernel["layer"], kernel["strategy"], round(alone[kernel["layer"]], 1)] for kernel in kernels]
    return {"network": case.name, "strategy": strategy, "whole_ms": whole.cpu_ms, "sum_ms": total, "alone_us": rows}


def _measure(net: Any, target: str, strategy: str, calibrate: Any, records: Path, date: str) -> dict[str, float]:
    """Return the microseconds of every kernel, by layer, and write the records that make `compile` take the same."""
    chosen = target_of(target)
    graph = optimised(net, chosen)
    tuner = chosen.tuner(graph, lowered(graph, chosen), advice_for(graph, calibrate, NONE))
    alone = {}
    with Journal(records) as journal:
        for job in tuner.jobs():
            for candidate, ns in tuner.measure(job, [_wanted(job, strategy)]):
                journal.append(Record(job.key, candidate.strategy, dict(candidate.settings), ns, date, __version__))
                alone[job.layer] = ns / 1e3
    return alone


def _wanted(job: Job, strategy: str) -> Candidate:
    """Return the kernel's own choice, or the forced strategy's default where that is another and serves."""
    forced = [c for c in job.candidates if c.strategy == strategy and not c.settings]
    return forced[0] if forced and job.own.strategy != strategy else job.own


if __name__ == "__main__":
    main()
