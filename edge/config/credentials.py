"""systemd's credentials: `password_file: credential:NAME` means the file that LoadCredential=NAME:... gives to the service only."""

from __future__ import annotations

import os
import re
from pathlib import Path

PREFIX = "credential:"
SERVICE_FOLDER = Path("/run/credentials/auscult.service")  # where systemd keeps them for the unit that we ship
_NAME = re.compile(r"(?!\.)[A-Za-z0-9._-]+")


def credentials_folder() -> Path:
    """The folder of this process's credentials; outside a service, where those of our service would be."""
    given = os.environ.get("CREDENTIALS_DIRECTORY", "")
    return Path(given) if given else SERVICE_FOLDER


def credential_path(written: str) -> Path | None:
    """The file that `credential:NAME` means; None when NAME is not the name of a file."""
    name = written.removeprefix(PREFIX)
    return credentials_folder() / name if _NAME.fullmatch(name) else None


def is_credential(path: Path) -> bool:
    """Whether a file is one of the credentials."""
    return path.parent == credentials_folder()


def is_out_of_reach(path: Path) -> bool:
    """Whether a file is a credential of the service and this process is not the service: nobody else may read it."""
    return is_credential(path) and not os.environ.get("CREDENTIALS_DIRECTORY")


def remedy(path: Path) -> str:
    """What brings a credential that is not there."""
    return f"give the service LoadCredential={path.name}:/etc/auscult/{path.name} (`sudo systemctl edit auscult`)"
