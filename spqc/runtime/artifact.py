"""The `.spqc` file: what was compiled, from what, for what, with a hash of every part. No pickle, no clock."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import spqc
from spqc import registry
from spqc.contracts import Package
from spqc.errors import ArtifactError, GraphError, SpqcError
from spqc.ir import Graph, parse_graph, verify
from spqc.options import split_call

from .archive import read_archive, write_archive
from .observe import input_format
from .packing import pack
from .sparse import pack_sparse, worthwhile
from .stored import StoredConstants

FORMAT = "spqc-artifact"
FORMAT_VERSION = 1

_GRAPH, _WEIGHTS, _REPORT, _MANIFEST = "graph.tg", "weights.bin", "report.json", "manifest.json"
_AGAIN = "compile the model again"


@dataclass(frozen=True)
class Contents:
    """Everything an artifact holds, decoded.

    `source` is the model's label and the sha256 of the graph it gave; `report` what the compiler counted (no times).
    """

    target: str
    pipeline: str
    source: Mapping[str, str]
    graph: Graph
    files: Mapping[str, bytes] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    report: Mapping[str, Any] = field(default_factory=dict)
    manifest: Mapping[str, Any] = field(default_factory=dict)

    def package(self) -> Package:
        """Return what the target's executor reads."""
        return Package(self.graph, self.files, self.settings, self.graph.data)


def encode(contents: Contents) -> bytes:
    """Return the bytes of the file: the same contents give the same bytes."""
    files = {f"binary/{name}": content for name, content in contents.files.items()}
    files[_GRAPH] = str(contents.graph).encode()
    files[_WEIGHTS] = _pack_constants(contents.graph)
    files[_REPORT] = _json(contents.report)
    files[_MANIFEST] = _json(describe(contents) | {"sha256": {name: _hash(files[name]) for name in sorted(files)}})
    return write_archive(files)


def describe(contents: Contents) -> dict[str, Any]:
    """Return the manifest but for the hashes: versions, target, pipeline, source, signature and settings."""
    return {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "spqc": spqc.__version__,
        "target": contents.target,
        "pipeline": contents.pipeline,
        "source": dict(contents.source),
        "settings": dict(contents.settings),
        "sparse": _sparse_counts(contents.graph),
        **_signature(contents.graph),
    }


def read(path: Path) -> Contents:
    """Return what a file holds; ArtifactError says what is wrong with a damaged, foreign or newer one."""
    files = read_archive(path)
    manifest = _read_manifest(files, path)
    _check_hashes(files, manifest, path)
    _check_target(manifest["target"], path)
    graph = _read_graph(files, manifest["sparse"], path)
    if {key: manifest.get(key) for key in _signature(graph)} != json.loads(_json(_signature(graph))):
        raise ArtifactError("the manifest and the graph describe different networks", str(path), _AGAIN)
    binary = {name.removeprefix("binary/"): content for name, content in files.items() if name.startswith("binary/")}
    report = _parse_json(files[_REPORT], path)
    return Contents(
        manifest["target"],
        manifest["pipeline"],
        manifest["source"],
        graph,
        binary,
        manifest["settings"],
        report,
        manifest,
    )


def _signature(graph: Graph) -> dict[str, Any]:
    format_, output = input_format(graph), graph.outputs[0].type
    return {
        "name": graph.name,
        "steps": graph.steps,
        "input": {
            "shape": list(graph.inputs[0].type.shape),
            "encoding": format_.encoding,
            "coding": format_.coding,
            "max": format_.max,
            "scale": format_.scale,
        },
        "output": {"classes": output.shape[0], "scale": output.scale, "type": str(output)},
        "semantics": {"version": 1, "logits_dtype": graph.note("logits_dtype", "float32")},
    }


def _pack_constants(graph: Graph) -> bytes:
    parts = []
    sparse = _sparse_counts(graph)
    for value in graph.constants:
        if value.name not in graph.data:
            raise GraphError(f"constant '{value.name}' has no array", str(value), "keep the .npz beside the .tg")
        packed = pack_sparse if value.name in sparse else pack
        parts.append(packed(graph.data[value.name], value.type))
    return b"".join(parts)


