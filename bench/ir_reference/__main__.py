"""Writes the page: `python -m bench.ir_reference docs/ir.md`."""

from __future__ import annotations

import sys
from pathlib import Path

from spqc.foundation.errors import SpqcError
from spqc.foundation.files import write_atomic

from .page import page


def main(arguments: list[str]) -> int:
    """Write the page to the path given; 2 where it cannot be written."""
    if len(arguments) != 1:
        print("error: give the path of the page, e.g. docs/ir.md", file=sys.stderr)
        return 2
    try:
        write_atomic(Path(arguments[0]), page().encode())
    except SpqcError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
