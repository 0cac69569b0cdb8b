"""Mutations of plain bytes and of JSON values, which all kinds of files share."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

Rng = np.random.Generator

# Values that have broken programs before: wrong types, huge, tiny, not finite, deep, and text that means something to somebody.
VALUES: tuple[str, ...] = (
    "null", "true", "false", "0", "-1", "1", "1.5", "-0.0", "1e-320", "1e308", "-1e308", "1e400", "NaN", "Infinity",
    "9223372036854775807", "9223372036854775808", "18446744073709551616", "1" + "0" * 400, "1" + "0" * 5000, '""', '" "',
    '"\\u0000"', '"\\ud800"', '"../../etc/passwd"', '"/dev/zero"', '"a\\nb"', '"' + "x" * 10_000 + '"', "[]", "{}", "[[]]",
    '{"a": 1}', "[null]", "[1, 2, 3]", "[" * 2000 + "]" * 2000, "[" * 100_000, '{"a":' * 3000 + "1" + "}" * 3000,
    "[" + "0," * 20_000 + "0]",
)  # fmt: skip


def pick(rng: Rng, choices: Any) -> Any:
    """One of them."""
    choices = list(choices)
    return choices[int(rng.integers(len(choices)))]


def mutated(rng: Rng, content: bytes, times: int = 3) -> bytes:
    """Bytes flipped, overwritten, cut out, doubled, put in, or cut off."""
    changed = bytearray(content)
    for _ in range(int(rng.integers(1, times + 1))):
        if not changed:
            return b""
        place = int(rng.integers(len(changed)))
        length = min(len(changed) - place, 1 << int(rng.integers(0, 8)))
        match int(rng.integers(7)):
            case 0:
                changed[place] ^= 1 << int(rng.integers(8))
            case 1:
                number = pick(rng, (b"\0" * length, b"\xff" * length, b"\xff\xff\xff\x7f", b"\0\0\0\x80", b"\x01\0\0\0\0\0\0\0"))
                changed[place : place + len(number)] = number
            case 2:
                del changed[place : place + length]
            case 3:
                changed[place:place] = changed[place : place + length]
            case 4:
                changed[place:place] = rng.bytes(length)
            case 5:
                changed[place] = int(rng.integers(256))
            case _:
                if rng.random() < 0.3:
                    del changed[place:]
    return bytes(changed)


def places(value: Any, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """Every place in a JSON value."""
    found = [path]
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        found += places(inner, (*path, key))
    return found


def mutated_json(rng: Rng, content: bytes) -> bytes:
    """One or two places take hostile values, are left out or are renamed; now and then, bytes that are no JSON."""
    if rng.random() < 0.15:
        return mutated(rng, content)
    if rng.random() < 0.05:
        return str(pick(rng, VALUES)).encode()
    value = json.loads(content)
    marks: dict[str, str] = {}
    for number in range(int(rng.integers(1, 3))):
        path = pick(rng, places(value)[1:] or [()])
        if not path:
            break
        holder = value
        for key in path[:-1]:
            holder = holder[key]
        action = rng.random()
        if action < 0.75:
            holder[path[-1]] = f"@{number}@"
            marks[f'"@{number}@"'] = pick(rng, VALUES)
        elif action < 0.9:
            del holder[path[-1]]
        elif isinstance(holder, dict):
            holder[pick(rng, ("", "members", "x" * 300, "\0"))] = holder.pop(path[-1])
    text = json.dumps(value)
    for mark, hostile in marks.items():
        text = text.replace(mark, hostile)
    return text.encode()
