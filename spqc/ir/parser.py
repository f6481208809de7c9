"""From the text of a graph to the graph: `parse_graph(str(graph), graph.data) == graph`."""

from __future__ import annotations

import dataclasses
import re
import typing
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from spqc.foundation.errors import GraphError, SpqcError
from spqc.foundation.options import nearest, parse_value

from .graph import Graph
from .op import OPERATORS, Op
from .types import Array, parse_type
from .value import Value

_HEAD = re.compile(r"graph (\w+)\((.*)\) steps=([0-9]+) \{")
_NAME = re.compile(r"[%@$][\w.]+")
_MOST_STEPS, _MOST_DIGITS = 1 << 20, 18  # a year of seconds; what a machine's integer holds
_RIGHT = re.compile(r"(\w+)((?: [%@$][\w.]+,?)*)(?: \{(.*)\})?")
_ORIGIN = "  // "
_SHOWN = 160  # letters of a line in an error


def parse_graph(text: str, data: Mapping[str, Array] | None = None, path: str = "<text>") -> Graph:
    """Read a graph from its text; GraphError names the line. `data` are the arrays of its constants.

    The text of a program is read as the graph that it was cut from.
    """
    reader = _Reader()
    for number, line in enumerate(text.splitlines(), 1):
        code, _, origin = line.partition(_ORIGIN) if not line.lstrip().startswith("//") else ("", "", "")
        try:
            reader.read(code.strip(), origin.strip())
        except SpqcError as error:
            raise GraphError(error.message, f"{path}:{number}: {_cut(line.strip())}", error.hint) from None
        except (ValueError, TypeError, LookupError, ArithmeticError, RecursionError) as error:
            reason = f"cannot read this line: {_cut(str(error))}"
            raise GraphError(reason, f"{path}:{number}: {_cut(line.strip())}") from None
    if reader.head is None:
        raise GraphError("there is no graph in the text", path, "a graph begins with: graph name(%x: type) steps=N {")
    if not reader.closed:
        raise GraphError("the graph is not closed", path, "its last line is }")
    return reader.graph(data or {})


