"""Parts of an artifact, changed one by one, with hashes that are wrong or right."""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from spqc.runtime.archive import write_archive

Files = dict[str, bytes]


def parts(path: Path) -> dict[str, bytes]:
    """Return the content of every part, by its name."""
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def rewrite(path: Path, change: Callable[[dict[str, bytes]], None]) -> None:
    """Change parts of an artifact in its place; its hashes stay as they were."""
    files = parts(path)
    change(files)
    path.write_bytes(write_archive(files))


def in_manifest(key: str, value: object) -> Callable[[dict[str, bytes]], None]:
    """Return a change of one entry of the manifest."""

    def change(files: dict[str, bytes]) -> None:
        manifest = json.loads(files["manifest.json"]) | {key: value}
        files["manifest.json"] = json.dumps(manifest).encode()

    return change


def drop(name: str) -> Callable[[dict[str, bytes]], None]:
    """Return a change that leaves out a part."""
    return lambda files: files.pop(name) and None


def put(name: str, content: bytes) -> Callable[[dict[str, bytes]], None]:
    """Return a change that adds or replaces a part."""
    return lambda files: files.update({name: content})


def rewritten(source: Path, target: Path, change: Callable[[Files, dict[str, Any]], None]) -> Path:
    """Change parts of an artifact and its manifest, and make every hash right again."""
    files = parts(source)
    manifest = json.loads(files.pop("manifest.json"))
    change(files, manifest)
    manifest["sha256"] = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    target.write_bytes(write_archive({**files, "manifest.json": json.dumps(manifest).encode()}))
    return target
