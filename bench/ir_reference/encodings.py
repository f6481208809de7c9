"""The encodings of types: their widths and what an element may be, asked of the types themselves."""

from __future__ import annotations

import typing

import numpy as np

from bench.papers.markdown import table
from spqc.foundation.errors import GraphError
from spqc.ir.grids import magnitudes
from spqc.ir.types import Encoding, Type, parse_type

MEANINGS = {
    "spike": "a spike, or any bit",
    "ternary": "a membrane of three levels, by the code of the level",
    "int": "signed integers: sums, thresholds, weights, level codes, integer membranes",
    "uint": "unsigned integers: input codes, pooled spikes",
    "pot": "weights: 0 and powers of two with a sign",
    "apot": "weights: sums of a few powers of two with a sign",
    "fixed": "fixed point: a real number as an integer times a scale that is a power of two",
    "float": "real numbers of the model, before neurons are folded",
}


def encodings() -> list[str]:
    """Return the table of encodings, and the magnitudes of the two grids of weights."""
    rows = [(f"`{name}`", _widths(name), _range(name), MEANINGS[name]) for name in typing.get_args(Encoding)]
    lines = table(("encoding", "bits", "elements", "what it holds"), rows)
    grids = [(f"`{name}{bits}`", _magnitudes(name, bits)) for name in ("pot", "apot") for bits in widths(name)]
    return [*lines, *table(("grid", "magnitudes"), grids)]


def widths(encoding: str) -> list[int]:
    """Return the widths that a text may write behind an encoding; none where the name says it."""
    return [bits for bits in range(1, 65) if _readable(f"{encoding}{bits}<1>")]


def _readable(text: str) -> bool:
    try:
        parse_type(text)
    except GraphError:
        return False
    return True


def _widths(encoding: str) -> str:
    known = widths(encoding)
    if not known:
        return f"{parse_type(f'{encoding}<1>').bits}, not written"
    whole = known == list(range(known[0], known[-1] + 1))
    return f"{known[0]} to {known[-1]}" if whole else ", ".join(map(str, known))


def _range(encoding: str) -> str:
    known = widths(encoding)
    if not known:
        low, high = parse_type(f"{encoding}<1>").range
        return f"{low} to {high}"
    if encoding == "float":
        return ", ".join(f"`float{bits}` to {np.finfo(f'float{bits}').max:.3g}" for bits in known)
    if encoding in ("pot", "apot"):
        return "the signed magnitudes below"
    return f"{_power(encoding, known)}; `{encoding}8`: {_ends(encoding)}"


def _power(encoding: str, known: list[int]) -> str:
    """Return the range as a formula, which is compared with that of every width."""
    signed = Type(encoding, 8, (1,)).range[0] < 0  # type: ignore[arg-type]
    for bits in known:
        wanted = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)
        if Type(encoding, bits, (1,)).range != wanted:  # type: ignore[arg-type]
            raise ValueError(f"'{encoding}{bits}' has another range than the page says")
    return "-2^(b-1) to 2^(b-1) - 1" if signed else "0 to 2^b - 1"


def _ends(encoding: str) -> str:
    low, high = Type(encoding, 8, (1,)).range  # type: ignore[arg-type]
    return f"{low} to {high}"


def _magnitudes(encoding: str, bits: int) -> str:
    values = [int(m) for m in magnitudes(encoding, bits)]
    if len(values) <= 16:
        return ", ".join(map(str, values))
    return f"{', '.join(map(str, values[:10]))}, ..., {values[-2]}, {values[-1]} ({len(values)} of them)"
