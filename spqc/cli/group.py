"""The group of commands: each in its own module, imported when it is called, listed by its one line here."""

from __future__ import annotations

from importlib import import_module

import click

from spqc.foundation.errors import UsageError
from spqc.foundation.options import nearest

COMMANDS: dict[str, str] = {
    "compile": "Compile a model into one artifact.",
    "run": "Run an artifact on an array.",
    "verify": "Compare a compiled network with its framework and the interpreter, exactly.",
    "inspect": "Show what a model or an artifact holds.",
    "analyze": "Account for a network: memory, operations, energy, activity, as the papers count.",
    "bench": "Measure an artifact, and the framework beside it.",
    "tune": "Measure the kernels of a model on this machine, for `compile` to choose by.",
    "train": "Train a model on a known data set.",
    "opt": "Run passes over a graph and print it.",
    "list": "List plug-ins, operators, models, data or presets.",
    "doctor": "Check this installation and its targets.",
}


class LazyGroup(click.Group):
    """Commands whose modules are imported at the first use, so that `spqc --help` stays fast."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = import_module(f"spqc.cli.{cmd_name}_command").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and not args[0].startswith("-") and args[0] not in COMMANDS:
            raise UsageError(f"there is no command '{args[0]}'", hint=nearest(args[0], COMMANDS))
        return super().resolve_command(ctx, args)
