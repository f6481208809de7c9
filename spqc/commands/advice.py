"""What the compiler is told of earlier measurements."""

from __future__ import annotations

from pathlib import Path

import numpy.typing as npt

from spqc.cost.input_rates import measure_chances
from spqc.foundation.arrays import read_array
from spqc.foundation.errors import InputError
from spqc.ir import Graph
from spqc.ir.axis_order import AxisOrder
from spqc.plugins.target import Advice
from spqc.runtime.given import given_codes
from spqc.runtime.observe import input_format
from spqc.tuning.places import rates_path, records_path
from spqc.tuning.rates import read_rates
from spqc.tuning.records import findings, read_records

NONE = "none"
"""Instead of a file of records: use none."""


def advice_for(
    graph: Graph,
    calibrate: npt.ArrayLike | str | Path | None,
    records: str | Path | None,
    layout: AxisOrder | None = None,
) -> Advice:
    """Return chances measured on inputs as the user has them (an array or a .npy file), records and rates.

    layout: the axes of those inputs. records: a file, `none`, or None for the default file.
    """
    known = {} if str(records) == NONE else findings(read_records(Path(records or records_path())))
    return Advice(_chances(graph, calibrate, layout), known, read_rates(rates_path()))


def _chances(
    graph: Graph, calibrate: npt.ArrayLike | str | Path | None, layout: AxisOrder | None
) -> dict[str, tuple[float, ...]]:
    if calibrate is None:
        return {}
    shown = read_array(calibrate) if isinstance(calibrate, str | Path) else calibrate
    codes = given_codes(graph, input_format(graph), shown, layout)
    if len(codes) == 0:
        raise InputError("there are no samples to calibrate with", hint="give inputs [N, T, ...] or [N, ...], N >= 1")
    return measure_chances(graph, codes)
