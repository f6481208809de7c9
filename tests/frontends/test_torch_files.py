"""Files of torch.save are told apart by their first bytes: whose they are, damaged or not, and nothing of them runs."""

from __future__ import annotations

import io
import os
import pickle
import struct
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from spqc.commands.sources import read_model
from spqc.foundation.errors import ModelError
from spqc.foundation.zips import MOST_AT_ONCE, MOST_PARTS, BadZip, Zip
from spqc.frontends import _torch_files
from spqc.frontends.spquant import SpQuant
from spqc.plugins.frontend import Match, Source

torch = pytest.importorskip("torch", reason="TORCH IS NOT INSTALLED: its files are not tested")

from spqc.nn import checkpoint, models  # noqa: E402  (torch must be there)

Write = Callable[[Path, dict[str, Any]], None]
LONG = "x" * _torch_files.MOST_BYTES
NO_DATA = "data of another kind"


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What a checkpoint of spqc.nn holds."""
    path = tmp_path_factory.mktemp("good") / "good.pt"
    checkpoint.save(models.create("digits"), path)
    content: dict[str, Any] = torch.load(path, weights_only=True)
    return content


def match_of(path: Path) -> Match:
    return SpQuant.matches(Source(path.name, path))


def saved(content: Any, **options: Any) -> bytes:
    buffer = io.BytesIO()
    torch.save(content, buffer, **options)
    return buffer.getvalue()


def zipped(**parts: bytes) -> bytes:
    """Return a zip of parts whose names end in .pkl, in a folder as torch.save makes one."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in parts.items():
            archive.writestr(f"archive/{name}.pkl", content)
    return buffer.getvalue()


# Our own


def repeated(good: dict[str, Any]) -> dict[str, Any]:
    """Return a checkpoint that has the word `format` twice: its pickle has it once, and refers to it then."""
    (word,) = (key for key in good if key == "format")
    return {"note": word, **good}


OWN: dict[str, Callable[[dict[str, Any]], bytes]] = {
    "saved": saved,
    "older": lambda good: saved(good, _use_new_zipfile_serialization=False),
    "turned": lambda good: saved({key: good[key] for key in reversed(good)}),
    "repeated": lambda good: saved(repeated(good)),
}


