"""What is damaged, and what is done with it: each subject is one kind of file and the commands that read it."""

from __future__ import annotations

import contextlib
import io
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import spqc
from spqc.cli import main
from spqc.commands.doctor import tiny_graph
from spqc.frontends.graph_text import write_arrays
from spqc.ir import Graph, parse_graph

from .mutations import Random, damage_artifact, damage_bytes, damage_text, damage_zip

_NO_BUGS = (0, 1, 2, 3)  # exit codes
_MOST_STEPS = 64  # of an edited text that is also run: more is slow, and no fault
_MAPS = """graph maps(%x: uint5<2x6x6>) steps=3 {
  note input_encoding = "digits"
  const @w: int3<4x2x3x3> @const
  const @theta: int32<3x3x1> @const
  const @v: int4<3x4> @const
  const @b: int8<3> @const
  state $s: ternary<4x6x6>
  state $m: int12<3>
  %0: int32<4x6x6> = conv2d %x, @w {padding=1}  // features.0 (SpikingConv2d)
  %1: spike<4x6x6>, %2: ternary<4x6x6> = automaton %0, $s, @theta  // features.0 (SpikingConv2d)
  %3: spike<4x3x3> = max_pool %1  // features.1 (MaxPool)
  %4: uint4<4>*0.1111111111111111 = global_sum %3  // features.2 (GlobalPool)
  %5: int32<3>*0.1111111111111111 = linear %4, @v  // features.3 (SpikingLinear)
  %6: int32<3>*0.1111111111111111 = bias %5, @b  // features.3 (SpikingLinear)
  %7: spike<3>, %8: int12<3> = integrate %6, $m {leak=3, leak_shift=2, threshold=9}  // features.3 (SpikingLinear)
  %9: uint2<3> = add %7, %7  // features.4 (Add)
  next $s = %2
  next $m = %8
  return %9
}
"""


@dataclass(frozen=True)
class Subject:
    """One kind of file: its suffix, the intact bytes, how they are damaged, and the commands that then read them.

    `run` returns what is wrong, or ""; of the `intact` file also any error is wrong.
    """

    suffix: str
    intact: bytes
    damage: Callable[[Random, bytes], bytes]
    run: Callable[[Path, bool], str]


def called(*arguments: str | Path) -> tuple[int, str]:
    """Return the exit code of a command and what it wrote to standard error."""
    err = io.StringIO()
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(err):
        code = main([str(argument) for argument in arguments])
    return code, err.getvalue()


def bugs(intact: bool, *commands: tuple[str | Path, ...]) -> str:
    """Return the first command that ended in a bug; of an intact file, the first that ended in any error."""
    for command in commands:
        code, err = called(*command)
        if code not in ((0,) if intact else _NO_BUGS):
            return f"spqc {' '.join(map(str, command))}: exit {code}: {err.strip()}"
    return ""


def maps_graph() -> Graph:
    """Return a small network with maps, pooling, a table, an integer membrane and a bias."""
    random = np.random.default_rng(0)
    return parse_graph(
        _MAPS,
        {
            "@w": random.integers(-3, 4, (4, 2, 3, 3)),
            "@theta": np.sort(random.integers(-30, 30, (3, 3, 1)), axis=1),
            "@v": random.integers(-7, 8, (3, 4)),
            "@b": random.integers(-9, 9, 3),
        },
    )


def artifact(folder: Path, target: str) -> Subject:
    """Artifacts of a target; with compiled code, what runs must also give the right logits."""
    path = folder / "intact.spqc"
    made = spqc.compile(tiny_graph(), target, out=path)
    inputs, result = folder / "x.npy", folder / "y.npy"
    x = np.random.default_rng(0).integers(0, 2, (3, 2, 4)).astype(np.uint8)
    np.save(inputs, x)
    right = made.run(x)

    def run(path: Path, intact: bool) -> str:
        result.unlink(missing_ok=True)
        found = bugs(intact, ("inspect", path), ("run", path, "--input", inputs, "--output", result))
        if not found and target != "reference" and result.exists() and not np.array_equal(np.load(result), right):
            return "the logits are wrong"
        return found

    return Subject(".spqc", path.read_bytes(), damage_artifact, run)


def text(folder: Path) -> Subject:
    """Texts of graphs, their arrays intact."""
    write_arrays(folder / "current.tg", maps_graph())

    def run(path: Path, intact: bool) -> str:
        steps = re.search(rb"steps=([0-9]+)", path.read_bytes())
        if steps and len(steps[1]) < 10 and int(steps[1]) > _MOST_STEPS:
            return bugs(intact, ("inspect", path))
        return bugs(intact, ("inspect", path), ("verify", path, "--target", "reference", "--samples", "1"))

    return Subject(".tg", (folder / "current.tg").read_bytes(), damage_graph, run)


def damage_graph(random: Random, content: bytes) -> bytes:
    return damage_bytes(random, content) if random.random() < 0.1 else damage_text(random, content)


def arrays(folder: Path) -> Subject:
    """Arrays beside an intact text of a graph."""
    write_arrays(folder / "current.tg", maps_graph())

    def run(path: Path, intact: bool) -> str:
        return bugs(intact, ("opt", path.with_suffix(".tg"), "--passes", "remove-dead"))

    return Subject(".npz", (folder / "current.npz").read_bytes(), damage_zip, run)


def inputs(folder: Path) -> Subject:
    """Input arrays of an intact artifact."""
    spqc.compile(tiny_graph(), "reference", out=folder / "net.spqc")
    np.save(folder / "x.npy", np.zeros((3, 2, 4), np.uint8))

    def run(path: Path, intact: bool) -> str:
        return bugs(intact, ("run", folder / "net.spqc", "--input", path))

    return Subject(".npy", (folder / "x.npy").read_bytes(), damage_graph, run)


def checkpoint(folder: Path) -> Subject:
    """Checkpoints of a small trained network."""
    from spqc.nn import checkpoint, models

    made = models.create("digits", width=4, steps=2)
    checkpoint.save(made, folder / "intact.pt")

    def run(path: Path, intact: bool) -> str:
        return bugs(intact, ("inspect", path))

    return Subject(".pt", (folder / "intact.pt").read_bytes(), damage_zip, run)


SUBJECTS: dict[str, Callable[[Path], Subject]] = {
    "reference": lambda folder: artifact(folder, "reference"),
    "llvm": lambda folder: artifact(folder, "llvm"),
    "text": text,
    "arrays": arrays,
    "inputs": inputs,
    "checkpoint": checkpoint,
}
