"""Files from anywhere: an error with its place and exit code 2, and no more memory or time than the network needs."""

from __future__ import annotations

import io
import json
import re
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.artifact_files import Files, drop, in_manifest, parts, put, rewritten
from support.places import ROOT
from support.refusals import X, assert_error, assert_refused

from spqc.commands.doctor import tiny_graph
from spqc.foundation.zips import BadZip, Zip
from spqc.frontends.graph_text import write_arrays

Run = Callable[..., object]


@pytest.fixture
def net(tiny: Path, spqc: Run) -> Path:
    spqc("compile", "tiny.tg", "--target", "reference", "-o", "net.spqc")
    np.save("x.npy", X)
    return Path("net.spqc")


# The zip


def repacked(path: Path, method: int) -> None:
    files = parts(path)
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, content in files.items():
            archive.writestr(name, content)


@pytest.mark.parametrize("method", [zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2])
def test_other_packings_are_refused(spqc: Run, net: Path, method: int) -> None:
    repacked(net, method)
    assert_refused(spqc, net, "packed in another way")


def test_encrypted_parts_are_refused(spqc: Run, net: Path) -> None:
    content = bytearray(net.read_bytes())
    for mark, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        start = 0
        while (start := content.find(mark, start)) >= 0:
            content[start + place] |= 1
            start += 4
    net.write_bytes(bytes(content))
    assert_refused(spqc, net, "encrypted")


def test_a_part_that_unpacks_to_more_than_it_declares() -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("zeros", bytes(1 << 20))
    content = buffer.getvalue().replace((1 << 20).to_bytes(4, "little"), (100).to_bytes(4, "little"))
    with pytest.raises(BadZip):
        Zip(content).read("zeros", 1 << 30)
    with pytest.raises(BadZip, match="at most 99"):
        Zip(content).read("zeros", 99)


BOMBS: dict[str, str] = {
    "manifest.json": "16777216",
    "graph.tg": "16777216",
    "weights.bin": "not 33",
    "report.json": "16777216",
    "binary/model.so": "at most",
}


