"""The temporal graph IR: types, operators, text, verifier and interpreter."""

from . import ops
from .graph import Graph, Value
from .interpret import interpret
from .op import OPERATORS, Op
from .rewrite import Builder
from .text import parse_graph
from .types import Array, Type, parse_type
from .verify import verify

__all__ = [
    "OPERATORS",
    "Array",
    "Builder",
    "Graph",
    "Op",
    "Type",
    "Value",
    "interpret",
    "ops",
    "parse_graph",
    "parse_type",
    "verify",
]
