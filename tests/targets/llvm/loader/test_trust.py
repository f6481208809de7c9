"""A manifest is not believed: whatever the compiled code relies on is checked before the library is loaded."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.artifact_files import Files, parts, rewritten

import spqc
from spqc.commands.doctor import tiny_graph
from spqc.foundation.errors import ArtifactError, Unavailable
from spqc.plugins import registry
from spqc.targets.llvm.loader.elf import Library
from spqc.targets.llvm.loader.seal import SYMBOL, seal_of

X = np.random.default_rng(0).integers(0, 2, (5, 2, 4))


@pytest.fixture(scope="module")
def artifact(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("trust") / "net.spqc"
    spqc.compile(tiny_graph(), "llvm{threads=2}", out=path)
    return path


def setting(*path: str | int, value: object) -> Callable[[Files, dict[str, Any]], None]:
    def change(_: Files, manifest: dict[str, Any]) -> None:
        place = manifest["settings"]
        for key in path[:-1]:
            place = place[key]
        place[path[-1]] = value

    return change


def without(key: str) -> Callable[[Files, dict[str, Any]], None]:
    def change(_: Files, manifest: dict[str, Any]) -> None:
        del manifest["settings"][key]

    return change


def leaves(value: Any, path: tuple[str | int, ...] = ()) -> list[tuple[tuple[str | int, ...], object]]:
    """Return every value of the settings that is no list or object, with its path."""
    if isinstance(value, dict):
        return [leaf for key, inner in value.items() for leaf in leaves(inner, (*path, key))]
    if isinstance(value, list) and value:
        return [leaf for index, inner in enumerate(value) for leaf in leaves(inner, (*path, index))]
    return [(path, value)]


def run(path: Path) -> None:
    spqc.load(path).run(X)


def test_the_intact_artifact_runs(artifact: Path, tmp_path: Path) -> None:
    same = rewritten(artifact, tmp_path / "same.spqc", lambda files, manifest: None)
    np.testing.assert_array_equal(spqc.load(same).run(X), spqc.compile(tiny_graph(), "reference").run(X))


SETTINGS: dict[str, Callable[[Files, dict[str, Any]], None]] = {
    "arena": setting("functions", "run", "arena_bytes", value=64),
    "arena_of_step": setting("functions", "step", "arena_bytes", value=64),
    "no_threads": setting("threads", value=0),
    "more_threads": setting("threads", value=64),
    "no_constants": setting("constants", value=[]),
    "constant_bytes": setting("constant_bytes", value=64),
    "huge_constants": setting("constant_bytes", value=1 << 50),
    "other_place": setting("constants", 0, "offset", value=64),
    "negative_place": setting("constants", 0, "offset", value=-64),
    "other_form": setting("constants", 0, "form", value="vector"),
    "huge_words": setting("constants", 0, "words", value=10**18),
    "no_states": setting("states", value=[]),
    "state_bytes": setting("state_bytes", value=0),
    "state_width": setting("states", 0, "bits", value=0),
    "classes": setting("classes", value=16),
    "steps": setting("steps", value=1 << 40),
    "constant_result": setting("constant_result", value=True),
    "results": setting("functions", "run", "result_elements", value=1),
    "traces": setting("functions", "run", "trace_bytes", value=1),
    "trace_width": setting("functions", "run", "traces", 0, "bits", value=0),
    "trace_name": setting("functions", "run", "traces", 0, "name", value="%nobody"),
    "features": setting("features", value=[]),
    "no_run": setting("functions", value={}),
    "architecture": setting("architecture", value="aarch64"),
    "text_as_number": setting("threads", value="2"),
    "true_as_number": setting("threads", value=True),
    "infinity": setting("state_bytes", value=float("inf")),
}


@pytest.mark.parametrize("name", SETTINGS)
def test_edited_settings_are_refused(artifact: Path, tmp_path: Path, name: str) -> None:
    with pytest.raises(ArtifactError):
        run(rewritten(artifact, tmp_path / "edited.spqc", SETTINGS[name]))


def test_every_setting_is_checked(artifact: Path, tmp_path: Path) -> None:
    """Each value of the settings, replaced by others of its kind and of other kinds."""
    settings = json.loads(parts(artifact)["manifest.json"])["settings"]
    for path, value in leaves(settings):
        others: list[object] = [value + 1 if isinstance(value, int) else f"{value}!", None, [], {}]
        for other in (other for other in others if other != value):
            edited = rewritten(artifact, tmp_path / "edited.spqc", setting(*path, value=other))
            with pytest.raises(ArtifactError):
                spqc.load(edited).executor  # noqa: B018
    for key in settings:
        edited = rewritten(artifact, tmp_path / "edited.spqc", without(key))
        with pytest.raises(ArtifactError):
            spqc.load(edited).executor  # noqa: B018


def test_other_weights_are_refused(artifact: Path, tmp_path: Path) -> None:
    def change(files: Files, _: dict[str, Any]) -> None:
        files["weights.bin"] = bytes([files["weights.bin"][0] ^ 1]) + files["weights.bin"][1:]

    with pytest.raises(ArtifactError, match="weights"):
        run(rewritten(artifact, tmp_path / "edited.spqc", change))


def test_another_graph_is_refused(artifact: Path, tmp_path: Path) -> None:
    def change(files: Files, _: dict[str, Any]) -> None:
        files["graph.tg"] = files["graph.tg"].replace(b"(Classifier)", b"(Elsewhere)")

    with pytest.raises(ArtifactError, match="another network"):
        run(rewritten(artifact, tmp_path / "edited.spqc", change))


def library(change: Callable[[bytes], bytes]) -> Callable[[Files, dict[str, Any]], None]:
    def changed(files: Files, _: dict[str, Any]) -> None:
        files["binary/model.so"] = change(files["binary/model.so"])

    return changed


LIBRARIES: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda code: b"",
    "half": lambda code: code[: len(code) // 2],
    "a_page_short": lambda code: code[:-4096],
    "a_byte_short": lambda code: code[:-1],
    "longer": lambda code: code + b"\0",
    "no_library": lambda code: b"hello" * 1000,
    "header": lambda code: code[:64],
    "zeros_in_the_code": lambda code: code[:5000] + bytes(500) + code[5500:],
    "another_machine": lambda code: code[:18] + b"\xb7" + code[19:],
    "no_sections": lambda code: code[:60] + b"\0\0" + code[62:],
    "sections_elsewhere": lambda code: code[:40] + b"\xff" * 7 + code[47:],
    "segments_elsewhere": lambda code: code[:32] + b"\xff" * 7 + code[39:],
    "without_run": lambda code: code.replace(b"__tvm_ffi_run\0", b"__tvm_ffi_ran\0"),
    "without_pool": lambda code: code.replace(b"spqc_run\0", b"spqc_ran\0"),
    "without_seal": lambda code: code.replace(b"spqc_seal\0", b"spqc_zeal\0"),
}


@pytest.mark.parametrize("name", LIBRARIES)
def test_a_damaged_library_is_refused_unloaded(
    artifact: Path, tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    edited = rewritten(artifact, tmp_path / "edited.spqc", library(LIBRARIES[name]))
    monkeypatch.setattr("ctypes.CDLL", lambda *_: pytest.fail("the library was loaded"))
    with pytest.raises(ArtifactError):
        spqc.load(edited).executor  # noqa: B018


def test_any_flipped_byte_of_the_library_is_refused(artifact: Path) -> None:
    package = spqc.load(artifact).contents.package()
    code = package.files["model.so"]
    target = type(registry.create("targets", "llvm"))
    for place in np.random.default_rng(0).integers(0, len(code), 300):
        damaged = code[:place] + bytes([code[place] ^ 1]) + code[place + 1 :]
        with pytest.raises(ArtifactError):
            target.open(dataclasses.replace(package, files={"model.so": damaged}))


def resealed(source: Path, target: Path, change: Callable[[dict[str, Any]], object]) -> Path:
    """Change the settings, and forge the library's seal of them, so that only what the graph says is left to check."""

    def forged(files: Files, manifest: dict[str, Any]) -> None:
        change(manifest["settings"])
        code = files["binary/model.so"]
        elf = Library(code)
        start = elf.exports[SYMBOL].offset
        graph = spqc.load(source).graph
        settings = seal_of(manifest["settings"], graph, np.zeros(0, np.uint8)).settings
        code = code[: start + 48] + settings + code[start + 80 :]
        own = hashlib.sha256(code[: start + 16] + code[start + 48 :]).digest()
        files["binary/model.so"] = code[: start + 16] + own + code[start + 48 :]

    return rewritten(source, target, forged)


