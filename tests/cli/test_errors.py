"""Bad input, as a user meets it: what is wrong, where, a hint, the right exit code, and never a traceback."""

from __future__ import annotations

import os
import pickle
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from support.refusals import assert_error

from spqc.frontends.graph_text import read_arrays
from spqc.plugins import registry

Run = Callable[..., object]
Golden = Callable[[str, str], None]

CODE = b"cos\nsystem\n(S'touch owned'\ntR."
needs_checkpoints = pytest.mark.skipif(
    "spquant" not in registry.available("frontends"),
    reason="THE FRONTEND 'spquant' IS NOT INSTALLED: checkpoints are not tested",
)


@pytest.fixture
def net(tiny: Path, spqc: Run) -> Path:
    spqc("compile", "tiny.tg", "--target", "reference", "-o", "net.spqc")
    return Path("net.spqc")


# Models


@dataclass(frozen=True)
class BadModel:
    """A file that is no model, and what the error must name."""

    content: bytes | None
    words: tuple[str, ...]
    suffix: str = ".tg"


BAD_MODELS: dict[str, BadModel] = {
    "missing": BadModel(None, ("no such file", "bad.tg")),
    "empty": BadModel(b"", ("empty", "bad.tg")),
    "not_text": BadModel(b"\x80\x81\x00", ("cannot be read as text", "bad.tg")),
    "no_graph": BadModel(b"// nothing\n", ("no graph", "bad.tg")),
    "truncated": BadModel(b"graph a(%x: spike<4>) steps=2 {\n  return %x\n", ("not closed", "bad.tg")),
    "unknown_line": BadModel(b"graph a(%x: spike<4>) steps=2 {\n  what\n}\n", ("cannot read this line", "bad.tg:2")),
    "no_steps": BadModel(b"graph a(%x: spike<4>) steps=0 {\n  return %x\n}\n", ("one step or more",)),
    "unknown_kind": BadModel(b"hello", ("no frontend reads this", "bad.docx"), ".docx"),
}


