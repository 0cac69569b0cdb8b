"""One archive for whoever helps you: what the node is, its settings and its health. No sound, no user and no password.

    doctor.txt             the findings of `auscult doctor`
    versions.txt           Auscult, Python, its packages and the system
    config.json            the configuration, its secrets withheld
    bundles/<source>.json  the manifest of each source's bundle
    health.txt             what the daemon last said of itself, from the broker: `status`, `info` and `health`
    log.txt                the service's last lines
    missing.txt            what could not be had, and why

Each part is collected separately, because a node on which little works is the one that needs help.
"""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from importlib import metadata
from pathlib import Path

from edge.atomic_file import replacing
from edge.doctor.finding import Finding
from edge.errors import AuscultError, UserError
from edge.version import VERSION

LOG_LINES = 2000
LOG_WAIT_S = 20.0
RETAINED_WAIT_S = 3.0
MODEL = Path("/proc/device-tree/model")  # of a board: Raspberry Pi 4 Model B Rev 1.4


@dataclass(frozen=True, slots=True)
class Part:
    """One file of the archive."""

    name: str
    content: str

    @property
    def bytes(self) -> int:
        """How long it is."""
        return len(self.content.encode())


def support_parts(config: Path, findings: Sequence[Finding]) -> list[Part]:
    """Gather all that can be had. Nothing is raised; what the packages are needed for is missing on a node where they are broken."""
    parts: list[Part] = [Part("doctor.txt", "".join(f"{finding.line()}\n" for finding in findings))]
    missing: list[str] = []

    def take(name: str, read: Callable[[], str]) -> None:
        try:
            parts.append(Part(name, read()))
        except AuscultError as error:
            missing.append(f"{name}: {error}")
        except Exception as error:  # whatever is broken on this node
            missing.append(f"{name}: {type(error).__name__}: {error}")

    take("versions.txt", _versions)
    take("config.json", partial(_config, config))
    for source, bundle in _bundles(config):
        take(f"bundles/{source}.json", partial(_manifest, bundle))
    take("health.txt", partial(_health, config))
    take("log.txt", _log)
    if missing:
        parts.append(Part("missing.txt", "".join(f"{' '.join(line.split())}\n" for line in missing)))
    return [replace(part, content=struck) for part, struck in zip(parts, _struck(parts, config), strict=True)]


def write_archive(path: Path, parts: Sequence[Part]) -> None:
    """Write the parts as a zip file that only this user may read.

    Raises
    ------
    UserError : there is such a file already, or it cannot be written
    """
    check_new(path)
    try:
        with replacing(path) as file, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            for part in parts:
                archive.writestr(part.name, part.content.encode())
    except OSError as error:
        raise UserError(path, f"cannot be written: {error.strerror or error}") from error


def check_new(path: Path) -> None:
    """Refuse to write over a file, or where nothing can be written; UserError."""
    if path.exists():
        raise UserError(path, "already exists; give another name")
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise UserError(path, f"cannot be written: {path.parent} is no folder that you may write to; give --support another name")


def _struck(parts: Sequence[Part], config: Path) -> Iterator[str]:
    """Return the contents without secrets. Without the packages nothing was read that could hold one."""
    try:
        from edge.doctor.redaction import Redaction
    except ImportError:
        yield from (part.content for part in parts)
        return
    redaction = Redaction.of(config)
    yield from (redaction.struck(part.content) for part in parts)


def _versions() -> str:
    board = MODEL.read_text(encoding="utf-8").rstrip("\0\n") if MODEL.exists() else "no device tree"
    lines = [f"auscult {VERSION}", f"Python {sys.version.split()[0]}", platform.platform(), board]
    packages = {name.lower(): version for one in metadata.distributions() if (name := one.metadata["Name"]) and (version := one.version)}
    return "\n".join(lines + [f"{name} {version}" for name, version in sorted(packages.items())]) + "\n"


def _config(path: Path) -> str:
    from edge.doctor.redaction import public_config

    return public_config(path)


def _bundles(config: Path) -> list[tuple[str, Path]]:
    """Return each source with its bundle; none when the configuration is not valid, which is among the findings."""
    try:
        from edge.config.load import load_config

        return [(name, source.bundle) for name, source in load_config(config).sources.items() if source.bundle is not None]
    except (AuscultError, ImportError):
        return []


def _manifest(bundle: Path) -> str:
    import msgspec

    from edge.bundles.bundle import Bundle

    return msgspec.json.format(msgspec.json.encode(Bundle.read(bundle).manifest), indent=2).decode()


def _health(config: Path) -> str:
    from edge.config.load import load_config
    from edge.doctor.broker import retained

    loaded = load_config(config)
    found = retained(loaded.mqtt, loaded.node, RETAINED_WAIT_S)
    if not found:
        raise AuscultError("broker", f"holds nothing of node {loaded.node}, or does not let it be read")
    return "".join(f"{topic} {text}\n" for topic, text in sorted(found.items()))


def _log() -> str:
    command = ["journalctl", "--unit", "auscult.service", "--lines", str(LOG_LINES), "--no-pager", "--output", "short-iso"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=LOG_WAIT_S, check=False)
    except FileNotFoundError:
        raise AuscultError("journalctl", "is not installed; add the daemon's log by hand") from None
    if done.returncode or not done.stdout.strip() or "-- No entries --" in done.stdout:
        reason = " ".join(done.stderr.split()) or "no lines of auscult.service"
        raise AuscultError("journalctl", f"{reason}; run it with sudo, or add the daemon's log by hand")
    return done.stdout


def default_name() -> Path:
    """Return a name that contains the time."""
    return Path(time.strftime("auscult-support-%Y%m%d-%H%M%S.zip"))
