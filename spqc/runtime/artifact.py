"""The `.spqc` file: what was compiled, from what, for what, with a hash of every part. No pickle, no clock."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from spqc.foundation.errors import ArtifactError, GraphError, SpqcError
from spqc.foundation.version import __version__
from spqc.ir import Graph, parse_graph, verify
from spqc.plugins.executor import Package

from .archive import Archive, write_archive
from .lazy_constants import LazyConstants
from .manifest import AGAIN, FORMAT, FORMAT_VERSION, read_manifest, read_report
from .observe import input_format
from .packing import pack
from .sparse import pack_sparse, worthwhile

DESCRIPTION_BYTES = 16 << 20
"""At most, for each of manifest, graph and report; those of the largest networks take a hundredth."""
BINARY_BYTES, BINARY_BYTES_AN_OPERATOR = 32 << 20, 2 << 20
"""At most, for what a target built."""

_GRAPH, _WEIGHTS, _REPORT, _MANIFEST, _BINARY = "graph.tg", "weights.bin", "report.json", "manifest.json", "binary/"


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
    files = {f"{_BINARY}{name}": content for name, content in contents.files.items()}
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
        "spqc": __version__,
        "target": contents.target,
        "pipeline": contents.pipeline,
        "source": dict(contents.source),
        "settings": dict(contents.settings),
        "sparse": _sparse_counts(contents.graph),
        **_signature(contents.graph),
    }


def read(path: Path) -> Contents:
    """Return what a file holds; ArtifactError says what is wrong with a damaged, foreign or newer one.

    The manifest and the graph come first, under small ceilings; then weights of exactly the bytes that the graph's
    constants need, and binaries of as many as so many operators can have.
    """
    archive = Archive(path)
    if _MANIFEST not in archive.sizes:
        raise ArtifactError("this is a zip, but not a spqc artifact", str(path), "an artifact holds manifest.json")
    manifest = read_manifest(archive.read(_MANIFEST, DESCRIPTION_BYTES), path)
    parts = _Parts(archive, manifest["sha256"], path)
    graph = _read_graph(parts, manifest["sparse"], path)
    if {key: manifest.get(key) for key in _signature(graph)} != json.loads(_json(_signature(graph))):
        raise ArtifactError("the manifest and the graph describe different networks", str(path), AGAIN)
    return Contents(
        manifest["target"],
        manifest["pipeline"],
        manifest["source"],
        graph,
        parts.binaries(BINARY_BYTES + BINARY_BYTES_AN_OPERATOR * len(graph.ops)),
        manifest["settings"],
        read_report(parts.read(_REPORT, DESCRIPTION_BYTES), path),
        manifest,
    )


@dataclass(frozen=True)
class _Parts:
    """The parts of a file, each compared with its hash when it is read."""

    archive: Archive
    hashes: Mapping[str, str]
    path: Path

    def __post_init__(self) -> None:
        names = {_GRAPH, _WEIGHTS, _REPORT, *self.hashes, *self.archive.sizes} - {_MANIFEST}
        for name in sorted(names):
            if name not in self.archive.sizes:
                raise ArtifactError(f"the part '{name}' is missing", str(self.path), AGAIN)
            if name not in self.hashes:
                raise self._changed(name)

    def read(self, name: str, ceiling: int) -> bytes:
        """Return a part. Raises ArtifactError where it is not what its hash says, or above `ceiling` bytes."""
        content = self.archive.read(name, ceiling)
        if self.hashes[name] != _hash(content):
            raise self._changed(name)
        return content

    def binaries(self, ceiling: int) -> dict[str, bytes]:
        """Return what the target built, by name: not more than so many bytes together."""
        files: dict[str, bytes] = {}
        for name in (name for name in self.archive.sizes if name.startswith(_BINARY)):
            files[name.removeprefix(_BINARY)] = content = self.read(name, ceiling)
            ceiling -= len(content)
        return files

    def _changed(self, name: str) -> ArtifactError:
        return ArtifactError(f"the part '{name}' was changed after it was compiled", str(self.path), AGAIN)


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


def _read_graph(parts: _Parts, sparse: Mapping[str, int], path: Path) -> Graph:
    try:
        text = parts.read(_GRAPH, DESCRIPTION_BYTES).decode()
        bare = parse_graph(text, path=f"{path}/{_GRAPH}")
        graph = replace(bare, data=_lazy_constants(bare, parts, sparse, path))
        input_format(verify(graph))
    except ArtifactError:
        raise
    except (SpqcError, UnicodeDecodeError) as error:
        reason = error.message if isinstance(error, SpqcError) else str(error)
        raise ArtifactError(f"the graph inside cannot be read: {reason}", str(path), AGAIN) from None
    return graph


def _lazy_constants(graph: Graph, parts: _Parts, sparse: Mapping[str, int], path: Path) -> LazyConstants:
    types = {value.name: value.type for value in graph.constants}
    for name, count in sparse.items():
        if name not in types or type(count) is not int or not 0 <= count <= types[name].size:
            raise ArtifactError(f"the manifest counts {count!r} elements of the weight '{name}'", str(path), AGAIN)
    needed = LazyConstants(b"", types, sparse).size
    if needed != parts.archive.sizes[_WEIGHTS]:
        raise ArtifactError(f"the weights take {parts.archive.sizes[_WEIGHTS]} bytes, not {needed}", str(path), AGAIN)
    return LazyConstants(parts.read(_WEIGHTS, needed), types, sparse)


def _json(value: Any) -> bytes:
    return (json.dumps(value, indent=1, sort_keys=True) + "\n").encode()


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
