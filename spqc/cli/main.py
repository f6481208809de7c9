"""The entry point: exit codes, and errors as people should see them."""

from __future__ import annotations

import logging
import os
import sys
import traceback

import click

from spqc.foundation.errors import SpqcError, Unavailable
from spqc.foundation.options import nearest
from spqc.foundation.version import __version__

from . import notices
from .group import LazyGroup

BUG, INTERRUPTED, BROKEN_PIPE = 70, 130, 141
_MEMORY_HINT = "give fewer samples at a time, or use a machine with more"


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="spqc", message="%(prog)s %(version)s")
@click.option("-v", "--verbose", is_flag=True, help="Tell on stderr what the compiler does.")
def cli(verbose: bool) -> None:
    """Compile quantised spiking neural networks.

    \b
    spqc compile examples/digits.pt -o digits.spqc
    spqc verify examples/digits.pt digits.spqc
    """
    if verbose:
        logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(name)s: %(message)s")


def main(arguments: list[str] | None = None) -> int:
    """Return the exit code: 0 ok, 1 negative result, 2 usage or model, 3 unavailable, 70 a bug."""
    try:
        with notices.shown():
            return _run(arguments)
    except SpqcError as error:
        _trace()
        print(_shown(error), file=sys.stderr)
        return error.exit_code
    except click.exceptions.NoArgsIsHelpError as error:
        print(error.format_message(), file=sys.stderr)
        return 2
    except click.ClickException as error:
        print(_shown(_as_usage(error)), file=sys.stderr)
        return 2
    except (KeyboardInterrupt, click.Abort):
        return INTERRUPTED
    except BrokenPipeError:
        _silence_stdout()
        return BROKEN_PIPE
    except MemoryError as error:
        _trace()
        print(_shown(Unavailable(f"this machine has too little memory: {error}", hint=_MEMORY_HINT)), file=sys.stderr)
        return Unavailable.exit_code
    except Exception as error:
        _trace()
        print(f"error: spqc has a bug: {type(error).__name__}: {error}", file=sys.stderr)
        print("hint: please report it; SPQC_TRACEBACK=1 shows where it happened", file=sys.stderr)
        return BUG


def _run(arguments: list[str] | None) -> int:
    try:
        with cli.make_context("spqc", list(sys.argv[1:] if arguments is None else arguments)) as context:
            result = cli.invoke(context)
    except click.exceptions.Exit as end:
        result = end.exit_code
    sys.stdout.flush()
    return result if isinstance(result, int) else 0


def _trace() -> None:
    if os.environ.get("SPQC_TRACEBACK") == "1":
        traceback.print_exc()


def _shown(error: SpqcError) -> str:
    text = str(error)
    if not sys.stderr.isatty() or os.environ.get("NO_COLOR"):
        return text
    return text.replace("error:", "\033[1;31merror:\033[0m", 1).replace("\nhint:", "\n\033[36mhint:\033[0m", 1)


def _as_usage(error: click.ClickException) -> SpqcError:
    """Return a complaint of the option parser in the words of this program."""
    command = error.ctx.command_path if isinstance(error, click.UsageError) and error.ctx else "spqc"
    hint = f"see `{command} --help`"
    if isinstance(error, click.NoSuchOption) and error.ctx is not None:
        known = [name for option in error.ctx.command.get_params(error.ctx) for name in option.opts if name[:2] == "--"]
        return SpqcError(f"'{command}' has no option '{error.option_name}'", hint=nearest(error.option_name, known))
    message = error.format_message().rstrip(".")
    return SpqcError(message[:1].lower() + message[1:], hint=hint)


def _silence_stdout() -> None:
    """Point standard output at nothing, so that the interpreter's own flush at exit does not complain."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