@dataclass
class _Reader:
    head: tuple[str, int] | None = None
    closed: bool = False
    program: bool = False
    known: dict[str, Value] = field(default_factory=dict)
    inputs: list[Value] = field(default_factory=list)
    constants: list[Value] = field(default_factory=list)
    states: list[Value] = field(default_factory=list)
    ops: list[Op] = field(default_factory=list)
    nexts: dict[str, Value] = field(default_factory=dict)
    outputs: list[Value] = field(default_factory=list)
    notes: list[tuple[str, str]] = field(default_factory=list)

    def read(self, line: str, origin: str) -> None:
        """Take one line, stripped and without its comment, which is `origin`. Raises GraphError."""
        if not line or self._in_program(line):
            return
        if self.closed:
            raise GraphError("there is text after the graph")
        if line == "}":
            self.closed = True
        elif line.startswith("graph "):
            self._header(line)
        elif self.head is None:
            raise GraphError("a graph begins with its header", hint="graph name(%x: type) steps=N {")
        elif line.startswith("note "):
            key, _, value = line[5:].partition(" = ")
            self.notes.append((key, value.strip('"')))
        elif line.startswith("const "):
            self.constants.append(self._define(line[6:]))
        elif line.startswith("state "):
            self.states.append(self._define(line[6:]))
        elif line.startswith("next "):
            self._next(line)
        elif line.startswith("return "):
            self.outputs = [self._known(name) for name in line[7:].split(", ")]
        else:
            self._operator(line, origin)

    def _in_program(self, line: str) -> bool:
        """Return whether a line belongs to the kernels and buffers before a program's graph, from which they follow."""
        if self.head is None and line.startswith("program ") and not self.program:
            self.program = True
            return True
        inside, self.program = self.program, self.program and line != "}"
        return inside

    def graph(self, data: Mapping[str, Array]) -> Graph:
        """Return the graph of the lines that were read. Raises GraphError where there was none."""
        if self.head is None:
            raise GraphError("there is no graph in the text")
        return Graph(
            self.head[0],
            self.head[1],
            tuple(self.inputs),
            tuple(self.outputs),
            tuple(self.constants),
            tuple(self.states),
            tuple(self.ops),
            tuple(self.nexts[v.name] for v in self.states if v.name in self.nexts),
            tuple(self.notes),
            data,
        )

    def _header(self, line: str) -> None:
        match = _HEAD.fullmatch(line)
        if match is None:
            raise GraphError("malformed header", hint="graph name(%x: type) steps=N {")
        if self.head is not None:
            raise GraphError("a text holds one graph")
        if len(match[3]) > _MOST_DIGITS or int(match[3]) > _MOST_STEPS:
            raise GraphError(f"a graph has at most {_MOST_STEPS} steps")
        self.head = (match[1], int(match[3]))
        self.inputs = [self._define(part) for part in match[2].split(", ") if part]

    def _define(self, text: str) -> Value:
        name, colon, type_ = text.partition(":")
        if not colon:
            raise GraphError(f"'{_cut(text)}' has no type", hint="write name: type")
        if _NAME.fullmatch(name.strip()) is None:
            raise GraphError(f"'{_cut(name)}' is no name of a value", hint="write %x, @w or $v")
        return self._add(Value(name.strip(), parse_type(type_)))

    def _add(self, value: Value) -> Value:
        if value.name in self.known:
            raise GraphError(f"'{value.name}' is defined twice")
        self.known[value.name] = value
        return value

    def _known(self, name: str) -> Value:
        if name not in self.known:
            raise GraphError(f"'{name}' is read before it is defined", hint=nearest(name, self.known))
        return self.known[name]

    def _next(self, line: str) -> None:
        state, equals, following = line[5:].partition(" = ")
        if not equals or state not in {v.name for v in self.states}:
            raise GraphError(f"'{state}' is no state of this graph", hint=nearest(state, (v.name for v in self.states)))
        if state in self.nexts:
            raise GraphError(f"'{state}' has two next values")
        self.nexts[state] = self._known(following)

    def _operator(self, line: str, origin: str) -> None:
        left, equals, right = line.partition(" = ")
        match = _RIGHT.fullmatch(right)
        if not equals or match is None:
            raise GraphError("cannot read this line", hint="%y: type = operator %x, @w {key=value}")
        cls = OPERATORS.get(match[1])
        if cls is None:
            raise GraphError(f"there is no operator '{match[1]}'", hint=nearest(match[1], OPERATORS))
        inputs = tuple(self._known(name) for name in match[2].replace(",", " ").split())
        outputs = tuple(self._define(part) for part in left.split(", "))
        self.ops.append(cls(inputs, outputs, origin, **_attributes(cls, match[3] or "")))


def _attributes(cls: type[Op], text: str) -> dict[str, object]:
    hints = typing.get_type_hints(cls)
    allowed = {f.name: hints[f.name] for f in dataclasses.fields(cls)[3:]}
    values: dict[str, object] = {}
    for item in filter(None, text.split(", ")):
        key, _, value = item.partition("=")
        if key not in allowed:
            raise GraphError(f"'{cls.name}' has no attribute '{key}'", hint=nearest(key, allowed))
        try:
            values[key] = parse_value(allowed[key], value)
        except ValueError as error:
            raise GraphError(f"'{_cut(value)}' is no value of '{key}'", hint=f"expected {_cut(str(error))}") from None
        if any(len(digits) > _MOST_DIGITS for digits in re.findall(r"[0-9]+", value)) and not _is_float(values[key]):
            raise GraphError(f"'{_cut(value)}' of '{key}' has more digits than a number of the machine")
        if _is_float(values[key]) and not np.isfinite(np.asarray(values[key], np.float64)).all():
            raise GraphError(f"'{_cut(value)}' of '{key}' is no finite number")
    return values


def _is_float(value: object) -> bool:
    first = value[0] if isinstance(value, tuple) and value else value
    return isinstance(first, float)


def _cut(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
