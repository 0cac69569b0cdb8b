"""Every generated block by its name."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from docs.generator import command_line, payloads
from docs.generator.config_keys import config_keys
from docs.generator.markdown import code, table
from edge.doctor.examination import CHECKS


def doctor_checks() -> str:
    """What `auscult doctor` looks at, in order."""
    return table(("check", "question"), ((code(check), question) for check, question in CHECKS.items()))


BLOCKS: dict[str, Callable[[], str]] = {
    "config keys": config_keys,
    "topics": payloads.topics,
    "payload event": partial(payloads.payload_fields, "auscult/<node>/<source>/event"),
    "payload score": partial(payloads.payload_fields, "auscult/<node>/<source>/score"),
    "payload level": partial(payloads.payload_fields, "auscult/<node>/<source>/level"),
    "payload info": partial(payloads.payload_fields, "auscult/<node>/info"),
    "payload health": partial(payloads.payload_fields, "auscult/<node>/health"),
    "mqtt commands": payloads.commands,
    "mqtt answers": payloads.answers,
    "mqtt common fields": payloads.common_fields,
    "commands": command_line.commands,
    "command options": command_line.command_options,
    "exit codes": command_line.exit_codes,
    "doctor checks": doctor_checks,
}
