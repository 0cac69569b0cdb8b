"""What a key of config.yaml means, written where the key is declared; docs/configuration.md is generated from it."""

from __future__ import annotations

from dataclasses import dataclass

from msgspec import Meta, inspect

_KEY = "meaning"


@dataclass(frozen=True, slots=True)
class Meaning:
    """One line of the reference. `default` describes the default in words; empty if the value itself is clear."""

    text: str
    default: str = ""


def meaning(text: str, *, default: str = "") -> Meta:
    """Metadata for a field. A `description` beside it still says what an error message asks for."""
    return Meta(extra={_KEY: Meaning(text, default)})


def meaning_of(kind: inspect.Type) -> Meaning | None:
    """What `meaning` has put on the type of a field; None when nothing has."""
    found = kind.extra.get(_KEY) if isinstance(kind, inspect.Metadata) and kind.extra else None
    return found if isinstance(found, Meaning) else None
