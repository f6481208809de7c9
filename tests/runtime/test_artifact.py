"""The artifact file: reproducible, complete, and a clear error for every kind of damage."""

from __future__ import annotations

import json
import stat
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.artifact_files import drop, in_manifest, parts, put, rewrite

import spqc
from spqc.commands.doctor import tiny_graph
from spqc.foundation.errors import ArtifactError, GraphError, OutputError
from spqc.ir import Type
from spqc.ir.grids import magnitudes
from spqc.runtime.archive import write_archive
from spqc.runtime.packing import pack, packed_size, unpack


@pytest.fixture
def saved(tiny: Path) -> Path:
    spqc.compile(tiny, "reference", out="net.spqc")
    return Path("net.spqc")


@pytest.mark.usefixtures("compiles")
@pytest.mark.parametrize("target", ["reference", "llvm"])
def test_same_input_same_bytes(tiny: Path, target: str) -> None:
    spqc.compile(tiny, target, out="a.spqc")
    spqc.compile(tiny, target, out="b.spqc")
    assert Path("a.spqc").read_bytes() == Path("b.spqc").read_bytes()


def test_saving_what_was_loaded_changes_nothing(saved: Path) -> None:
    spqc.load(saved).save("again.spqc")
    assert saved.read_bytes() == Path("again.spqc").read_bytes()


@pytest.mark.parametrize("target", ["reference", "llvm"])
def test_loaded_runs_like_compiled(tiny: Path, target: str) -> None:
    x = np.random.default_rng(0).integers(0, 2, (7, 2, 4))
    compiled = spqc.compile(tiny, target, out="net.spqc")
    loaded = spqc.load("net.spqc")
    np.testing.assert_array_equal(compiled.run(x), loaded.run(x))
    np.testing.assert_array_equal(loaded.predict(x), loaded.run(x).sum(axis=1).argmax(axis=1))
    assert loaded.run(x).dtype == np.float32


@pytest.mark.parametrize("target", ["reference", "llvm"])
def test_step_by_step_equals_run(tiny: Path, target: str) -> None:
    artifact = spqc.compile(tiny, target)
    x = np.random.default_rng(0).integers(0, 2, (3, 2, 4))
    for _ in range(2):
        artifact.reset()
        stepped = np.stack([artifact.step(x[:, t]) for t in range(2)], axis=1)
        np.testing.assert_array_equal(stepped, artifact.run(x))


def test_manifest_tells_what_matters(saved: Path) -> None:
    files = parts(saved)
    manifest = json.loads(files["manifest.json"])
    assert manifest["format"] == "spqc-artifact" and manifest["format_version"] == 1
    assert manifest["target"] == "reference" and manifest["steps"] == 2
    assert manifest["source"] == {"model": "tiny.tg", "sha256": tiny_graph().digest()}
    assert set(manifest["sha256"]) == set(files) - {"manifest.json"}


def test_weights_take_their_true_width(saved: Path) -> None:
    # int4<3x4>, int4<2x3>: 4 bits each; two float32<3>: 4 bytes each
    assert len(parts(saved)["weights.bin"]) == 12 // 2 + 6 // 2 + 2 * 3 * 4


DAMAGE: dict[str, Callable[[Path], object]] = {
    "missing": lambda path: path.unlink(),
    "empty": lambda path: path.write_bytes(b""),
    "truncated": lambda path: path.write_bytes(path.read_bytes()[:-200]),
    "foreign": lambda path: path.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(100)),
    "folder": lambda path: (path.unlink(), path.mkdir()),
    "other_zip": lambda path: path.write_bytes(write_archive({"hello.txt": b"hello"})),
    "newer": lambda path: rewrite(path, in_manifest("format_version", 2)),
    "other_format": lambda path: rewrite(path, in_manifest("format", "onnx")),
    "no_target": lambda path: rewrite(path, in_manifest("target", None)),
    "unknown_target": lambda path: rewrite(path, in_manifest("target", "tpu{cores=2}")),
    "other_steps": lambda path: rewrite(path, in_manifest("steps", 9)),
    "bad_json": lambda path: rewrite(path, put("manifest.json", b"{")),
    "tampered_weights": lambda path: rewrite(path, put("weights.bin", bytes(33))),
    "tampered_graph": lambda path: rewrite(path, put("graph.tg", b"graph x")),
    "missing_part": lambda path: rewrite(path, drop("graph.tg")),
    "added_part": lambda path: rewrite(path, put("binary/evil.so", b"\x7fELF")),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_damage_is_a_clear_error(saved: Path, damage: str, golden: Callable[[str, str], None]) -> None:
    DAMAGE[damage](saved)
    with pytest.raises(ArtifactError) as caught:
        spqc.load(saved)
    golden(f"artifact/{damage}.txt", f"{caught.value}\n")


