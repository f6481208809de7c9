"""The descriptions inside an artifact, manifest and report: read from anywhere, so every field is checked."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from spqc.foundation.errors import ArtifactError, UsageError
from spqc.foundation.options import split_call
from spqc.plugins import registry

FORMAT = "spqc-artifact"
FORMAT_VERSION = 1
AGAIN = "compile the model again"

_MANIFEST: dict[str, type] = {
    "target": str, "pipeline": str, "source": dict, "settings": dict, "sparse": dict, "sha256": dict,
}  # fmt: skip
_NUMBER = (int, float)
_KERNEL: dict[str, type | tuple[type, ...]] = {
    "kernel": str, "layer": str, "strategy": str, "settings": dict, "reason": str, "density": _NUMBER,
    "density_measured": bool, "predicted_us": (int, float, type(None)),
}  # fmt: skip


def read_manifest(content: bytes, path: Path) -> dict[str, Any]:
    """Return the manifest in these bytes; ArtifactError where it is of another format, newer, or lacks a field."""
    manifest = _parsed(content, path)
    if manifest.get("format") != FORMAT:
        raise ArtifactError("this is not a spqc artifact", str(path), f"its manifest does not say format '{FORMAT}'")
    version = manifest.get("format_version")
    if not isinstance(version, int) or version > FORMAT_VERSION:
        raise ArtifactError(
            f"the file has format version {version}; this spqc reads up to {FORMAT_VERSION}",
            str(path),
            "install a newer spqc, or compile the model again with this one",
        )
    for key, kind in _MANIFEST.items():
        if not isinstance(manifest.get(key), kind):
            raise ArtifactError(f"the manifest lacks '{key}'", str(path), AGAIN)
    texts = {"spqc": manifest.get("spqc", ""), **manifest["source"], **manifest["sha256"]}
    for key, text in texts.items():
        if not isinstance(text, str):
            raise ArtifactError(f"the manifest's '{key}' is no text", str(path), AGAIN)
    _check_target(manifest["target"], path)
    return manifest


def read_report(content: bytes, path: Path) -> dict[str, Any]:
    """Return the report in these bytes; ArtifactError where a field that people see is of another kind."""
    report = _parsed(content, path)
    kernels, tuning = report.get("kernels", {}), report.get("tuning", {"hits": 0, "misses": 0})
    if not isinstance(kernels, dict) or not all(_are_kernels(each) for each in kernels.values()):
        raise ArtifactError("the report's 'kernels' cannot be read", str(path), AGAIN)
    if not isinstance(tuning, dict) or not _fits(tuning, {"hits": int, "misses": int}):
        raise ArtifactError("the report's 'tuning' cannot be read", str(path), AGAIN)
    return report


def _are_kernels(kernels: Any) -> bool:
    return isinstance(kernels, list) and all(isinstance(each, dict) and _fits(each, _KERNEL) for each in kernels)


def _fits(entries: Mapping[str, Any], kinds: Mapping[str, type | tuple[type, ...]]) -> bool:
    return all(key in entries and isinstance(entries[key], kind) for key, kind in kinds.items())


def _check_target(text: str, path: Path) -> None:
    try:
        name, _ = split_call(text)
    except UsageError as error:
        raise ArtifactError(f"the manifest's target cannot be read: {error.message}", str(path), AGAIN) from None
    if name not in registry.available("targets"):
        known = ", ".join(registry.available("targets"))
        raise ArtifactError(
            f"it was compiled for '{name}', a target this spqc does not have", str(path), f"known: {known}"
        )


def _parsed(content: bytes, path: Path) -> dict[str, Any]:
    try:
        document = json.loads(content)
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        raise ArtifactError("a description inside the file cannot be read", str(path), AGAIN)
    return document
