"""Inputs as a user gives them, as codes; a notice says how an array was taken that can be meant in two ways."""

from __future__ import annotations

import warnings

import numpy.typing as npt

from spqc.foundation.errors import Notice
from spqc.foundation.foreign_arrays import as_array
from spqc.ir import Array, Graph
from spqc.ir.axis_order import AxisOrder, ambiguity
from spqc.ir.inputs import InputFormat


def given_codes(graph: Graph, form: InputFormat, x: npt.ArrayLike, layout: AxisOrder | None = None) -> Array:
    """Return codes [N, T, ...] of an array of the layout NT, TN, N or T (see spqc.ir.layout). Raises InputError.

    form: the graph's input format, which whoever calls often has at hand.
    """
    values, shape = as_array(x), graph.inputs[0].type.shape
    codes = form.to_codes(values, shape, graph.steps, layout)
    said = "" if layout else ambiguity(values.shape, shape, graph.steps, static=form.coding == "direct")
    if said:
        warnings.warn(said, Notice, stacklevel=3)
    return codes


def drawn_layout(graph: Graph, x: Array) -> AxisOrder:
    """Return the layout of inputs that were drawn or come from a data set: samples are first, which needs no word."""
    return "N" if x.ndim == 1 + len(graph.inputs[0].type.shape) else "NT"
