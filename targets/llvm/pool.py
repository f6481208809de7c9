"""The C that gives a library threads of its own (`pool.c`)."""

from __future__ import annotations

from importlib.resources import files

from spqc.targets._plan.machine import Machine


def source(machine: Machine) -> str:
    """Return what to compile into a library whose functions ran through a `Context` of this machine."""
    if machine.threads == 1:
        return ""
    sizes = f"#define THREADS {machine.threads}\n#define TASKS {machine.tasks}\n"
    return sizes + files(__package__).joinpath("pool.c").read_text()