@settings(max_examples=60, deadline=None)
@given(share=st.floats(0, 1, exclude_max=True), flip=st.integers(1, 255))
def test_any_flipped_byte_is_an_error_or_harmless(
    share: float, flip: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.getbasetemp() / "flipped"
    folder.mkdir(exist_ok=True)
    path = folder / "net.spqc"
    spqc.compile(tiny_graph(), "reference", out=path)
    whole = spqc.load(path).contents
    content = bytearray(path.read_bytes())
    content[int(share * len(content))] ^= flip
    path.write_bytes(bytes(content))
    try:
        found = spqc.load(path).contents
    except ArtifactError:
        return
    assert found.graph == whole.graph and found.files == whole.files


def test_a_bomb_is_refused_unread(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("spqc.runtime.archive.LARGEST_BYTES", 9_000)
    rewrite(saved, put("binary/zeros", bytes(10_000)))
    with pytest.raises(ArtifactError, match="declares"):
        spqc.load(saved)


def test_a_failed_write_leaves_nothing(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = saved.read_bytes()

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OutputError, match="No space left"):
        spqc.compile(tiny_graph(), "reference", out=saved)
    assert saved.read_bytes() == before
    assert sorted(p.name for p in Path().iterdir()) == ["net.spqc", "tiny.npz", "tiny.tg"]


def test_a_folder_that_is_not_there(tiny: Path) -> None:
    with pytest.raises(OutputError, match="No such file"):
        spqc.compile(tiny, "reference", out="nowhere/net.spqc")


def test_permissions_follow_the_mask(saved: Path) -> None:
    assert stat.S_IMODE(saved.stat().st_mode) & 0o111 == 0


TYPES = [("spike", 1), ("ternary", 2), *(("int", b) for b in (2, 3, 4, 7, 8, 13, 16, 31, 32, 64))]
TYPES += [("uint", b) for b in (1, 5, 8, 9, 32)] + [("pot", b) for b in (2, 3, 4, 5, 6)]
TYPES += [("apot", b) for b in range(2, 9)] + [("float", 32), ("float", 64), ("fixed", 32)]


@pytest.mark.parametrize(("encoding", "bits"), TYPES)
@pytest.mark.parametrize("size", [1, 3, 8, 1000])
def test_packing_and_back(encoding: str, bits: int, size: int) -> None:
    type_ = Type(encoding, bits, (size,), "const")  # type: ignore[arg-type]
    generator = np.random.default_rng(bits)
    if encoding == "float":
        array = generator.normal(size=size).astype(type_.dtype)
    elif encoding in ("pot", "apot"):
        array = generator.choice(magnitudes(encoding, bits), size) * generator.choice([-1, 1], size)
    else:
        low, high = type_.range
        array = generator.integers(low, high, size, endpoint=True)
        array[0], array[-1] = low, high
    content = pack(array, type_)
    assert len(content) == packed_size(type_)
    if encoding not in ("float", "fixed"):
        assert len(content) == -(-size * bits // 8)
    np.testing.assert_array_equal(unpack(content, type_), array)


def test_many_elements_pack_in_pieces() -> None:
    type_ = Type("int", 3, (600_001,), "const")
    array = np.random.default_rng(0).integers(-4, 4, type_.size)
    np.testing.assert_array_equal(unpack(pack(array, type_), type_), array)


@pytest.mark.parametrize(("encoding", "value"), [("int", 8), ("uint", -1), ("pot", 3), ("apot", 1000)])
def test_what_does_not_fit_is_refused(encoding: str, value: int) -> None:
    with pytest.raises(GraphError):
        pack(np.array([value]), Type(encoding, 4, (1,), "const"))  # type: ignore[arg-type]


def test_code_with_other_parameters_is_refused(tiny: Path) -> None:
    spqc.compile(tiny, "llvm", out="net.spqc")
    settings_ = json.loads(parts(Path("net.spqc"))["manifest.json"])["settings"]
    rewrite(Path("net.spqc"), in_manifest("settings", settings_ | {"interface": "input: uint8"}))
    with pytest.raises(ArtifactError, match="another version of spqc"):
        spqc.load("net.spqc").run(np.zeros((1, *spqc.load("net.spqc").graph.inputs[0].type.shape)))


def test_loaded_constants_are_those_that_were_compiled(tiny: Path) -> None:
    made = spqc.compile(tiny, "reference", out="net.spqc")
    loaded = spqc.load("net.spqc").graph.data
    assert list(loaded) == [v.name for v in made.graph.constants]
    for name, array in loaded.items():
        np.testing.assert_array_equal(array, made.graph.data[name])
    assert not loaded[next(iter(loaded))].flags.writeable
