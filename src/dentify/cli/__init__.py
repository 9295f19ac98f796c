"""`dentify`, the command: each subcommand parses, calls public functions of a room, and prints.

Data go to standard output, everything else to standard error. Exit codes: 0 all done, 1 something failed (one line each), 2 wrong
usage, 130 after Ctrl-C, 141 when nobody reads standard output any more. Tracebacks are shown with `--debug` only.

A subcommand's module is imported when it is called, so that `dentify assess` never pays for `dentify train`.
"""

from __future__ import annotations

import gc
import io
import os
import signal
import sys
import traceback
import warnings
from contextlib import suppress
from enum import StrEnum
from importlib import import_module
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dentify.cli.help import App, Group
from dentify.cli.streams import open_closed_streams, plain_streams
from dentify.errors import ConfigError, DentifyError, MissingExtraError, printable
from dentify.offline import report_nothing
from dentify.version import __version__
from dentify.writing import writing

if TYPE_CHECKING:
    from dentify.assessor import Assessor
    from dentify.settings import Settings

# command: module, its Typer app or function, and the extra that it may need
COMMANDS: dict[str, tuple[str, str, str]] = {
    "demo": ("dentify.cli.demo", "demo", ""),
    "assess": ("dentify.cli.assess", "assess", ""),
    "evaluate": ("dentify.cli.evaluate", "evaluate", "evaluate"),
    "compare": ("dentify.cli.compare", "compare", "evaluate"),
    "bundle": ("dentify.cli.bundle", "app", ""),
    "ensemble": ("dentify.cli.ensemble", "ensemble", "fit"),
    "train": ("dentify.cli.train", "train", "train"),
    "recipe": ("dentify.cli.recipe", "app", ""),
    "tune": ("dentify.cli.tune", "tune", "tune"),
    "export": ("dentify.cli.train", "export", "train"),
    "dataset": ("dentify.cli.dataset", "app", "data"),
}

_DEBUG = "dentify.debug"


class Device(StrEnum):
    """What networks run on."""

    AUTO = "auto"
    CPU = "cpu"
    CUDA = "cuda"


class Commands(Group):
    """The subcommands, imported by name, and the one place where errors become lines and exit codes."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Their names, in the order of `dentify --help`."""
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """One of them, or `None`."""
        if cmd_name not in COMMANDS:
            self.commands = {name: self._load(name) for name in COMMANDS}  # for "Did you mean …?"
        elif cmd_name not in self.commands:
            self.commands[cmd_name] = self._load(cmd_name)
        return self.commands.get(cmd_name)

    def _load(self, name: str) -> Any:
        module, attribute, extra = COMMANDS[name]
        try:
            command = getattr(import_module(module), attribute)
        except ModuleNotFoundError as error:
            if not _is_foreign(error) or not extra:
                raise
            command = _without_extra(name, extra)
        if not isinstance(command, typer.Typer):
            single = App(no_args_is_help=False)
            single.command(name)(command)
            command = single
        return typer.main.get_command(command)

    def main(self, *args: Any, **kwargs: Any) -> Any:
        """Runs the command line; nothing that it prints holds escape sequences, whoever chose the names in it."""
        with plain_streams():
            try:
                with writing("standard output"):  # all that can fail here is what --help and --version print
                    return super().main(*args, **kwargs)
            except DentifyError as error:
                print(f"error: {printable(str(error))}", file=sys.stderr)
                _silence_stdout()
                raise SystemExit(1) from error

    def invoke(self, ctx: Any) -> Any:
        """Runs one, and turns what it raises into a line and an exit code."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as error:
            raise typer.Exit(130) from error
        except BrokenPipeError as error:
            _silence_stdout()
            raise typer.Exit(141) from error
        except Exception as error:
            if _is_interrupt(error):
                raise typer.Exit(130) from error
            if hasattr(error, "exit_code") or isinstance(error, typer.Abort):
                raise  # Click's own
            if ctx.meta.get(_DEBUG):
                traceback.print_exception(error)
                raise typer.Exit(1) from error
            print(f"error: {printable(_line(error, ctx.invoked_subcommand))}", file=sys.stderr)
            if isinstance(error, DentifyError) and isinstance(error.__cause__, OSError):
                _silence_stdout()  # a full disk behind it would be told a second time when Python closes it
            raise typer.Exit(1) from error


def read_settings() -> Settings:
    """The settings of the environment; a wrong one is wrong usage."""
    from dentify.settings import Settings

    try:
        return Settings.from_environment()
    except ConfigError as error:
        raise typer.BadParameter(str(error)) from error


def load_assessor(bundle: str, *, settings: Settings, device: Device, quiet: bool = False) -> Assessor:
    """`dentify.load`; what it warns of is a line each on standard error."""
    from dentify.assessor import load

    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("ignore")
        warnings.simplefilter("always", RuntimeWarning)
        assessor = load(bundle, settings=settings, device=device.value)
    for warning in () if quiet else warned:
        print(f"note: {printable(str(warning.message))}", file=sys.stderr)
    return assessor


def _is_foreign(error: ModuleNotFoundError) -> bool:
    """Whether it is a package of someone else's that is not there."""
    return (error.name or "").partition(".")[0] not in ("", "dentify")