FORGED: dict[str, Callable[[dict[str, Any]], object]] = {
    "steps": lambda s: s.update(steps=99),
    "classes": lambda s: s.update(classes=99),
    "threads": lambda s: s.update(threads=0),
    "too_many_threads": lambda s: s.update(threads=10**6),
    "constant_result": lambda s: s.update(constant_result=True),
    "results": lambda s: s["functions"]["run"].update(result_elements=4),
    "constants": lambda s: s["constants"][0].update(name="@nobody"),
    "place": lambda s: s["constants"][0].update(offset=1 << 40),
    "states": lambda s: s.update(states=[]),
    "state_place": lambda s: s["states"][0].update(offset=-1),
    "state_bytes": lambda s: s.update(state_bytes=0),
    "trace_name": lambda s: s["functions"]["run"]["traces"][0].update(name="%nobody"),
    "trace_shape": lambda s: s["functions"]["run"]["traces"][0].update(shape=[7]),
    "trace_place": lambda s: s["functions"]["run"]["traces"][0].update(offset=10**9),
    "trace_bytes": lambda s: s["functions"]["run"].update(trace_bytes=1),
    "function": lambda s: s["functions"].pop("step"),
}


@pytest.mark.parametrize("name", FORGED)
def test_what_the_graph_says_is_not_believed_from_settings(artifact: Path, tmp_path: Path, name: str) -> None:
    run(resealed(artifact, tmp_path / "same.spqc", lambda settings: None))
    with pytest.raises(ArtifactError, match="the settings"):
        spqc.load(resealed(artifact, tmp_path / "edited.spqc", FORGED[name])).executor  # noqa: B018


def test_an_intact_artifact_for_another_cpu_is_unavailable(artifact: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("spqc.targets.llvm.architecture", lambda: "aarch64")
    with pytest.raises(Unavailable, match="x86_64"):
        run(artifact)
