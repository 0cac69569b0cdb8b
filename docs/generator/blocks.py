"""Every generated block by its name."""

from __future__ import annotations

import ast
from collections.abc import Callable
from functools import partial
from pathlib import Path

from docs.generator import command_line, payloads
from docs.generator.config_keys import config_keys
from docs.generator.markdown import code, plain, table
from docs.generator.metrics import metrics
from edge.doctor.examination import CHECKS

ROOT = Path(__file__).resolve().parents[2]


def doctor_checks() -> str:
    """What `auscult doctor` looks at, in order."""
    return table(("check", "question"), ((code(check), question) for check, question in CHECKS.items()))


def rooms() -> str:
    """The folders of each room, with the first sentence of their docstrings."""
    rows = []
    for file in sorted(ROOT.glob("*/**/__init__.py")):
        folder = file.parent.relative_to(ROOT).as_posix()
        if folder.partition("/")[0] in ("edge", "export", "calibrate", "benchmarks"):
            docstring = ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or ""
            if not docstring:
                raise LookupError(f"{folder}/__init__.py has no docstring; say what the folder holds")
            rows.append((code(f"{folder}/"), plain(docstring.partition("\n\n")[0])))
    return table(("folder", "content"), rows)


BLOCKS: dict[str, Callable[[], str]] = {
    "config keys": config_keys,
    "topics": payloads.topics,
    "payload event": partial(payloads.payload_fields, "auscult/<node>/<source>/event"),
    "payload score": partial(payloads.payload_fields, "auscult/<node>/<source>/score"),
    "payload level": partial(payloads.payload_fields, "auscult/<node>/<source>/level"),
    "payload cells": partial(payloads.payload_fields, "auscult/<node>/<source>/cells"),
    "payload learning": partial(payloads.payload_fields, "auscult/<node>/<source>/learning"),
    "payload drift": partial(payloads.payload_fields, "auscult/<node>/<source>/drift"),
    "payload info": partial(payloads.payload_fields, "auscult/<node>/info"),
    "payload health": partial(payloads.payload_fields, "auscult/<node>/health"),
    "mqtt commands": payloads.commands,
    "mqtt answers": payloads.answers,
    "mqtt common fields": payloads.common_fields,
    "commands": command_line.commands,
    "command options": command_line.command_options,
    "exit codes": command_line.exit_codes,
    "doctor checks": doctor_checks,
    "metrics": metrics,
    "rooms": rooms,
}