def _without_extra(name: str, extra: str) -> App:
    """A command that only says what to install."""
    stub = App(no_args_is_help=False)

    @stub.command(name, context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
    def missing() -> None:
        raise MissingExtraError(what=f"dentify {name}", extra=extra)

    missing.__doc__ = f'Not installed: pip install "dentify[{extra}]".'
    return stub


def _line(error: Exception, command: str | None) -> str:
    if isinstance(error, DentifyError):
        return str(error)
    extra = COMMANDS[command][2] if command in COMMANDS else ""
    if isinstance(error, ModuleNotFoundError) and extra and _is_foreign(error):
        return str(MissingExtraError(what=f"dentify {command}", extra=extra))
    told = " ".join(f"{type(error).__name__}: {error}".split())
    return f"a fault of Dentify's own, please report it with what --debug shows ({told})"


def _is_interrupt(error: BaseException | None) -> bool:
    """Whether Ctrl-C is behind it: compiled modules turn it into an `ImportError` when it comes while they are imported."""
    while error is not None and not isinstance(error, KeyboardInterrupt):
        error = error.__cause__ or error.__context__
    return error is not None


def _silence_stdout() -> None:
    """Python writes what is left in standard output when it ends, and would complain then."""
    try:
        descriptor = sys.stdout.fileno()
    except (OSError, ValueError):
        return  # not a real one, as in tests
    with suppress(OSError, DentifyError):
        sys.stdout.flush()  # what was told before still comes, where there is room
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, descriptor)
    os.close(nowhere)


def _set_debug(ctx: typer.Context, value: bool) -> bool:
    if value:
        ctx.meta[_DEBUG] = True
    return value


def _print_version(value: bool) -> None:
    if value:
        print(f"dentify {__version__}")
        raise typer.Exit


OnDevice = Annotated[
    Device, typer.Option("--device", help="What the networks run on; auto: a GPU where onnxruntime-gpu finds one.")
]
Debug = Annotated[bool, typer.Option("--debug", callback=_set_debug, is_eager=True, help="Show where an error comes from.")]

app = App(
    cls=Commands, add_completion=True, context_settings={"help_option_names": ["-h", "--help"]}, pretty_exceptions_enable=False
)


@app.callback()
def dentify(
    version: Annotated[bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version.")] = False,
    debug: Debug = False,
) -> None:
    """Finds damage on photos of vehicles: what, where, on which part, how bad, how sure."""


def _heed_one_ctrl_c() -> None:
    """The first Ctrl-C ends the command, which takes away what is unfinished; those that follow must not end that, too."""
    if signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        return  # whoever started this in the background wants none

    def interrupt(number: int, frame: Any) -> None:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        raise KeyboardInterrupt

    signal.signal(signal.SIGINT, interrupt)


GARBAGE = 50_000
"""Objects until Python looks for unused cycles; with its 700, a command of half a second spends a twentieth of it on that."""


def main() -> None:
    """The `dentify` command."""
    gc.set_threshold(GARBAGE)
    report_nothing()  # before any command imports what would
    open_closed_streams()
    _heed_one_ctrl_c()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")
    app(prog_name="dentify")
