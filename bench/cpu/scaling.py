"""How the cost of one network grows with steps and batch, and falls with its spike rate: `python -m bench.cpu.scaling`.

Writes bench/results/scaling-DATE.json and docs/scaling.svg; processor time, one thread, medians, inputs rotating.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any

import spqc

from .__main__ import INPUTS, ROOT, environment
from .networks import SEED, Case, build, frames, vgg9
from .timing import in_turn

_STEPS, _BATCHES, _RATES = (1, 2, 4, 8), (1, 2, 4, 8, 16), (0.05, 0.15, 0.3, 0.5)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.cpu.scaling", description=__doc__)
    parser.add_argument("--bits", default="2,4", help="bits of a weight, separated by commas: a curve each")
    widths = [int(bits) for bits in parser.parse_args().bits.split(",")]
    curves = {
        "steps": {bits: [(t, _time(vgg9(bits, steps=t), 1)) for t in _STEPS] for bits in widths},
        "batch": {bits: [(n, _time(vgg9(bits), n)) for n in _BATCHES] for bits in widths},
        "spike rate": {bits: [(r, _time(vgg9(bits, rate=r), 1)) for r in _RATES] for bits in widths},
    }
    facts = environment([])
    Path(ROOT, "bench", "results", f"scaling-{facts['date']}.json").write_text(
        json.dumps(facts | {"network": "vgg9 32x32, max pool", "curves": curves}, indent=1) + "\n"
    )
    _plot(curves, f"vgg9 32x32, one thread of {facts['cpu']}, {facts['date']}")


def _time(case: Case, batch: int) -> float:
    """Return the median processor time of one call, in milliseconds."""
    net, artifact = _compiled(json.dumps(asdict(case)))
    inputs = [frames(net, batch, SEED + i) for i in range(INPUTS)]
    (times,) = in_turn([lambda turn: artifact.run(inputs[turn % INPUTS])], rounds=15)
    print(f"{case.name}, rate {case.rate}, batch {batch}: {times.cpu_ms:.2f} ms", flush=True)
    return times.cpu_ms


@cache
def _compiled(case: str) -> tuple[Any, Any]:
    """Return a network, given as JSON, and its artifact; curves that meet in a network share it."""
    net = build(Case(**json.loads(case)))
    return net, spqc.compile(net, target="llvm", calibrate=frames(net, 1, SEED), records="none")


def _plot(curves: dict[str, Any], title: str) -> None:
    from matplotlib import pyplot

    figure, panels = pyplot.subplots(1, len(curves), figsize=(12, 3.6), layout="constrained")
    for panel, (name, by_bits) in zip(panels, curves.items(), strict=True):
        for bits, points in by_bits.items():
            panel.plot(*zip(*points, strict=True), marker="o", label=f"{bits}-bit weights")
        panel.set(xlabel=name, ylabel="measured ms a call", ylim=(0, None))
        panel.legend(frameon=False)
    figure.suptitle(title, fontsize="medium")
    figure.savefig(Path(ROOT, "docs", "scaling.svg"), metadata={"Date": None})


if __name__ == "__main__":
    main()
