"""The reference of the command line: every command, its options and the exit codes."""

from __future__ import annotations

import argparse
import importlib
import os
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import patch

import auscult
from benchmarks.commands.benchmark import BENCHMARKS
from docs.generator.markdown import code, plain, table
from edge.console.cli import EXIT_CODES, command_parser

SHARED = "calibrate"  # the command whose options the benchmarks take as well


def commands() -> str:
    """One line for each command, and for each benchmark."""
    rows = [(f"auscult {name}", summary) for name, (_, summary) in auscult.COMMANDS.items()]
    rows += [(f"auscult benchmark {name}", summary) for name, summary in BENCHMARKS.items()]
    return table(("command", "what it does"), ((code(name), plain(_sentence(summary))) for name, summary in rows))


def exit_codes() -> str:
    """What each exit code means."""
    return table(("exit code", "meaning"), ((code(str(number)), meaning) for number, meaning in EXIT_CODES.items()))


def command_options() -> str:
    """The options and the example of each command."""
    with patch.dict(os.environ):
        os.environ.pop("XDG_CACHE_HOME", None)  # a default of this computer's alone
        parsers = {
            name: command_parser(importlib.import_module(module), f"auscult {name}") for name, (module, _) in auscult.COMMANDS.items()
        }
    shared = {_row(parsers[SHARED], action) for action in parsers[SHARED]._actions if action.option_strings}
    return "\n".join(section for parser in parsers.values() for section in _sections(parser, shared))


def _sections(parser: argparse.ArgumentParser, shared: set[tuple[str, str]], summary: str = "") -> Iterator[str]:
    """A section for the command, and one for each of its sub-commands; these name the `shared` options and leave their meaning out."""
    choices = next((action for action in parser._actions if isinstance(action, argparse._SubParsersAction)), None)
    text = [f"### {parser.prog}\n", plain(_sentence(parser.description or summary)) + "\n"]
    rows = [_row(parser, action) for action in parser._actions if action is not choices and not isinstance(action, argparse._HelpAction)]
    common = [row for row in rows if summary and row in shared]
    if rows:
        text.append(table(("argument", "meaning"), [row for row in rows if row not in common]))
    if common:
        text.append(f"The same as for [auscult {SHARED}](#auscult-{SHARED}): {', '.join(typed for typed, _ in common)}.\n")
    if parser.epilog:
        text.append(f"```text\n{parser.epilog.strip()}\n```\n")
    yield "\n".join(text)
    if choices is not None:
        summaries = {action.dest: action.help or "" for action in choices._choices_actions}
        for name, inner in choices.choices.items():
            yield from _sections(inner, shared, summaries[name])


def _row(parser: argparse.ArgumentParser, action: argparse.Action) -> tuple[str, str]:
    """The argument as it is typed, and its help."""
    value = "" if action.nargs == 0 else _value(action)
    typed = [f"{option} {value}".strip() for option in action.option_strings] or [value]
    known = vars(action) | {"prog": parser.prog}
    if action.choices is not None:
        known["choices"] = ", ".join(map(str, action.choices))
    return ", ".join(code(text) for text in typed), plain(_sentence((action.help or "") % known)).replace(str(Path.home()), "~")


def _value(action: argparse.Action) -> str:
    metavar = action.metavar if isinstance(action.metavar, str) else None
    name = metavar or ("|".join(map(str, action.choices)) if action.choices is not None else action.dest.upper())
    return f"{name} ..." if action.nargs in ("+", "*") else name


def _sentence(text: str) -> str:
    """A help text as a sentence: capital letter, full stop."""
    text = " ".join(text.split())
    return f"{text[:1].upper()}{text[1:]}{'' if text.endswith(('.', '?', ')', '`')) or not text else '.'}"
