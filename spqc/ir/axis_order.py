"""Which axes of an input array are samples and steps: one rule, and four names to say it.

Without a name the first axis always counts samples: [N, T, ...] where the array has an axis more than [N, ...]. Where
the array could be meant in another way too, `ambiguity` says how it was taken.
"""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from spqc.foundation.errors import InputError, UsageError

AxisOrder = Literal["NT", "TN", "N", "T"]
LAYOUTS: tuple[str, ...] = get_args(AxisOrder)

Values = npt.NDArray[np.generic]


def arranged(values: Values, shape: tuple[int, ...], steps: int, layout: AxisOrder | None) -> Values:
    """Return an array as [N, T, *shape] or [N, *shape].

    layout: NT for [N, T, ...], TN for [T, N, ...], N for one frame a sample, T for one sample [T, ...]; None for NT or
    N by the number of axes. Raises InputError for another shape, UsageError for another name.
    """
    if layout is None and values.shape[1:] in ((steps, *shape), shape) and values.size:
        return values  # what most calls give
    if layout is not None and layout not in LAYOUTS:
        raise UsageError(f"a layout is one of {', '.join(LAYOUTS)}, not {layout!r}", hint="N: samples, T: steps")
    expected = {
        "NT": (None, steps, *shape),
        "TN": (steps, None, *shape),
        "N": (None, *shape),
        "T": (steps, *shape),
    }
    chosen = [layout] if layout is not None else ["NT", "N"]
    fitting = [name for name in chosen if _fits(values.shape, expected[name])]
    if not fitting:
        raise InputError(
            f"the input has shape {list(values.shape)}; the network reads "
            + " or ".join(_shown(expected[name]) for name in chosen),
            hint=_hint(values.shape, shape, steps, [name for name in LAYOUTS if _fits(values.shape, expected[name])]),
        )
    if values.size == 0:
        raise InputError("the input holds no samples", hint="the first axis counts samples and must be 1 or more")
    if fitting[0] == "TN":
        return values.swapaxes(0, 1)
    return values[np.newaxis] if fitting[0] == "T" else values


def ambiguity(given: tuple[int, ...], shape: tuple[int, ...], steps: int, *, static: bool) -> str:
    """Return how an array of a shape that can be meant in two ways was taken, and how to say the other; else nothing.

    static: whether the network reads one frame for all steps; nobody gives such a network a series.
    """
    if steps == 1 or static:
        return ""
    if given == (steps, steps, *shape):
        taken, other = "[N, T, ...]", "layout TN reads [T, N, ...], and NT says that this was meant"
    elif given == (steps, *shape):
        taken = f"[N, ...], {steps} samples of one frame each"
        other = f"layout T reads one sample of {steps} steps, and N says that this was meant"
    else:
        return ""
    return f"the input of shape {list(given)} was taken as {taken}: {other}"


def _fits(given: tuple[int, ...], wanted: tuple[int | None, ...]) -> bool:
    return len(given) == len(wanted) and all(w in (None, side) for w, side in zip(wanted, given, strict=True))


def _hint(given: tuple[int, ...], shape: tuple[int, ...], steps: int, others: list[str]) -> str:
    if others:
        return f"layout {' or '.join(others)} reads an array of this shape"
    return f"the network runs {steps} steps on frames of shape {list(shape)}; the first axis counts samples"


def _shown(shape: tuple[int | None, ...]) -> str:
    return "[" + ", ".join("N" if side is None else str(side) for side in shape) + "]"
