"""The reference of config.yaml: every key of `edge.config.schema.Config`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec
from msgspec import inspect

from docs.generator.markdown import code, table
from edge.config.meaning import Meaning, meaning_of
from edge.config.problems import describe
from edge.config.schema import Config


@dataclass(frozen=True, slots=True)
class Key:
    """One key, dotted, with `<name>` for a name that the user chooses."""

    path: str
    field: inspect.Field
    meaning: Meaning

    def row(self) -> tuple[str, str, str, str]:
        """Its line in the table. A required key is bold."""
        name = code(self.path)
        return (f"**{name}**" if self.field.required else name, value(self.field.type), self.default(), self.meaning.text)

    def default(self) -> str:
        """What applies when the key is left out."""
        if self.field.required:
            return "required"
        return self.meaning.default or code(written(self.field.default))


def config_keys() -> str:
    """One table for each section of the file."""
    fields = {field.encode_name: field for field in _struct(Config).fields}
    top = [field for field in fields.values() if not _structs(field.type)]
    parts = [table(COLUMNS, (key.row() for field in top for key in keys_of(field)))]
    for name, field in fields.items():
        if field not in top:
            parts.append(f"### {name}\n\n{table(COLUMNS, (key.row() for key in keys_of(field)))}")
    return "\n".join(parts)


COLUMNS = ("key", "value", "default", "meaning")


def all_keys() -> Iterator[Key]:
    """Every key that holds a value."""
    for field in _struct(Config).fields:
        yield from keys_of(field)


def keys_of(field: inspect.Field, prefix: str = "") -> Iterator[Key]:
    """The keys below one field, or the field itself."""
    path = f"{prefix}{field.encode_name}"
    kind = field.type.type if isinstance(field.type, inspect.Metadata) else field.type
    if isinstance(kind, inspect.DictType):
        path = f"{path}.<name>"
    inner = _structs(field.type)
    for struct in inner:
        for below in struct.fields:
            yield from keys_of(below, f"{path}.")
    if not inner:
        meaning = meaning_of(field.type)
        if meaning is None:
            raise LookupError(f"{path} has no meaning; add one where it is declared in edge/config")
        yield Key(path, field, meaning)


def value(kind: inspect.Type) -> str:
    """What may be written: the choices as code, else the words of the error message."""
    inner = kind
    while isinstance(inner, inspect.Metadata):
        inner = inner.type
    if isinstance(inner, inspect.LiteralType):
        return ", ".join(code(written(choice)) for choice in inner.values)
    return describe(kind)


def written(default: object) -> str:
    """A value as it stands in YAML."""
    if isinstance(default, bool):
        return str(default).lower()
    if isinstance(default, float):
        return f"{default:g}"
    if isinstance(default, tuple):
        return f"[{', '.join(written(item) for item in default)}]"
    if isinstance(default, str) and default[:1].isdigit():
        return f'"{default}"'
    return str(default) if isinstance(default, (str, int, Path)) else ""


def _struct(kind: type[msgspec.Struct]) -> inspect.StructType:
    found = inspect.type_info(kind)
    assert isinstance(found, inspect.StructType)
    return found


def _structs(kind: inspect.Type) -> list[inspect.StructType]:
    """The sections that a type may be."""
    if isinstance(kind, inspect.Metadata):
        return _structs(kind.type)
    if isinstance(kind, inspect.DictType):
        return _structs(kind.value_type)
    if isinstance(kind, inspect.UnionType):
        return [struct for member in kind.types for struct in _structs(member)]
    return [kind] if isinstance(kind, inspect.StructType) else []
