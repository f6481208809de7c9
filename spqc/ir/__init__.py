"""The temporal graph IR: types, operators, text, verifier and interpreter."""

from . import ops
from .graph import Graph
from .interpret import interpret
from .op import OPERATORS, Op
from .parser import parse_graph
from .rewrite import Builder
from .types import Array, Type, parse_type
from .value import Value
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
