"""Describe a mistake in a configuration by line and dotted key: what was expected, and what was found."""

from __future__ import annotations

import difflib
import re

import msgspec
from msgspec import inspect

from edge.config.strict_yaml import Document, KeyPath
from edge.errors import ConfigError

SECRET_ADVICE = "a password must not stand in this file; write it to its own file and name that with password_file, or use password_env"


def explain(error: msgspec.ValidationError, document: Document, section: KeyPath, schema: type) -> ConfigError:
    """Turn msgspec's complaint about `document` at `section`, which should be a `schema`, into a line for the user."""
    problem, _, place = str(error).partition(" - at ")
    inner = _parse_place(place)
    path = section + inner
    expected = _type_at(inspect.type_info(schema), inner)
    if unknown := re.fullmatch(r"Object contains unknown field `(.*)`", problem, re.DOTALL):
        return _unknown_key(document, path, unknown[1], expected)
    if missing := re.fullmatch(r"Object missing required field `(.*)`", problem):
        return document.error(path, f"the key '{missing[1]}' is missing{_purpose(expected, missing[1])}")
    found = _value_at(document.data, path)
    return document.error(path, f"expected {describe(expected)}, found {_found(document, path, found)}{_advice(path, expected, found)}")


def closest(word: str, known: list[str]) -> str:
    """`; did you mean 'microphone'?`, or the whole choice when nothing is close."""
    near = difflib.get_close_matches(word, known, n=1, cutoff=0.6)
    return f"; did you mean '{near[0]}'?" if near else f"; known here: {', '.join(known)}"


def _parse_place(place: str) -> KeyPath:
    """Turn `$.files.paths[0]` in backquotes into ("files", "paths", 0)."""
    parts = re.findall(r"\.([A-Za-z_]\w*)|\[(\d+)\]", place)
    return tuple(name or int(index) for name, index in parts)


def _unwrap(kind: inspect.Type) -> inspect.Type:
    """The type inside metadata and `| None`."""
    while True:
        if isinstance(kind, inspect.Metadata):
            kind = kind.type
        elif isinstance(kind, inspect.UnionType):
            rest = [member for member in kind.types if not isinstance(member, inspect.NoneType)]
            if len(rest) != 1:
                return kind
            kind = rest[0]
        else:
            return kind


def _type_at(kind: inspect.Type, path: KeyPath) -> inspect.Type:
    """The declared type of the value at `path`, metadata included."""
    for part in path:
        kind = _unwrap(kind)
        if isinstance(kind, inspect.StructType):
            kind = next((field.type for field in kind.fields if field.encode_name == part), inspect.AnyType())
        elif isinstance(kind, inspect.VarTupleType):
            kind = kind.item_type
        elif isinstance(kind, inspect.DictType):
            kind = kind.value_type
    return kind


def describe(kind: inspect.Type) -> str:
    """What a user should write for a type."""
    if isinstance(kind, inspect.Metadata):
        return str((kind.extra_json_schema or {}).get("description") or describe(kind.type))
    if isinstance(kind, inspect.UnionType):
        return " or ".join(describe(member) for member in kind.types if not isinstance(member, inspect.NoneType))
    if isinstance(kind, inspect.LiteralType):
        *most, last = [str(value) for value in kind.values]
        return f"{', '.join(most)} or {last}" if most else f'"{last}"'
    if isinstance(kind, inspect.StructType):
        return f"a section with the keys {', '.join(field.encode_name for field in kind.fields)}"
    names: dict[type[inspect.Type], str] = {
        inspect.StrType: "text",
        inspect.IntType: "a whole number",
        inspect.FloatType: "a number",
        inspect.BoolType: "true or false",
        inspect.CustomType: "a file or folder",
        inspect.VarTupleType: "a list",
        inspect.DictType: "a mapping",
    }
    return names.get(type(kind), "another value")


def _value_at(data: object, path: KeyPath) -> object:
    for part in path:
        if isinstance(data, dict):
            data = data.get(part)
        elif isinstance(data, list) and isinstance(part, int) and part < len(data):
            data = data[part]
        else:
            return data
    return data


def _found(document: Document, path: KeyPath, value: object) -> str:
    """What the file says, as it is written there; never what could be a secret."""
    if value is None:
        return "nothing"
    if isinstance(value, dict):
        return "a section" if value else "an empty section"
    if isinstance(value, list):
        return "a list" if value else "an empty list"
    kind = "true/false" if isinstance(value, bool) else "a number" if isinstance(value, int | float) else "text"
    mark = document.marks.get(path)
    written = mark.text if mark else str(value)
    if any("password" in str(part) or part in ("address", "credentials_file") for part in path) or "@" in written:
        return kind
    return f"{kind}: {written if len(written) <= 60 else written[:57] + '...'}" if written else "empty text"


def _advice(path: KeyPath, expected: inspect.Type, found: object) -> str:
    inner = _unwrap(expected)
    wants_text = isinstance(inner, inspect.StrType | inspect.CustomType) or (
        isinstance(inner, inspect.LiteralType) and all(isinstance(value, str) for value in inner.values)
    )
    if path[-1:] == ("device",) and isinstance(found, int):
        return "; a microphone is chosen by a part of its name, which `auscult devices` lists"
    if wants_text and isinstance(found, bool):
        return "; YAML reads on, off, yes and no as true or false: put it in quotes"
    if wants_text and isinstance(found, int | float):
        choices = [str(value) for value in inner.values] if isinstance(inner, inspect.LiteralType) else [str(found)]
        return "; put it in quotes" if str(found) in choices else ""
    if isinstance(inner, inspect.LiteralType) and isinstance(found, str):
        near = difflib.get_close_matches(found, [str(value) for value in inner.values], n=1)
        return f"; did you mean {near[0]}?" if near else ""
    if isinstance(inner, inspect.VarTupleType) and isinstance(found, str):
        return "; write it in brackets: [...]"
    if isinstance(inner, inspect.IntType | inspect.FloatType | inspect.BoolType) and isinstance(found, str):
        is_padded = re.fullmatch(r"[-+]?0\d+", found) and not isinstance(inner, inspect.BoolType)
        return "; without leading zeros" if is_padded else "; without quotes or unit"
    return ""


def _unknown_key(document: Document, section: KeyPath, key: str, schema: inspect.Type) -> ConfigError:
    path = (*section, key)
    if key.lower() in {"password", "passwd", "pass", "secret"}:
        return document.error(path, SECRET_ADVICE)
    inner = _unwrap(schema)
    known = [field.encode_name for field in inner.fields] if isinstance(inner, inspect.StructType) else []
    return document.error(path, f"unknown key{closest(key, known)}")


def _purpose(schema: inspect.Type, key: str) -> str:
    """`; add a port from 1 to 65535`."""
    expected = _type_at(schema, (key,))
    return f"; add `{key}:` with {describe(expected)}"