@pytest.mark.parametrize("name", BOMBS)
def test_bombs_are_refused_unread(spqc: Run, net: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Each part has a ceiling of its own, which the graph gives: half a gigabyte of zeros in half a megabyte."""
    with zipfile.ZipFile(net) as archive:
        files = {part: archive.read(part) for part in archive.namelist()}
    manifest = json.loads(files["manifest.json"])
    manifest["sha256"].setdefault(name, "0" * 64)
    files["manifest.json"] = json.dumps(manifest).encode()
    with zipfile.ZipFile(net, "w", zipfile.ZIP_DEFLATED) as archive:
        for part, content in files.items():
            if part != name:
                archive.writestr(part, content)
        with archive.open(name, "w") as stream:
            for _ in range(512):
                stream.write(bytes(1 << 20))
    read = zipfile.ZipExtFile.read

    def counted(self: zipfile.ZipExtFile, n: int | None = -1) -> bytes:
        assert n is not None and 0 <= n < 1 << 24
        return read(self, n)

    monkeypatch.setattr(zipfile.ZipExtFile, "read", counted)
    assert_refused(spqc, net, BOMBS[name])


# Descriptions

MANIFESTS: dict[str, tuple[str, object]] = {
    "target_text": ("target", "reference{optimise"),
    "target_number": ("target", 3),
    "sparse_count": ("sparse", {"@w": -1}),
    "sparse_true": ("sparse", {"@w": True}),
    "sparse_text": ("sparse", {"@w": "3"}),
    "sparse_stranger": ("sparse", {"@nobody": 1}),
    "hashes": ("sha256", {"graph.tg": 3}),
    "source": ("source", {"model": ["a"]}),
    "version": ("spqc", {"a": 1}),
    "steps": ("steps", 10**400),
    "name": ("name", None),
}


@pytest.mark.parametrize("name", MANIFESTS)
def test_manifests(spqc: Run, net: Path, name: str) -> None:
    files = parts(net)
    in_manifest(*MANIFESTS[name])(files)
    with zipfile.ZipFile(net, "w") as archive:
        for part, content in files.items():
            archive.writestr(part, content)
    assert_refused(spqc, net)


KERNEL = {
    "kernel": "k0", "layer": "features.0", "strategy": "dense", "settings": {}, "reason": "fastest", "density": 0.5,
    "density_measured": False, "predicted_us": 1.0,
}  # fmt: skip
REPORTS: dict[str, object] = {
    "list": [],
    "number": 3,
    "kernels_number": {"kernels": 3},
    "kernels_list": {"kernels": []},
    "run_number": {"kernels": {"run": 3}},
    "kernel_number": {"kernels": {"run": [3]}},
    **{f"lacks_{key}": {"kernels": {"run": [{k: v for k, v in KERNEL.items() if k != key}]}} for key in KERNEL},
    **{f"kind_of_{key}": {"kernels": {"run": [KERNEL | {key: [1]}]}} for key in KERNEL},
    "tuning": {"tuning": []},
    "tuning_text": {"tuning": {"hits": "2", "misses": 1}},
}


@pytest.mark.parametrize("name", REPORTS)
def test_reports(spqc: Run, net: Path, name: str) -> None:
    def change(files: Files, _: dict[str, Any]) -> None:
        files["report.json"] = json.dumps(REPORTS[name]).encode()

    assert_refused(spqc, rewritten(net, net, change))


def test_a_report_as_it_should_be(spqc: Run, net: Path) -> None:
    def change(files: Files, _: dict[str, Any]) -> None:
        files["report.json"] = json.dumps({"kernels": {"run": [KERNEL]}}).encode()

    assert spqc("inspect", rewritten(net, net, change)).code == 0  # type: ignore[attr-defined]


@pytest.mark.parametrize("content", [b"[" * 100_000, b'{"a": ' + b"9" * 10_000 + b"}", b"\xff", b"NaN"])
@pytest.mark.parametrize("name", ["report.json", "manifest.json"])
def test_descriptions_that_are_no_json(spqc: Run, net: Path, name: str, content: bytes) -> None:
    files = parts(net)
    put(name, content)(files)
    with zipfile.ZipFile(net, "w") as archive:
        for part, held in files.items():
            archive.writestr(part, held)
    assert_refused(spqc, net)


def test_an_llvm_artifact_without_its_library(spqc: Run, tiny: Path) -> None:
    spqc("compile", tiny, "-o", "net.spqc")
    np.save("x.npy", X)
    path = rewritten(Path("net.spqc"), Path("net.spqc"), lambda files, _: drop("binary/model.so")(files) and None)
    assert_error(spqc("run", path, "--input", "x.npy"), 2, "net.spqc")


# Memory and time


@pytest.mark.parametrize("kind", ["spqc", "npz", "tg", "pt"])
def test_a_bomb_takes_little_memory(tmp_path: Path, kind: str) -> None:
    """In a process of its own, a file that unpacks to gigabytes is refused in little memory."""
    write_arrays(tmp_path / "bomb.tg", tiny_graph())
    name = {"spqc": "report.json", "npz": "@w.npy", "tg": "", "pt": "bomb/data.pkl"}[kind]
    if kind == "tg":
        with (tmp_path / "bomb.tg").open("r+b") as file:
            file.truncate(3 << 30)
    else:
        with zipfile.ZipFile(tmp_path / f"bomb.{kind}", "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("manifest.json", "{}")
            with archive.open(name, "w", force_zip64=True) as stream:
                for _ in range(1024):
                    stream.write(bytes(1 << 20))
    path = tmp_path / ("bomb.tg" if kind == "npz" else f"bomb.{kind}")
    program = "import sys; from spqc.cli import main; code = main(sys.argv[1:]); "
    program += "print(open('/proc/self/status').read()); sys.exit(code)"
    command = [sys.executable, "-c", program]
    done = subprocess.run([*command, "inspect", path], capture_output=True, text=True, cwd=ROOT, timeout=120)
    assert done.returncode == 2, done.stderr
    (most,) = re.findall(r"VmHWM:\s+(\d+) kB", done.stdout)  # of this process alone, unlike getrusage's
    assert int(most) < 700_000  # torch alone takes half of it
