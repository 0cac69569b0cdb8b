"""Patterns that a text has to match from its first character to its last, in Python and in JSON Schema alike."""

from __future__ import annotations


def whole(pattern: str) -> str:
    r"""Return `pattern` so that nothing may come before it or after it, not even a line break.

    In Python `$` takes "pump1\n" as well, and `\Z`, which does not, means nothing in the ECMA 262 of JSON Schema. Both read this the same.
    """
    return rf"^(?:{pattern})$(?!\n)"
