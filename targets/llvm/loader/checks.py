"""What must hold before a compiled library is loaded: nothing in the manifest is believed.

Sizes, counts and names that follow from the graph are compared with it, whatever else the compiled code needs with the
seal inside the library (see seal.py). Anything else is an ArtifactError.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from spqc.foundation.errors import ArtifactError
from spqc.ir import Graph, Op
from spqc.ir.ops import Greater, Spiking
from spqc.plugins.executor import Package
from spqc.targets._plan.arrangements import from_settings, lay_out
from spqc.targets._plan.geometry import padded
from spqc.targets._plan.signature import interface
from spqc.targets._tir.width import LANES

from .elf import Library
from .seal import read_seal, seal_of

MOST_THREADS = 256
_AGAIN = "compile the model again"
_KINDS: dict[str, type] = {
    "architecture": str, "interface": str, "cpu": str, "features": list, "threads": int, "steps": int, "classes": int,
    "constant_result": bool, "constants": list, "constant_bytes": int, "states": list, "state_bytes": int,
    "functions": dict,
}  # fmt: skip
_FUNCTIONS = ("run", "step")


def checked(package: Package) -> Package:
    """Return a package whose settings fit its graph and its library; ArtifactError says what does not."""
    settings = package.settings
    if "model.so" not in package.files:
        raise ArtifactError("the artifact lacks its compiled library", hint=_AGAIN)
    if "interface" in settings and settings["interface"] != interface():
        raise ArtifactError("the artifact was compiled by another version of spqc", hint=_AGAIN)
    for key, kind in _KINDS.items():
        if type(settings.get(key)) is not kind:
            raise ArtifactError(f"the artifact's settings lack '{key}'", hint=_AGAIN)
    _check_library(package)
    _check_numbers(settings, package.graph)
    _check_states(settings, package.graph)
    _check_traces(settings, package.graph)
    return package


def trusted_constants(package: Package) -> npt.NDArray[np.uint8]:
    """Return the kernels' constant memory; ArtifactError where other constants were compiled into the library."""
    arrangements = [from_settings(a) for a in package.settings["constants"]]
    memory = lay_out(arrangements, package.data, int(package.settings["constant_bytes"]))
    sealed = read_seal(Library(package.files["model.so"])).constants
    if seal_of(package.settings, package.graph, memory).constants != sealed:
        raise ArtifactError("the weights are not those that the library was compiled for", hint=_AGAIN)
    return memory


def _check_library(package: Package) -> None:
    """Compare the settings and the graph with what the library was compiled with, and look for what is called."""
    library = Library(package.files["model.so"])
    settings = package.settings
    if library.machine != settings["architecture"]:
        raise ArtifactError(
            f"the settings name the architecture '{settings['architecture']}', the library {library.machine}",
            hint=_AGAIN,
        )
    pool = ("spqc_run",) if settings["threads"] > 1 else ()
    for name in (*(f"__tvm_ffi_{name}" for name in _FUNCTIONS), *pool):
        if name not in library.exports:
            raise ArtifactError(f"the compiled library lacks the function '{name}'", hint=_AGAIN)
    nothing = np.zeros(0, np.uint8)
    if seal_of(settings, package.graph, nothing).settings != read_seal(library).settings:
        raise ArtifactError("the library was compiled with other settings, or for another network", hint=_AGAIN)


def _check_numbers(settings: Mapping[str, Any], graph: Graph) -> None:
    output = graph.outputs[0].type
    constant, classes = output.clock == "const", output.shape[0]
    _same("steps", settings["steps"], graph.steps)
    _same("classes", settings["classes"], classes)
    _same("constant_result", settings["constant_result"], constant)
    _same("functions", sorted(settings["functions"]), sorted(_FUNCTIONS))
    if not 1 <= settings["threads"] <= MOST_THREADS:
        raise ArtifactError(f"the settings name {settings['threads']} threads", hint=_AGAIN)
    for name, steps in (("run", 1 if constant else graph.steps), ("step", 1)):
        function = settings["functions"][name]
        _same(f"functions.{name}.result_elements", function["result_elements"], steps * padded(classes, LANES))
    for arrangement in settings["constants"]:
        if arrangement["name"] not in graph.data:
            raise ArtifactError(f"the settings place a constant '{arrangement['name']}'", hint=_AGAIN)
        _inside("constants", arrangement, settings["constant_bytes"])


def _check_states(settings: Mapping[str, Any], graph: Graph) -> None:
    _same("states", [slot["name"] for slot in settings["states"]], [v.name for v in graph.states])
    for slot in settings["states"]:
        _inside("states", slot, settings["state_bytes"])


def _check_traces(settings: Mapping[str, Any], graph: Graph) -> None:
    known = {v.name: op for op in graph.ops if _is_traced(op) for v in op.outputs}
    for name in _FUNCTIONS:
        function = settings["functions"][name]
        for slot in function["traces"]:
            if slot["name"] not in known:
                raise ArtifactError(f"the settings trace '{slot['name']}'", hint=_AGAIN)
            value, op = graph.values[slot["name"]], known[slot["name"]]
            facts = (list(value.type.shape), value.type.clock == "const", op.origin)
            _same(f"trace of '{slot['name']}'", (slot["shape"], slot["constant"], slot["origin"]), facts)
            steps = 1 if slot["constant"] or name == "step" else graph.steps
            size = (
                steps * padded(value.type.shape[0], LANES) * value.type.size // value.type.shape[0] * slot["bits"] // 8
            )
            _inside("traces", {**slot, "bytes": size}, function["trace_bytes"])


def _is_traced(op: Op) -> bool:
    return isinstance(op, Spiking | Greater)


def _inside(what: str, slot: Mapping[str, Any], size: int) -> None:
    if min(slot["offset"], slot["bytes"], size - slot["offset"] - slot["bytes"]) < 0:
        raise ArtifactError(f"'{slot['name']}' of the settings' {what} lies outside its {size} bytes", hint=_AGAIN)


def _same(what: str, given: object, wanted: object) -> None:
    if given != wanted:
        raise ArtifactError(f"the settings' {what} is {given}, the graph's {wanted}", hint=_AGAIN)
