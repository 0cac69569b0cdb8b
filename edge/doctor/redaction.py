"""Remove secrets from a configuration, and from everything else that may contain them."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import get_args, get_type_hints

import msgspec

from edge.config.schema import Config
from edge.config.strict_yaml import read_yaml

WITHHELD = "(withheld)"
SECRET_KEYS = frozenset({"username", "password_file", "password_env", "ca_file", "cert_file", "key_file", "credentials_file", "address"})
PUBLIC_NAMES = frozenset({"auscult"})  # the user of our examples: to strike it out would leave no line to read
SHORTEST = 3  # characters of what is struck out elsewhere: less stands in every other word
# As people write secrets, in comments and in files that are no YAML too: `# mqtt_pass = "x"`.
_WRITTEN = re.compile(
    r"""(?P<key>\w*(?:user|pass|secret|token|credential|ca_file|cert_file|key_file)\w*)["']?[ \t]*[:=][ \t]*"""
    r"""["']?(?P<value>[^\n"'#,}\]]*[^\s"'#,}\]])""",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Redaction:
    """Strikes secrets out of text."""

    secrets: tuple[str, ...]  # the longest first: one may be a part of another

    @classmethod
    def of(cls, config: Path) -> Redaction:
        """Collect users, passwords and keys in the file, and the password itself if we may read it."""
        try:
            text = config.read_text(encoding="utf-8-sig", errors="replace")
        except OSError:
            return cls(())
        found = set[str]()
        for match in _WRITTEN.finditer(text):
            found |= {match["value"], *_passwords(match["key"], match["value"], config.parent)}
        return cls(tuple(sorted((one for one in found - PUBLIC_NAMES if len(one) >= SHORTEST), key=len, reverse=True)))

    def struck(self, text: str) -> str:
        """Return `text` without the secrets that occur in it as whole words."""
        for secret in self.secrets:
            text = re.sub(rf"(?<!\w){re.escape(secret)}(?!\w)", WITHHELD, text)
        return text


def _passwords(key: str, value: str, folder: Path) -> set[str]:
    """Return the secrets that a key of ours leads to; none where there are none that can be read."""
    if key == "password_env":
        return {os.environ.get(value, "")}
    if key not in ("password_file", "credentials_file"):
        return set()
    try:
        written = (folder / value).read_text(encoding="utf-8", errors="replace").strip()
    except OSError:  # the doctor has told
        return set()
    return {written, *(written.split(":", 1) if key == "credentials_file" else ())}


def public_config(path: Path) -> str:
    """Return a configuration as JSON, without the values of unknown keys and of keys about users, passwords and keys.

    Comments are left out, for nobody knows what stands in them.

    Raises
    ------
    ConfigError : missing, unreadable or not YAML
    """
    shown = _shown(read_yaml(path).data, _known_keys(Config), is_names=False)
    return msgspec.json.format(msgspec.json.encode(shown), indent=2).decode()


def _shown(value: object, known: frozenset[str], *, is_names: bool) -> object:
    """`is_names` says that the keys of a mapping are the user's own: the names of sources."""
    if isinstance(value, dict):
        return {
            key: _shown(inner, known, is_names=key == "sources") if is_names or key in known - SECRET_KEYS else WITHHELD
            for key, inner in value.items()
        }
    if isinstance(value, list):
        return [_shown(item, known, is_names=False) for item in value]
    return WITHHELD if isinstance(value, str) and "@" in value else value  # user:password@host


def _known_keys(schema: type[msgspec.Struct]) -> frozenset[str]:
    """Return the keys of a section and of all sections in it."""
    hints = get_type_hints(schema, include_extras=True)
    inner = frozenset[str]().union(*(_known_keys(section) for hint in hints.values() for section in _sections(hint)))
    return frozenset(field.encode_name for field in msgspec.structs.fields(schema)) | inner


def _sections(hint: object) -> Iterable[type[msgspec.Struct]]:
    if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
        yield hint
    for part in get_args(hint):
        yield from _sections(part)
