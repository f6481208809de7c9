"""Golden files: a pipeline in line 1, a graph, a marker, and what the compiler must print."""

from __future__ import annotations

import re
import zlib
from pathlib import Path

import numpy as np
import pytest
from support.places import ROOT

from spqc.foundation.errors import SpqcError
from spqc.ir import Array, Graph, Type, Value, parse_graph
from spqc.ir.grids import magnitudes
from spqc.ir.program import Program
from spqc.plugins import pipeline

MARK = "// ---- gives\n"
FILES = sorted((ROOT / "tests" / "golden" / "passes").glob("*.tg"))
_DATA = re.compile(r"^// data (@[\w.]+) = (.*)$", re.MULTILINE)
_SHOWN_ELEMENTS = 96


def seeded(value: Value) -> Array:
    """Return an array for a constant that depends only on its name and type."""
    type_: Type = value.type
    generator = np.random.default_rng(zlib.crc32(str(value).encode()))
    if type_.encoding == "float":
        return generator.normal(0, 0.25, type_.shape).astype(type_.dtype)
    if type_.encoding in ("pot", "apot"):
        return generator.choice(magnitudes(type_.encoding, type_.bits), type_.shape) * generator.choice(
            [-1, 1], type_.shape
        )
    low, high = type_.range
    return generator.integers(max(low, -9), min(high, 9) + 1, type_.shape)


def given_data(source: str, graph: Graph) -> dict[str, Array]:
    """Return the arrays of a file's constants: those of its `// data` lines, the others seeded."""
    written = {name: text.split() for name, text in _DATA.findall(source)}
    arrays = {v.name: seeded(v) for v in graph.constants if v.name not in written}
    for value in graph.constants:
        if value.name in written:
            numbers = [float(number) for number in written[value.name]]
            arrays[value.name] = np.array(numbers, np.float64).astype(value.type.dtype).reshape(value.type.shape)
    return arrays


def shown(result: Graph | Program, before: dict[str, Array]) -> str:
    """Return the text of the result and the small arrays that the passes made or changed."""
    lines = [str(result)]
    graph = pipeline.graph_of(result)
    for value in graph.constants:
        array = graph.data[value.name]
        if array is before.get(value.name) or array.size > _SHOWN_ELEMENTS:
            continue
        if value.name not in before or not np.array_equal(array, before[value.name]):
            lines.append(f"// data {value.name} = {' '.join(f'{x:g}' for x in array.reshape(-1))}\n")
    return "".join(lines)


def compiled(source: str) -> str:
    """Return what the compiler prints for a golden file: a graph, or an error."""
    text = source.partition("\n")[0].removeprefix("// pipeline:").strip()
    try:
        bare = parse_graph(source, path="input")
        data = given_data(source, bare)
        result = pipeline.run(parse_graph(source, data, "input"), pipeline.parse(text))
    except SpqcError as error:
        return f"{error}\n"
    if isinstance(result, Graph):
        assert parse_graph(str(result)) == result, "the text must say everything"
    return shown(result, data)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_golden(path: Path, request: pytest.FixtureRequest) -> None:
    source, _, expected = path.read_text().partition(MARK)
    assert source.startswith("// pipeline:"), f"{path}: line 1 must say `// pipeline: ...`"
    actual = compiled(source)
    if request.config.getoption("--update-golden"):
        path.write_text(source + MARK + actual)
    else:
        assert actual == expected


def test_there_are_golden_files() -> None:
    assert FILES
