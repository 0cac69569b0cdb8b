"""The file of a report: looked at before the long work begins, and written at once."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from datetime import datetime, timezone
from pathlib import Path
from tempfile import TemporaryFile

from calibrate.report.html import Html, join, text
from calibrate.report.style import STYLE
from edge.atomic_file import SHARED, replacing
from edge.errors import AuscultError, UserError
from edge.version import VERSION

BEGINNING = "<!doctype html>"
# No script, no request of any kind: the page is in this one file.
POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"


def check_report(path: Path) -> None:
    """Say now what would keep a report from being written.

    Raises
    ------
    UserError
        when the file cannot be written, or is something else than a report.
    ModuleNotFoundError
        when matplotlib is not installed, which the front door says.
    """
    importlib.import_module("matplotlib")
    try:
        if path.exists() and not _is_report(path):
            raise UserError(path, "exists and is not a report; give --report another name")
        if not path.parent.is_dir():
            raise UserError(path, f"there is no folder {path.parent}; make it first, or give --report another")
        with TemporaryFile(dir=path.parent):
            pass
    except OSError as error:
        raise UserError(path, f"cannot be written: {error.strerror or error}") from error


def _is_report(path: Path) -> bool:
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(len(BEGINNING)) in (BEGINNING.encode(), b"")


def write_report(path: Path, title: str, parts: Sequence[Html]) -> None:
    """Write a page of sections; AuscultError when the disk does not take it."""
    now = datetime.now(timezone.utc)
    made = f"Made by Auscult {VERSION} on {now:%Y-%m-%d %H:%M} UTC. Everything is in this one file."
    page = join(
        [
            Html(BEGINNING),
            Html('<html lang="en"><head><meta charset="utf-8">'),
            Html(f'<meta http-equiv="Content-Security-Policy" content="{text(POLICY)}">'),
            Html('<meta name="viewport" content="width=device-width, initial-scale=1"><meta name="referrer" content="no-referrer">'),
            Html(f"<title>{text(title)}</title><style>{STYLE}</style></head><body>"),
            Html(f'<header><h1>{text(title)}</h1><p class="soft">{text(made)}</p></header>'),
            *parts,
            Html("</body></html>\n"),
        ]
    )
    try:
        with replacing(path, SHARED) as file:
            file.write(page.encode())
    except OSError as error:
        raise AuscultError(path, f"the report could not be written: {error.strerror or error}; everything else was written") from error