@pytest.mark.parametrize("name", BAD_MODELS)
def test_bad_model(name: str, spqc: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bad = BAD_MODELS[name]
    monkeypatch.chdir(tmp_path)
    path = Path(f"bad{bad.suffix}")
    if bad.content is not None:
        path.write_bytes(bad.content)
    for command in ("compile", "verify", "inspect"):
        assert_error(spqc(command, path), 2, *bad.words)


def test_a_folder_is_no_model(spqc: Run, tmp_path: Path) -> None:
    assert_error(spqc("compile", tmp_path), 2, "a folder, not a model")


def test_constants_without_arrays(tiny: Path, spqc: Run) -> None:
    Path("tiny.npz").unlink()
    assert_error(spqc("compile", tiny), 2, "arrays of the constants are missing", "tiny.npz")


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 cut off", pickle.dumps([1]), CODE])
def test_arrays_that_are_none(tiny: Path, spqc: Run, content: bytes) -> None:
    Path("tiny.npz").write_bytes(content)
    assert_error(spqc("compile", tiny), 2, "cannot be read", "tiny.npz")
    assert not Path("owned").exists()


def test_arrays_with_code_are_not_run(tiny: Path, spqc: Run) -> None:
    np.savez("tiny.npz", **{"@w": np.array([Evil()], dtype=object)})
    assert_error(spqc("compile", tiny), 2, "cannot be read")
    assert not Path("owned").exists()


class Evil:
    """Writes a file when it is unpickled."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, ("touch owned",)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_no_numbers(tiny: Path, spqc: Run, value: float) -> None:
    arrays = read_arrays(Path("tiny.npz"))
    arrays["@a"] = np.array([0.25, value, 0.25], np.float32)
    np.savez("tiny.npz", **arrays)
    assert_error(spqc("compile", tiny), 2, "'@a' holds NaN or infinity", "features.0 (SpikingLinear)")


@needs_checkpoints
@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", ("empty", "bad.pt")),
        (b"hello, world", ("bad.pt",)),
        (CODE, ("bad.pt",)),
        (b"PK\x03\x04" + bytes(50), ("damaged or truncated", "bad.pt")),
    ],
)
def test_a_file_that_is_no_checkpoint(
    spqc: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes, words: tuple[str, ...]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("bad.pt").write_bytes(content)
    assert_error(spqc("compile", "bad.pt"), 2, *words)
    assert not Path("owned").exists()


@needs_checkpoints
def test_bad_checkpoints(spqc: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    torch = pytest.importorskip("torch", reason="TORCH IS NOT INSTALLED: checkpoints are not tested")
    from spqc.nn import checkpoint, models

    monkeypatch.chdir(tmp_path)
    checkpoint.save(models.create("digits"), "good.pt")
    good = torch.load("good.pt", weights_only=True)

    Path("cut.pt").write_bytes(Path("good.pt").read_bytes()[:-500])
    assert_error(spqc("compile", "cut.pt"), 2, "cut.pt")
    torch.save({**good, "version": 99}, "newer.pt")
    assert_error(spqc("compile", "newer.pt"), 2, "version 99", "install a newer spqc")
    torch.save({**good, "model": Evil()}, "evil.pt")
    assert_error(spqc("compile", "evil.pt"), 2, "never loads")
    assert not Path("owned").exists()

    name = next(iter(good["state_dict"]))
    good["state_dict"][name] = torch.full_like(good["state_dict"][name], float("nan"))
    torch.save(good, "nan.pt")
    assert_error(spqc("compile", "nan.pt"), 2, name)


# Inputs


BAD_INPUTS: dict[str, tuple[object, tuple[str, ...]]] = {
    "rank": (np.zeros((3, 1, 2, 4), np.uint8), ("shape [3, 1, 2, 4]", "[N, 2, 4] or [N, 4]")),
    "shape": (np.zeros((3, 2, 5), np.uint8), ("shape [3, 2, 5]",)),
    "steps": (np.zeros((3, 7, 4), np.uint8), ("shape [3, 7, 4]", "runs 2 steps")),
    "no_samples": (np.zeros((0, 2, 4), np.uint8), ("no samples",)),
    "scalar": (np.float32(1), ("shape []",)),
    "nan": (np.full((3, 2, 4), np.nan), ("NaN",)),
    "out_of_range": (np.full((3, 2, 4), 2, np.uint8), ("0..1",)),
    "negative": (np.full((3, 2, 4), -1), ("0..1",)),
    "complex": (np.zeros((3, 2, 4), complex), ("dtype complex128",)),
    "text": (np.full((3, 2, 4), "a"), ("dtype <U1",)),
}


@pytest.mark.parametrize("name", BAD_INPUTS)
def test_bad_input(name: str, spqc: Run, net: Path) -> None:
    array, words = BAD_INPUTS[name]
    np.save("x.npy", array)
    assert_error(spqc("run", net, "--input", "x.npy"), 2, *words)
    assert_error(spqc("verify", "tiny.tg", net, "--input", "x.npy"), 2, *words)


@pytest.mark.parametrize("content", [None, b"", b"hello", b"\x93NUMPY\x01\x00", pickle.dumps([1]), CODE])
def test_a_file_that_is_no_array(spqc: Run, net: Path, content: bytes | None) -> None:
    if content is not None:
        Path("x.npy").write_bytes(content)
    assert_error(spqc("run", net, "--input", "x.npy"), 2, "x.npy")
    assert not Path("owned").exists()


def test_an_array_of_objects_is_not_unpickled(spqc: Run, net: Path) -> None:
    np.save("x.npy", np.array([Evil()], dtype=object))
    assert_error(spqc("run", net, "--input", "x.npy"), 2, "x.npy")
    assert not Path("owned").exists()


def test_an_array_that_declares_too_much(spqc: Run, net: Path) -> None:
    np.save("x.npy", np.zeros((1, 2, 4), np.uint8))
    content = Path("x.npy").read_bytes()
    Path("x.npy").write_bytes(content.replace(b"(1, 2, 4)", b"(9, 9, 9)"))
    assert_error(spqc("run", net, "--input", "x.npy"), 2, "x.npy")


def test_a_stream_of_another_batch(net: Path) -> None:
    import spqc
    from spqc.foundation.errors import InputError

    artifact = spqc.load(net)
    artifact.step(np.zeros((3, 4), np.uint8))
    with pytest.raises(InputError, match="3 samples"):
        artifact.step(np.zeros((2, 4), np.uint8))
    artifact.reset()
    artifact.step(np.zeros((2, 4), np.uint8))


# Targets and artifacts


def test_every_unsupported_operator_is_named_at_once(spqc: Run, tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from spqc.targets.reference import Reference

    refusals = ["features.0 (SpikingLinear): %1 = affine %0, @a, @b", "classifier (Classifier): %4 = linear %2, @v"]
    monkeypatch.setattr(Reference, "check", lambda self, graph: refusals)
    outcome = spqc("compile", tiny, "--target", "reference")
    assert_error(outcome, 2, "2 operators are not supported by target 'reference'", *refusals, "tiny.tg", "hint: ")


def test_an_artifact_of_another_model(spqc: Run, net: Path) -> None:
    text = Path("tiny.tg").read_text().replace("steps=2", "steps=3")
    Path("other.tg").write_text(text)
    Path("other.npz").write_bytes(Path("tiny.npz").read_bytes())
    assert_error(spqc("verify", "other.tg", net), 2, "compiled from another network", "net.spqc")


def test_a_damaged_artifact(spqc: Run, net: Path) -> None:
    net.write_bytes(net.read_bytes()[:100])
    np.save("x.npy", np.zeros((1, 4), np.uint8))
    for command in (["run", net, "--input", "x.npy"], ["inspect", net], ["verify", "tiny.tg", net], ["bench", net]):
        assert_error(spqc(*command), 2, "truncated or damaged", "net.spqc")


def test_an_artifact_that_is_a_model(spqc: Run, tiny: Path) -> None:
    np.save("x.npy", np.zeros((1, 4), np.uint8))
    assert_error(spqc("run", tiny, "--input", "x.npy"), 2, "not a spqc artifact", "tiny.tg")


# Outputs


def test_outputs_that_cannot_be_written(spqc: Run, net: Path) -> None:
    np.save("x.npy", np.zeros((1, 4), np.uint8))
    assert_error(
        spqc("compile", "tiny.tg", "--target", "reference", "-o", "no/net.spqc"), 2, "cannot write 'no/net.spqc'"
    )
    assert_error(spqc("run", net, "--input", "x.npy", "--output", "no/y.npy"), 2, "cannot write 'no/y.npy'")
    assert_error(spqc("compile", "tiny.tg", "--target", "reference", "-o", "."), 2, "cannot write '.'")
    Path("file").write_text("")
    assert_error(spqc("opt", "tiny.tg", "--dump", "file/dump"), 2, "cannot write dumps")


def test_a_full_disk_keeps_what_was_there(spqc: Run, net: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = net.read_bytes()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    assert_error(
        spqc("compile", "tiny.tg", "--target", "reference{optimise=true}", "-o", net), 2, "No space left on device"
    )
    assert net.read_bytes() == before
    assert zipfile.is_zipfile(net)


@pytest.mark.skipif(os.geteuid() == 0, reason="ROOT MAY WRITE ANYWHERE: read-only folders are not tested")
def test_a_read_only_folder(spqc: Run, net: Path) -> None:
    Path("locked").mkdir(mode=0o500)
    assert_error(spqc("compile", "tiny.tg", "--target", "reference", "-o", "locked/n.spqc"), 2, "Permission denied")
