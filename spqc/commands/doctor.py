"""Doctor: does this installation work, and if not, what to do about it."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, requires, version
from typing import Literal

import numpy as np

from spqc.commands.compile import compile_model
from spqc.foundation.errors import InternalError, SpqcError, Unavailable
from spqc.ir import Graph, parse_graph
from spqc.plugins import registry
from spqc.plugins.target import Target
from spqc.runtime.observe import observe_graph

OLDEST_PYTHON = (3, 11)

_UNTRIED = "nothing that running needs is missing; none could be compiled here to try"

State = Literal["ok", "missing", "failed"]

_OPTIONAL = ("torch", "scikit-learn", "tqdm")
_REQUIRED = ("numpy", "networkx", "click", "rich", "apache-tvm", "apache-tvm-ffi")

_TINY = """graph tiny(%x: spike<4>) steps=2 {
  note input_encoding = "spikes"
  const @w: int4<3x4> @const
  const @a: float32<3> @const
  const @b: float32<3> @const
  const @v: int4<2x3> @const
  state $s: ternary<3>
  %0: int32<3> = linear %x, @w  // features.0 (SpikingLinear)
  %1: float32<3> = affine %0, @a, @b  // features.0 (SpikingLinear)
  %2: spike<3>, %3: ternary<3> = neuron %1, $s  // features.0 (SpikingLinear)
  %4: int32<2> = linear %2, @v  // classifier (Classifier)
  next $s = %3
  return %4
}
"""


@dataclass(frozen=True)
class Check:
    """One finding; a `missing` optional part is no failure."""

    name: str
    state: State
    detail: str
    hint: str = ""


@dataclass(frozen=True)
class Diagnosis:
    """All findings; `healthy` when nothing failed."""

    checks: list[Check] = field(default_factory=list)

    @property
    def healthy(self) -> bool:
        return all(check.state != "failed" for check in self.checks)


def diagnose() -> Diagnosis:
    """Check Python, the packages and their pinned versions, and compile and run a tiny network on every target."""
    checks = [_python(), Check("machine", "ok", f"{platform.machine()}, {os.cpu_count()} cores")]
    checks += [_package(name, True) for name in _REQUIRED] + [_package(name, False) for name in _OPTIONAL]
    checks += [check for name in registry.available("targets") for check in _target(name)]
    return Diagnosis(checks)


def tiny_graph() -> Graph:
    """Return a small network with every part that a target needs, with fixed weights."""
    generator = np.random.default_rng(0)
    integers = {"@w": generator.integers(-7, 8, (3, 4)), "@v": generator.integers(-7, 8, (2, 3))}
    floats = {"@a": np.full(3, 0.25, np.float32), "@b": np.zeros(3, np.float32)}
    return parse_graph(_TINY, {**integers, **floats})


def _python() -> Check:
    running = platform.python_version()
    if sys.version_info[:2] < OLDEST_PYTHON:
        return Check("python", "failed", running, "spqc needs Python 3.11 or newer")
    return Check("python", "ok", running)


def _package(name: str, required: bool) -> Check:
    pinned = _pinned(name)
    try:
        installed = version(name)
    except PackageNotFoundError:
        if required:
            return Check(name, "failed", "not installed", f"pip install '{name}{pinned}'")
        return Check(
            name, "missing", "not installed (optional)", "pip install 'spqc[torch]' to train and verify models"
        )
    if required and pinned and installed != pinned.removeprefix("=="):
        return Check(name, "failed", f"{installed}, but spqc needs {pinned}", f"pip install '{name}{pinned}'")
    return Check(name, "ok", installed)


def _pinned(name: str) -> str:
    """Return `==version` where spqc insists on one."""
    try:
        lines = requires("spqc") or []
    except PackageNotFoundError:
        return ""
    exact = [line.partition("==")[2].partition(";")[0].strip() for line in lines if line.startswith(f"{name}==")]
    return f"=={exact[0]}" if exact else ""


def _target(name: str) -> list[Check]:
    """Return whether a target runs, and whether it compiles: running needs less."""
    graph, running, compiling = tiny_graph(), f"target {name}", f"compiling for {name}"
    runs = issubclass(registry.load("targets", name), Target)
    try:
        artifact = compile_model(graph, name)
    except Exception as error:  # a doctor reports a crash of its patient
        if not runs:
            return [_failure(compiling, error)]
        return [_checked(running, registry.load("targets", name).require_ready, _UNTRIED), _failure(compiling, error)]
    if not runs:
        return [Check(compiling, "ok", "compiles a tiny network; its files run elsewhere")]
    codes = np.random.default_rng(1).integers(0, 2, (5, graph.steps, 4)).astype(np.uint8)

    def run() -> None:
        if not np.array_equal(artifact.executor.run(codes), observe_graph(graph, codes).logits):
            raise InternalError("a tiny network gives wrong results", hint="please report it")

    return [_checked(running, run, "runs a tiny network exactly"), Check(compiling, "ok", "compiles a tiny network")]


def _checked(name: str, action: Callable[[], None], detail: str) -> Check:
    try:
        action()
    except Exception as error:  # as above
        return _failure(name, error)
    return Check(name, "ok", detail)


def _failure(name: str, error: Exception) -> Check:
    if isinstance(error, SpqcError):
        return Check(name, "missing" if isinstance(error, Unavailable) else "failed", error.message, error.hint)
    return Check(name, "failed", f"{type(error).__name__}: {error}", "please report it")
