"""docs/ir.md is what the classes of the IR say, and every operator says enough for a reference."""

from __future__ import annotations

import inspect
import typing
from pathlib import Path

import pytest

from bench.ir_reference.docstring import LABELS, attributes_of, documentation
from bench.ir_reference.encodings import MEANINGS
from bench.ir_reference.examples import EXAMPLES, example
from bench.ir_reference.operators import KINDS
from bench.ir_reference.page import page
from spqc.ir import OPERATORS, Op, parse_graph
from spqc.ir.types import Encoding

PAGE = Path(__file__).parents[2] / "docs" / "ir.md"
OWN = sorted(name for name, cls in OPERATORS.items() if cls.__module__.startswith("spqc."))


def test_the_page_is_what_the_classes_say() -> None:
    assert PAGE.read_text() == page(), "write the page again: make ir-reference"


def test_every_operator_and_encoding_has_an_entry() -> None:
    assert sorted(name for names in KINDS.values() for name in names) == OWN == sorted(EXAMPLES)
    assert set(MEANINGS) == set(typing.get_args(Encoding))


@pytest.mark.parametrize("name", OWN)
def test_a_docstring_tells_operands_result_source_and_every_attribute(name: str) -> None:
    cls = OPERATORS[name]
    found = documentation(cls)
    assert set(found.entries) == {*LABELS, *attributes_of(cls)}
    assert all(text.endswith(".") for text in (found.summary, *found.details, *found.entries.values()))


@pytest.mark.parametrize("name", OWN)
def test_an_example_has_the_operands_and_can_be_read_again(name: str) -> None:
    graph = example(name)
    (op,) = graph.ops
    assert op.operands in (None, len(op.inputs))
    assert parse_graph(str(graph)) == graph


def test_the_nearest_docstring_wins() -> None:
    class Base(Op):
        """A base.

        Operands: x.
        Source: a paper
        of two lines.
        """

    class Derived(Base):
        """An operator.

        How it does it: slowly.

        Operands: x and y.
        """

    found = documentation(Derived)
    assert (found.summary, found.details) == ("An operator.", ("How it does it: slowly.",))
    assert found.entries == {"Operands": "x and y.", "Source": "a paper of two lines."}
    assert inspect.getdoc(Derived) is not None and "derived" not in OPERATORS
