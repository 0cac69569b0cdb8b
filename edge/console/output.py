"""Results on stdout: JSON for programs, aligned lines for people."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Literal

Format = Literal["json", "text"]


def print_result(result: Mapping[str, Any], form: Format) -> None:
    """Print a result; empty fields are left out of the text, never of the JSON."""
    if form == "json":
        print(json.dumps(result, allow_nan=False))
        return
    told = {key: value for key, value in result.items() if value not in (None, "", [], (), {})}
    width = max((len(key) for key in told), default=0)
    for key, value in told.items():
        print(f"{key.replace('_', ' '):<{width}}  {_text(value)}")


def print_document(document: Mapping[str, Any], form: str, text: Callable[[], Iterable[str]]) -> None:
    """Print a result as indented JSON, or as the lines that `text` makes of it."""
    print(json.dumps(document, indent=2) if form == "json" else "\n".join(text()))


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """A table as lines: each column as wide as its longest cell."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def _text(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, (list, tuple)):
        return ", ".join(map(_text, value))
    return printable(value)


def printable(value: object) -> str:
    """Text that JSON and any terminal take: the bytes of a file name need not be UTF-8."""
    return str(value).encode(errors="backslashreplace").decode()
