"""A secret in a file of its own."""

from __future__ import annotations

from pathlib import Path

from edge.config import credentials
from edge.errors import ConfigError


def read_secret(path: Path, what: str, key: str, missing: str) -> str:
    """Read the one secret that a file holds.

    `what` it is, the `key` of config.yaml that names the file and the remedy when it is `missing` are for the error.

    Raises
    ------
    ConfigError
        The file cannot be read or is empty.
    """
    try:
        secret = path.read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
        raise ConfigError(path, f"cannot read {what} ({key}): {reason}; {_remedy(path, error, missing)}") from error
    if not secret:
        raise ConfigError(path, f"is empty; write {what} into it ({key})")
    return secret


def _remedy(path: Path, error: OSError | UnicodeDecodeError, missing: str) -> str:
    if credentials.is_credential(path):
        return credentials.remedy(path)
    if isinstance(error, FileNotFoundError):
        return missing
    if isinstance(error, PermissionError):
        return f"give it to the service's group: sudo chgrp auscult {path} && sudo chmod 640 {path}"
    return "write it again, as one line of UTF-8 text"
