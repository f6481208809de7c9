"""The parameters of a compiled function, in order: the compiler declares them and the executor fills them."""

from __future__ import annotations

REGIONS = ("input", "result", "trace", "arena", "constant", "state")
VIEWS = {
    "input": ("uint8",),
    "result": ("int32",),
    "trace": ("uint8", "int32"),
    "arena": ("uint8", "uint16", "uint32", "int16", "int32", "int64"),
    "constant": ("int8", "int16", "int32", "int64"),
    "state": ("uint8", "uint16", "uint32", "uint64", "int16", "int32"),
}


def interface() -> str:
    """Return the parameters as text; an artifact built for other parameters cannot be called."""
    return "; ".join(f"{region}: {', '.join(VIEWS[region])}" for region in REGIONS)
