"""While a network is only read, every integer weight is computed once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

from torch import nn


@contextmanager
def settled(network: nn.Module) -> Iterator[None]:
    """Keep what `integer_weight` of every part returns until the end of the block, in which no parameter may change."""
    parts = [part for part in network.modules() if hasattr(part, "integer_weight")]
    parts = [part for part in parts if "integer_weight" not in vars(part)]  # inside another such block
    for part in parts:
        compute: Any = part.integer_weight
        vars(part)["integer_weight"] = cache(compute)
    try:
        yield
    finally:
        for part in parts:
            del vars(part)["integer_weight"]
