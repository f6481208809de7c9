"""What a user should know and what is no error: one line each on standard error."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from spqc.foundation.errors import Notice


@contextmanager
def shown() -> Iterator[None]:
    """Print every notice once, as it comes; other warnings go where they would have gone."""
    before, said = warnings.showwarning, set[str]()

    def show(message: Warning | str, category: type[Warning], *place: Any, **more: Any) -> None:
        if not issubclass(category, Notice):
            before(message, category, *place, **more)
        elif str(message) not in said:
            said.add(str(message))
            print(f"notice: {message}", file=sys.stderr)

    with warnings.catch_warnings():
        warnings.simplefilter("always", Notice)
        warnings.showwarning = show
        yield
