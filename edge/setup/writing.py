"""Put a configuration in its place: checked before, whole or not at all, and readable by no more users than need be."""

from __future__ import annotations

import os
import pwd
import shutil
from pathlib import Path

from edge.atomic_file import PRIVATE, replacing
from edge.config.load import load_config
from edge.config.strict_yaml import read_yaml
from edge.doctor.sandbox import is_installed
from edge.errors import ConfigError, UserError
from edge.private_files import make_folder
from edge.setup.answers import Answers

USER = "auscult"  # of the service
EXAMPLE_HOST = "broker.example.org"  # of the example that `make install` puts where the configuration belongs
GROUP_READS = 0o640


def service_user() -> pwd.struct_passwd | None:
    """The user of an installed service, when we are root and set it up for that; else None."""
    if os.geteuid() != 0 or not is_installed():
        return None
    try:
        return pwd.getpwnam(USER)
    except KeyError:
        return None


def check_place(path: Path, *, force: bool) -> None:
    """Refuse to write over a configuration, unless it is the example; UserError."""
    if path.is_dir():
        raise UserError(path, "is a folder; name the file: --config")
    if path.exists() and not force and not _is_example(path):
        raise UserError(path, "already exists; --force replaces it and keeps the old one as .bak, or name another file with --config")
    if not path.absolute().parent.is_dir() or not os.access(path.absolute().parent, os.W_OK | os.X_OK):
        raise UserError(path, f"cannot be written: {path.absolute().parent} is no folder that you may write to; sudo, or another --config")


def _is_example(path: Path) -> bool:
    try:
        data = read_yaml(path).data
    except UserError:
        return False
    mqtt = data.get("mqtt") if isinstance(data, dict) else None
    return isinstance(mqtt, dict) and mqtt.get("host") == EXAMPLE_HOST


def write(path: Path, answers: Answers) -> None:
    """Write secrets and configuration, and make the folder where things are kept; what was there is kept as .bak.

    Raises
    ------
    ConfigError : the answers do not go together
    UserError : a file cannot be written; the configuration is as it was before
    """
    user = service_user()
    made: list[Path] = []
    try:
        if not answers.keep.exists():
            make_folder(answers.keep)
            if user is not None:
                os.chown(answers.keep, user.pw_uid, user.pw_gid)
        for secret, content in answers.secrets.items():
            made += [secret] if not secret.exists() else []
            _replace(secret, f"{content}\n", user)
        candidate = path.with_name(f".{path.name}.new")
        made.append(candidate)
        _replace(candidate, answers.text(), user)
        try:
            load_config(candidate)
        except ConfigError as error:
            raise UserError("setup", str(error).replace(str(candidate.absolute()), path.name).replace(str(candidate), path.name)) from error
        if path.exists():
            _back_up(path)
        candidate.replace(path)
    except BaseException as error:
        for one in made:
            one.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise UserError(error.filename or path, f"cannot be written: {error.strerror or error}") from error
        raise


def _replace(path: Path, text: str, user: pwd.struct_passwd | None) -> None:
    with replacing(path, PRIVATE) as file:
        file.write(text.encode())
        if user is not None:
            os.fchown(file.fileno(), 0, user.pw_gid)
            os.fchmod(file.fileno(), GROUP_READS)


def _back_up(path: Path) -> None:
    backup = path.with_name(f"{path.name}.bak")
    with replacing(backup, PRIVATE) as file:
        file.write(path.read_bytes())
        found = path.stat()
        os.fchmod(file.fileno(), found.st_mode & 0o777)
        if os.geteuid() == 0:
            os.fchown(file.fileno(), found.st_uid, found.st_gid)


def doctor_command(path: Path) -> list[str] | None:
    """How the service's user examines the node; None when we are the user who does."""
    if service_user() is None:
        return None
    program = shutil.which("auscult") or "auscult"
    return ["runuser", "-u", USER, "--", program, "doctor", "--format", "json", "--config", str(path.absolute())]