def _sparse_counts(graph: Graph) -> dict[str, int]:
    """Return the constants that are stored without their zeros, and how many elements each has left."""
    known = (v for v in graph.constants if v.name in graph.data)
    counts = {v.name: worthwhile(graph.data[v.name], v.type) for v in known}
    return {name: count for name, count in counts.items() if count is not None}


def _read_graph(files: Mapping[str, bytes], sparse: Mapping[str, int], path: Path) -> Graph:
    try:
        bare = parse_graph(files[_GRAPH].decode(), path=f"{path}/{_GRAPH}")
        data = _stored_constants(bare, files[_WEIGHTS], sparse, path)
        return verify(parse_graph(files[_GRAPH].decode(), data, f"{path}/{_GRAPH}"))
    except (GraphError, UnicodeDecodeError) as error:
        reason = error.message if isinstance(error, SpqcError) else str(error)
        raise ArtifactError(f"the graph inside cannot be read: {reason}", str(path), _AGAIN) from None


def _stored_constants(graph: Graph, content: bytes, sparse: Mapping[str, int], path: Path) -> StoredConstants:
    types = {value.name: value.type for value in graph.constants}
    for name, count in sparse.items():
        if name not in types or not isinstance(count, int) or not 0 <= count <= types[name].size:
            raise ArtifactError(f"the manifest counts {count!r} elements of the weight '{name}'", str(path), _AGAIN)
    found = StoredConstants(content, types, sparse)
    if found.size != len(content):
        raise ArtifactError(f"the weights take {len(content)} bytes, not {found.size}", str(path), _AGAIN)
    return found


def _read_manifest(files: Mapping[str, bytes], path: Path) -> dict[str, Any]:
    if _MANIFEST not in files:
        raise ArtifactError("this is a zip, but not a spqc artifact", str(path), "an artifact holds manifest.json")
    manifest = _parse_json(files[_MANIFEST], path)
    if manifest.get("format") != FORMAT:
        raise ArtifactError("this is not a spqc artifact", str(path), f"its manifest does not say format '{FORMAT}'")
    version = manifest.get("format_version")
    if not isinstance(version, int) or version > FORMAT_VERSION:
        raise ArtifactError(
            f"the file has format version {version}; this spqc reads up to {FORMAT_VERSION}",
            str(path),
            "install a newer spqc, or compile the model again with this one",
        )
    kinds = {"target": str, "pipeline": str, "source": dict, "settings": dict, "sparse": dict, "sha256": dict}
    for key, kind in kinds.items():
        if not isinstance(manifest.get(key), kind):
            raise ArtifactError(f"the manifest lacks '{key}'", str(path), _AGAIN)
    return manifest


def _check_hashes(files: Mapping[str, bytes], manifest: Mapping[str, Any], path: Path) -> None:
    hashes = manifest["sha256"]
    for name in sorted({_GRAPH, _WEIGHTS, _REPORT, *hashes, *files} - {_MANIFEST}):
        if name not in files:
            raise ArtifactError(f"the part '{name}' is missing", str(path), _AGAIN)
        if hashes.get(name) != _hash(files[name]):
            raise ArtifactError(f"the part '{name}' was changed after it was compiled", str(path), _AGAIN)


def _check_target(text: str, path: Path) -> None:
    name, _ = split_call(text)
    if name not in registry.available("targets"):
        known = ", ".join(registry.available("targets"))
        raise ArtifactError(
            f"it was compiled for '{name}', a target this spqc does not have", str(path), f"known: {known}"
        )


def _parse_json(content: bytes, path: Path) -> dict[str, Any]:
    try:
        found = json.loads(content)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise ArtifactError("a description inside the file cannot be read", str(path), _AGAIN)
    return found


def _json(value: Any) -> bytes:
    return (json.dumps(value, indent=1, sort_keys=True) + "\n").encode()


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
