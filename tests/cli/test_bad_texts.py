"""Texts and arrays from anywhere: whatever they name is checked, and refused with its place."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.artifact_files import Files, rewritten
from support.refusals import X, assert_error, assert_refused

from spqc.commands.doctor import tiny_graph
from spqc.foundation.arrays import read_array
from spqc.foundation.errors import GraphError, InputError
from spqc.ir import parse_graph, verify
from spqc.ir.types import parse_type

Run = Callable[..., object]


@pytest.fixture
def net(tiny: Path, spqc: Run) -> Path:
    spqc("compile", "tiny.tg", "--target", "reference", "-o", "net.spqc")
    np.save("x.npy", X)
    return Path("net.spqc")


# Graphs

LINES: dict[str, tuple[str, str]] = {
    "bits": ("int4<3x4>", "int99999999999999<3x4>"),
    "bits_65": ("int4<3x4>", "int65<3x4>"),
    "float_bits": ("float32<3> @const", "float5<3> @const"),
    "grid_bits": ("int4<3x4>", "pot7<3x4>"),
    "spike_bits": ("spike<4>", "spike9<4>"),
    "no_bits": ("int4<3x4>", "int<3x4>"),
    "shape": ("int4<3x4>", "int4<99999999x99999999>"),
    "axes": ("int4<3x4>", f"int4<{'x'.join('1' * 60)}>"),
    "digits": ("int4<3x4>", f"int4<{'9' * 5000}>"),
    "scale_text": ("int4<3x4>", "int4<3x4>*abc"),
    "scale_digits": ("int4<3x4>", f"int4<3x4>*{'9' * 5000}"),
    "scale_zero": ("int4<3x4>", "int4<3x4>*0"),
    "scale_negative": ("int4<3x4>", "int4<3x4>*-2"),
    "scale_infinite": ("int4<3x4>", "int4<3x4>*1e999"),
    "other_digits": ("spike<4>", "spike<\u0664>"),
    "steps": ("steps=2", "steps=99999999999"),
    "steps_digits": ("steps=2", f"steps={'9' * 5000}"),
    "no_steps": ("steps=2", "steps=0"),
    "no_input": ("(%x: spike<4>)", "()"),
    "two_headers": ("  note", "graph a(%y: spike<1>) steps=1 {\n  note"),
    "no_result": ("  return %4\n", ""),
    "too_many_operands": ("linear %x, @w", "linear %x, @w, @w"),
    "too_few_operands": ("linear %x, @w", "linear %x"),
    "program": ("graph tiny", "program a {\ngraph tiny"),
    "no_operands": ("linear %x, @w", "linear"),
    "attribute": ("neuron %1, $s", "neuron %1, $s {levels=}"),
    "attribute_digits": ("neuron %1, $s", f"neuron %1, $s {{leak={'9' * 400}}}"),
    "attribute_nan": ("neuron %1, $s", "neuron %1, $s {threshold=nan}"),
    "levels": ("neuron %1, $s", "neuron %1, $s {levels=1|0}"),
    "name": ("%0: int32", "0: int32"),
    "codes_too_wide": ('"spikes"', '"pixels"'),
    "coding": ('note input_encoding = "spikes"', 'note coding = "direct"'),
}


@pytest.mark.parametrize("name", LINES)
def test_graphs(spqc: Run, net: Path, name: str) -> None:
    before, after = LINES[name]
    text = str(tiny_graph())
    assert before in text
    Path("bad.tg").write_text(text.replace(before, after, 1))
    Path("bad.npz").write_bytes(Path("tiny.npz").read_bytes())
    assert_error(
        spqc("compile", "bad.tg", "--target", "reference", "-o", "bad.spqc"), 2, "bad.tg" if ":" in after else ""
    )

    def change(files: Files, _: dict[str, Any]) -> None:
        files["graph.tg"] = files["graph.tg"].decode().replace(before, after, 1).encode()

    assert_refused(spqc, rewritten(net, Path("edited.spqc"), change))


OPERATORS = {
    "stride": "%1: int32<4x9x9> = conv2d %x, @w {stride=0}",
    "groups": "%1: int32<4x9x9> = conv2d %x, @w {groups=0}",
    "padding": "%1: int32<4x2x2> = conv2d %x, @w {stride=100000000, padding=100000000}",
    "no_stride": "%1: int32<4x9x9> = conv2d %x, @w {stride=}",
    "window": "%1: uint2<2x9x9> = sum_pool %x {kernel=0}",
    "far_shape": "%1: spike<5x5> = reshape %x {shape=-5|-5}",
    "heads": "%1: uint8<2x9x9> = attention %x, %x, %x {heads=0}",
    "following": "%1: spike<2x9x9>, %2: spike<2x9x9> = automaton %x, $s, @w {following=}",
    "leak": "%1: spike<2x9x9>, %2: int8<2x9x9> = integrate %x, $s {leak_shift=99999999999}",
    "shift": "%1: spike<2x9x9>, %2: int8<2x9x9> = integrate %x, $s {shift=-99999999999}",
    "compartment": "%1: spike<2x9x9> = current_neuron %x, $s, $s {bits=999999999999}",
}


@pytest.mark.parametrize("name", OPERATORS)
def test_operators_that_cannot_be(name: str) -> None:
    head = "graph a(%x: spike<2x9x9>) steps=1 {\n const @w: int4<4x2x1x1> @const\n state $s: int8<2x9x9>\n "
    with pytest.raises(GraphError):
        verify(parse_graph(f"{head}{OPERATORS[name]}\n next $s = $s\n return %x\n}}\n"))


@pytest.mark.parametrize("text", ["int99999999999999<5>", "spike<999999999x999999999>", "int4<5>*" + "1" * 10**6])
def test_a_type_is_refused_at_once(text: str) -> None:
    with pytest.raises(GraphError, match=r"\A[^\n]{0,300}") as caught:
        parse_type(text)
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize("note", ["logit_scale", "levels.features.0", "low.features.0"])
@pytest.mark.parametrize("value", ["abc", "nan", "9" * 5000])
def test_notes_that_are_no_numbers(spqc: Run, tiny: Path, note: str, value: str) -> None:
    import spqc as package
    from spqc.foundation.errors import SpqcError

    notes = f'  note {note} = "{value}"\n' + ('  note levels.features.0 = "-1|0|1"\n' if note.startswith("low") else "")
    text = str(tiny_graph()).replace("  const @w", f"{notes}  const @w", 1)
    Path("tiny.tg").write_text(text)
    with pytest.raises(SpqcError):
        artifact = package.compile(tiny, "reference")
        (artifact.run if note == "logit_scale" else artifact.trace)(X)


# Arrays


def array_bytes(header: str, content: bytes = b"", version: int = 1) -> bytes:
    text = header.encode().ljust(117) + b"\n"
    size = len(text).to_bytes(2 if version == 1 else 4, "little")
    return b"\x93NUMPY" + bytes([version, 0]) + size + text + content


ARRAYS: dict[str, bytes] = {
    "huge": array_bytes("{'descr': '<u1', 'fortran_order': False, 'shape': (99999999999999,)}"),
    "huge_product": array_bytes("{'descr': '<u8', 'fortran_order': False, 'shape': (65536, 65536, 65536, 65536)}"),
    "negative": array_bytes("{'descr': '<u1', 'fortran_order': False, 'shape': (-1, 4)}", b"1234"),
    "true": array_bytes("{'descr': '<u1', 'fortran_order': False, 'shape': (True, 4)}", b"1234"),
    "text_shape": array_bytes("{'descr': '<u1', 'fortran_order': False, 'shape': ('a',)}", b"1"),
    "wide": array_bytes("{'descr': '<U1000000000', 'fortran_order': False, 'shape': (1,)}"),
    "objects": array_bytes("{'descr': '|O', 'fortran_order': False, 'shape': (1,)}", b"12345678"),
    "records": array_bytes("{'descr': [('a', '<u1')], 'fortran_order': False, 'shape': (1,)}", b"1"),
    "descr": array_bytes("{'descr': 5, 'fortran_order': False, 'shape': (1,)}", b"1"),
    "code": array_bytes("{'descr': __import__('os'), 'fortran_order': False, 'shape': (1,)}", b"1"),
    "deep": array_bytes("{'descr': " + "[" * 5000 + ", 'shape': (1,)}", version=2),
    "version": array_bytes("{}", version=9),
    "cut": array_bytes("{'descr': '<u1', 'fortran_order': False, 'shape': (4,)}", b"123"),
}


@pytest.mark.parametrize("name", ARRAYS)
def test_arrays(spqc: Run, net: Path, name: str) -> None:
    Path("bad.npy").write_bytes(ARRAYS[name])
    assert_error(spqc("run", net, "--input", "bad.npy"), 2, "bad.npy")
    with zipfile.ZipFile("tiny.npz", "w") as archive:
        archive.writestr("@w.npy", ARRAYS[name])
    assert_error(spqc("compile", "tiny.tg", "--target", "reference"), 2, "tiny.npz", "@w")


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("shape", [(), (0, 3), (5,), (2, 3, 4)])
def test_arrays_are_read_as_they_were_written(tmp_path: Path, shape: tuple[int, ...], order: str) -> None:
    array = np.asarray(np.random.default_rng(0).integers(0, 9, shape), order=order)  # type: ignore[call-overload]
    np.save(tmp_path / "x.npy", array)
    np.testing.assert_array_equal(read_array(tmp_path / "x.npy"), array)
    assert read_array(tmp_path / "x.npy").dtype == array.dtype


def test_a_device_is_no_array() -> None:
    with pytest.raises(InputError):
        read_array("/dev/null")


CONSTANTS: dict[str, Callable[[dict[str, np.ndarray[Any, Any]]], object]] = {
    "missing": lambda arrays: arrays.pop("@w"),
    "shape": lambda arrays: arrays.update({"@w": arrays["@w"].T}),
    "larger": lambda arrays: arrays.update({"@w": np.zeros(1 << 20, np.int64)}),
    "kind": lambda arrays: arrays.update({"@w": arrays["@w"].astype(float)}),
    "complex": lambda arrays: arrays.update({"@a": arrays["@a"].astype(complex)}),
    "integers": lambda arrays: arrays.update({"@a": arrays["@a"].astype(int)}),
    "range": lambda arrays: arrays.update({"@w": arrays["@w"] + 100}),
}


@pytest.mark.parametrize("name", CONSTANTS)
def test_constants_that_do_not_fit(spqc: Run, net: Path, name: str) -> None:
    with np.load("tiny.npz") as held:
        arrays = dict(held)
    CONSTANTS[name](arrays)
    np.savez("tiny.npz", **arrays)
    word = "@a" if name in ("complex", "integers") else "@w"
    assert_error(spqc("compile", "tiny.tg", "--target", "reference"), 2, word)
