"""A pseudo-terminal of a given width around a command."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import sys
import termios

from .places import ROOT

_ESCAPE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def shown(columns: int, *words: str, variable: bool = True) -> tuple[int, str]:
    """Return the exit code and everything that `spqc ...` shows on a terminal of so many columns, without colours.

    variable: whether COLUMNS says how wide it is too, or the terminal alone.
    """
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TERM": "xterm", "OMP_NUM_THREADS": "1"}
    environment.pop("COLUMNS", None)
    if variable:
        environment["COLUMNS"] = str(columns)
    child, end = pty.fork()
    if child == 0:
        fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
        os.execve(sys.executable, [sys.executable, "-m", "spqc", *words], environment)
    text = b""
    while True:
        try:
            part = os.read(end, 1 << 16)
        except OSError:  # the child has closed its side
            break
        if not part:
            break
        text += part
    os.close(end)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return code, _ESCAPE.sub("", text.decode()).replace("\r\n", "\n")
