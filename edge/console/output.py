"""Results on stdout: JSON for programs, aligned lines for people."""

from __future__ import annotations

import json
from collections.abc import Mapping
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


def _text(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, (list, tuple)):
        return ", ".join(map(_text, value))
    return printable(value)


def printable(value: object) -> str:
    """Text that JSON and any terminal take: the bytes of a file name need not be UTF-8."""
    return str(value).encode(errors="backslashreplace").decode()
