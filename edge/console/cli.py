"""What all command lines of Auscult share: arguments in; results, or one clear line, and an exit code of `EXIT_CODES` out.

Results go to stdout, everything else to stderr.
"""

from __future__ import annotations

import argparse
import errno
import importlib
import io
import os
import sys
import traceback
from collections.abc import Callable, Container, Mapping, Sequence
from types import ModuleType
from typing import NoReturn

from edge.errors import AuscultError, UserError

INTERRUPTED = 130
EXIT_CODES = {
    0: "Done.",
    AuscultError.exit_code: "A failure at run time, such as a full disk. `auscult doctor` also exits with it when a check says `FAIL`.",
    UserError.exit_code: "A mistake of the user's: wrong arguments, configuration, bundle or file, or a package that is not installed.",
    INTERRUPTED: "Interrupted with Ctrl-C.",
}
_UNWRITABLE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EBADF)

# Packages that a bare `pip install auscult` leaves out, and the extra that brings each.
EXTRAS = {
    "torch": "train",
    "onnx": "export",
    "matplotlib": "report",
    "sklearn": "benchmark",
    "amqtt": "demo",
    "cryptography": "sign",
    "starlette": "dashboard",
    "uvicorn": "dashboard",
}
# A command that has an extra of its own asks for that one: it needs everything in it.
EXTRA_OF_ROOM = {"export": "export", "calibrate.commands.demo": "demo"}


class Parser(argparse.ArgumentParser):
    """An ArgumentParser whose complaint is one line, and whose help keeps the lines of its example."""

    def __init__(self, *args: object, **options: object) -> None:
        options.setdefault("formatter_class", argparse.RawDescriptionHelpFormatter)
        options.setdefault("allow_abbrev", False)  # an abbreviation in a script breaks when an option is added
        super().__init__(*args, **options)  # type: ignore[arg-type]

    def error(self, message: str) -> NoReturn:
        """Say what is wrong and leave with 2."""
        self.exit(UserError.exit_code, f"{self.prog}: {' '.join(message.split())}; see `{self.prog} --help`\n")


def run_command(module_name: str, program: str, arguments: Sequence[str], prepare: Callable[[ModuleType], None] | None = None) -> int:
    """Import a command's module, parse its arguments and run it.

    Parameters
    ----------
    module_name
        A module with `add_arguments(parser)` and `run(arguments) -> int`.
    program
        What the user typed, such as `auscult score`.
    prepare
        Called with the module before it runs, to hand it what its room may not import.

    Returns
    -------
    The exit code. Nothing is raised, except by the interpreter itself.
    """

    def work() -> int:
        command = importlib.import_module(module_name)
        parsed = command_parser(command, program).parse_args(arguments)
        if prepare is not None:
            prepare(command)
        return int(command.run(parsed))

    return guarded(work, module_name)


def command_parser(command: ModuleType, program: str) -> Parser:
    """The parser of a command's module; `program` is what the user types, such as `auscult score`."""
    parser = Parser(prog=program, description=_first_paragraph(command.__doc__))
    command.add_arguments(parser)
    return parser


def find_command(commands: Container[str], arguments: Sequence[str]) -> str | None:
    """The command that `arguments` begin with, of two words (`calibrate record`) or of one; None when there is none."""
    names = (" ".join(arguments[:words]) for words in (2, 1) if len(arguments) >= words)
    return next((name for name in names if name in commands), None)


def run_room(commands: Mapping[str, str], default: str, room: str, arguments: Sequence[str]) -> int:
    """Run `python -m <room> [command] ...`, where the default command need not be named."""
    if arguments and arguments[0] in commands:
        return run_command(commands[arguments[0]], f"python -m {room} {arguments[0]}", arguments[1:])
    return run_command(commands[default], f"python -m {room}", arguments)


def guarded(work: Callable[[], int], module_name: str = "") -> int:
    """Run `work`; turn whatever it raises into one line on stderr and an exit code."""
    try:
        if isinstance(sys.stdout, io.TextIOWrapper):
            sys.stdout.reconfigure(errors="backslashreplace")  # as stderr does: a file name or a terminal need not be UTF-8
        try:
            code = work()
        except SystemExit as stop:  # argparse, after --help or a mistake
            code = stop.code if isinstance(stop.code, int) else 0 if stop.code is None else _fail(str(stop.code), 1)
        if sys.stdout is not None:  # it is None when the shell closed it: `>&-`
            sys.stdout.flush()  # here, where a closed pipe is still ours to handle
        return code
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        _drop_output()  # `auscult score ... | head` has seen enough
        return 1
    except AuscultError as error:
        return _fail(str(error), error.exit_code)
    except ModuleNotFoundError as error:
        return _missing_package(error, module_name)
    except OSError as error:  # a full disk, a folder that may not be written: nobody's mistake in the code
        if error.filename is None and error.errno in _UNWRITABLE:  # files have names
            _drop_output()
            return _fail(f"standard output: {error.strerror}", AuscultError.exit_code)
        if error.filename is None or error.strerror is None:
            return _internal(error)
        return _fail(f"{error.filename}: {error.strerror}", AuscultError.exit_code)
    except Exception as error:
        return _internal(error)


def _drop_output() -> None:
    """Python flushes stdout again at exit: that goes nowhere."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _missing_package(error: ModuleNotFoundError, module_name: str) -> int:
    package = (error.name or "").partition(".")[0]
    if package not in EXTRAS:
        return _internal(error)
    room = module_name.partition(".")[0]
    extra = EXTRA_OF_ROOM.get(module_name) or EXTRA_OF_ROOM.get(room) or EXTRAS[package]
    return _fail(f"this needs the package {package}; install it with: pip install 'auscult[{extra}]'", UserError.exit_code)


def _internal(error: Exception) -> int:
    """A mistake of ours."""
    if _is_interrupt(error):
        return INTERRUPTED
    if os.environ.get("AUSCULT_DEBUG"):
        traceback.print_exception(error)
    where = "" if os.environ.get("AUSCULT_DEBUG") else "; run with AUSCULT_DEBUG=1 for the traceback"
    return _fail(f"internal error: {type(error).__name__}: {error}{where}", AuscultError.exit_code)


def _is_interrupt(error: BaseException | None) -> bool:
    """Whether it came of Ctrl-C: a library that is interrupted while it is loaded turns that into an ImportError."""
    return error is not None and (isinstance(error, KeyboardInterrupt) or _is_interrupt(error.__cause__ or error.__context__))


def _fail(problem: str, code: int) -> int:
    print(f"auscult: {' '.join(problem.split())}", file=sys.stderr)
    return code


def _first_paragraph(text: str | None) -> str:
    return (text or "").strip().partition("\n\n")[0]