@pytest.mark.parametrize("suffix", [".pt", ".bin"])
@pytest.mark.parametrize("name", OWN)
def test_checkpoints(name: str, suffix: str, good: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / f"net{suffix}"
    path.write_bytes(OWN[name](good))
    assert match_of(path) == Match.sure("a checkpoint of spqc.nn")
    assert read_model(path).graph.name == "digits"


def test_words_that_a_newer_pickle_refers_to(good: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "net.pt"
    path.write_bytes(saved(repeated(good), pickle_protocol=4))
    assert match_of(path) == Match.sure("a checkpoint of spqc.nn")


def test_a_checkpoint_behind_much_else_is_left_to_be_read(good: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "net.pt"
    path.write_bytes(saved({"note": LONG, **good}))
    match = match_of(path)
    assert match.confidence == 0.1 and "its beginning does not tell" in match.reason
    assert read_model(path).graph.name == "digits"
    assert match_of(path.rename(tmp_path / "net.bin")).confidence == 0.0


def test_live_networks() -> None:
    net = models.create("digits")
    for model in (net, torch.nn.DataParallel(net), net.features[0]):
        assert SpQuant.matches(Source("net", model=model)) == Match.sure("a part of spqc.nn")
    declined = Match.no("a Linear is no network of spqc.nn, and wraps none")
    assert SpQuant.matches(Source("net", model=torch.nn.Linear(2, 2))) == declined


# Others'


FOREIGN: dict[str, tuple[Callable[[dict[str, Any]], bytes], str]] = {
    "dictionary": (lambda good: saved({"weight": torch.zeros(3), "format": "other"}), NO_DATA),
    "numbers": (lambda good: saved(good["state_dict"]), NO_DATA),
    "inside": (lambda good: saved({"best": good}), NO_DATA),
    "deeper": (lambda good: saved({"epoch": 1, "best": {"first": good, "second": good}}), NO_DATA),
    "as_values": (lambda good: saved(["spqc-checkpoint", "format"]), NO_DATA),
    "module": (lambda good: saved(torch.nn.Linear(2, 2)), "Python objects (torch.nn.modules.linear.Linear)"),
    "module_4": (lambda good: saved(torch.nn.Linear(2, 2), pickle_protocol=4), "torch.nn.modules.linear.Linear"),
    "module_older": (
        lambda good: saved(torch.nn.Linear(2, 2), _use_new_zipfile_serialization=False),
        "torch.nn.modules.linear.Linear",
    ),
    "names_that_no_terminal_should_see": (lambda good: zipped(data=b"cevil\x1b[31m\nname\n."), NO_DATA),
    "program": (lambda good: zipped(data=b"N.", constants=b"N."), "a program of TorchScript"),
    "zip": (lambda good: zipped(other=b"N."), "a zip without the part data.pkl"),
    "text": (lambda good: b"hello, world", "neither a zip nor an older file of torch.save"),
    "pickle": (lambda good: pickle.dumps(good), "neither a zip nor an older file of torch.save"),
    "empty": (lambda good: b"", "it is empty"),
}


@pytest.mark.parametrize("name", FOREIGN)
def test_files_of_others_are_declined(name: str, good: dict[str, Any], tmp_path: Path) -> None:
    make, reason = FOREIGN[name]
    path = tmp_path / "foreign.pt"
    path.write_bytes(make(good))
    match = match_of(path)
    assert match.confidence == 0.0 and reason in match.reason and "\x1b" not in match.reason
    if path.stat().st_size:
        with pytest.raises(ModelError) as caught:
            read_model(path)
        assert f"\n  - spquant declined: {match.reason}\n" in str(caught.value)


def test_what_is_no_file_is_declined(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.pt")  # opening it would wait for a writer
    for path in (tmp_path, tmp_path / "absent.pt", tmp_path / "pipe.pt", Path("a\0b.pt")):
        assert match_of(path) == Match.no("it is no regular file")
        assert Source("", path).head() == b""


def test_a_pickled_network_is_left_to_be_refused(tmp_path: Path) -> None:
    path = tmp_path / "net.pt"
    path.write_bytes(saved(models.create("digits")))
    assert match_of(path).confidence == 0.1
    with pytest.raises(ModelError, match="holds Python objects or code, which spqc never loads"):
        read_model(path)


# Damaged


def oversized() -> bytes:
    """Return a zip whose table of contents takes as many bytes as it declares, and too many."""
    table = bytes(MOST_AT_ONCE + 1)
    return b"PK\x03\x04" + table + struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 1, 1, len(table), 4, 0)


DAMAGED: dict[str, tuple[Callable[[dict[str, Any]], bytes], str]] = {
    "cut_off": (lambda good: saved(good)[:-500], "its zip is damaged or cut off"),
    "cut_off_early": (lambda good: saved(good)[:40], "its zip is damaged or cut off"),
    "older_cut_off": (
        lambda good: saved(good, _use_new_zipfile_serialization=False)[:200],
        "its pickle is damaged or cut off",
    ),
    "older_heads_cut_off": (
        lambda good: saved(good, _use_new_zipfile_serialization=False)[:20],
        "its pickle is damaged or cut off",
    ),
    "zeros": (lambda good: b"PK\x03\x04" + bytes(50), "its zip is damaged or cut off"),
    "table": (lambda good: oversized(), f"takes more than {MOST_AT_ONCE} bytes"),
    "no_pickle": (lambda good: zipped(data=b"\xff\xff"), "its pickle is damaged or cut off"),
    "no_end": (lambda good: zipped(data=b"\x80\x02}"), "its pickle is damaged or cut off"),
    "no_beginning": (lambda good: zipped(data=b"\x80\x02Nu."), "its pickle ends a collection that never began"),
    "digits": (lambda good: zipped(data=b"I" + b"9" * 5000 + b"\n."), "its pickle is damaged or cut off"),
}


@pytest.mark.parametrize("name", DAMAGED)
def test_damaged_files_are_left_to_be_explained(name: str, good: dict[str, Any], tmp_path: Path) -> None:
    make, reason = DAMAGED[name]
    path = tmp_path / "bad.pt"
    path.write_bytes(make(good))
    match = match_of(path)
    assert match.confidence == 0.1 and reason in match.reason
    with pytest.raises(ModelError) as caught:
        read_model(path)
    assert "no frontend" not in caught.value.message and caught.value.where == str(path)
    elsewhere = match_of(path.rename(tmp_path / "bad.bin"))
    assert elsewhere == Match.no(match.reason)


def test_a_file_that_may_not_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(_torch_files, "BoundedFile", forbidden)
    for name, confidence in (("net.pt", 0.1), ("net.bin", 0.0)):
        (tmp_path / name).write_bytes(b"PK")
        match = match_of(tmp_path / name)
        assert match.confidence == confidence and "Permission denied" in match.reason


# Hostile


class Evil:
    """Makes the folder `owned` when it is unpickled."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, ("owned",)


HOSTILE: dict[str, tuple[Callable[[dict[str, Any]], bytes], str]] = {
    "foreign": (lambda good: saved(Evil()), "posix.mkdir"),
    "foreign_older": (lambda good: saved([Evil()], _use_new_zipfile_serialization=False), "posix.mkdir"),
    "in_a_checkpoint": (lambda good: saved({**good, "model": Evil()}), "a checkpoint of spqc.nn"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_code_in_a_file_is_not_run(
    name: str, good: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    make, reason = HOSTILE[name]
    path = Path("evil.pt")
    path.write_bytes(make(good))
    assert reason in match_of(path).reason
    with pytest.raises(ModelError, match="never loads" if name == "in_a_checkpoint" else "posix.mkdir"):
        read_model(path)
    assert not Path("owned").exists()
    torch.load(path, weights_only=False)  # whoever does unpickle it runs the code: the file is as hostile as it claims
    assert Path("owned").is_dir()


def test_little_is_read_of_a_large_file(good: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a file of 8 GiB, and of a pickle that unpacks to 64 MiB, no more than the ceilings."""
    large, bomb = tmp_path / "large.pt", tmp_path / "bomb.pt"
    large.write_bytes(b"PK\x03\x04")
    with large.open("r+b") as file:
        file.truncate(8 << 30)
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bomb/data.pkl", b"N" * (64 << 20))
    reads: list[int] = []
    read = _torch_files.BoundedFile.read

    def counted(self: _torch_files.BoundedFile, size: int | None = -1, /) -> bytes:
        content = read(self, size)
        reads.append(len(content))
        return content

    monkeypatch.setattr(_torch_files.BoundedFile, "read", counted)
    assert match_of(large).confidence == match_of(bomb).confidence == 0.1
    assert 0 < sum(reads) < MOST_AT_ONCE
    assert len(Zip(bomb.read_bytes()).head("bomb/data.pkl", 1000)) == 1000


def test_a_read_of_too_much_takes_no_memory(tmp_path: Path) -> None:
    path = tmp_path / "large.zip"
    path.write_bytes(b"")
    os.truncate(path, 16 * MOST_AT_ONCE)
    for size in (16 * MOST_AT_ONCE, -1, None):
        tracemalloc.start()
        try:
            with _torch_files.BoundedFile(path) as file, pytest.raises(BadZip, match="takes more than"):
                file.read(size)
            assert tracemalloc.get_traced_memory()[1] < 2 * MOST_AT_ONCE
        finally:
            tracemalloc.stop()


def test_many_parts_fit_into_one_read(tmp_path: Path) -> None:
    path = tmp_path / "many.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for number in range(MOST_PARTS):
            archive.writestr(f"archive/data/{number}", b"")
    with _torch_files.BoundedFile(path) as file:
        assert len(Zip(file).sizes) == MOST_PARTS
