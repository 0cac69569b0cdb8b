"""Check that the service, in its sandbox, may access the files that the configuration names.

The technician who asks sees all of them; the service sees no homes, has a /tmp of its own and may write to its StateDirectory only.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from edge.doctor.finding import Finding, fail, ok

if TYPE_CHECKING:
    from edge.config.schema import Config

CHECK = "sandbox"
UNIT = "auscult.service"
UNIT_FOLDERS = (Path("/etc/systemd/system"), Path("/usr/lib/systemd/system"))  # of `make install` and drop-ins; of the Debian package
_STATE = Path("/var/lib")  # systemd's folder for every StateDirectory=
_HOMES = (Path("/home"), Path("/root"), Path("/run/user"))  # what ProtectHome= hides; see systemd.exec(5)
_TEMPORARY = (Path("/tmp"), Path("/var/tmp"))  # what PrivateTmp= replaces
_YES = ("yes", "true", "on", "1")


@dataclass(frozen=True, slots=True)
class Sandbox:
    """What a unit and its drop-ins leave of the file system. A longer path wins over one that holds it."""

    state: tuple[Path, ...]  # its own folders
    hidden: tuple[Path, ...]
    shown: tuple[Path, ...]  # in spite of that
    writable: tuple[Path, ...]

    @classmethod
    def of(cls, folders: Sequence[Path]) -> Sandbox:
        """Read the unit in the first of the folders that has it, and the drop-ins in all of them.

        Raises
        ------
        OSError : a file cannot be read, or there is no unit
        """
        settings = _settings(folders)
        state = tuple(_STATE / name for name in settings.get("StateDirectory", ()))
        bound = _paths(settings, "BindPaths")
        return cls(
            state=state,
            hidden=(
                *(_HOMES if _last(settings, "ProtectHome") in (*_YES, "tmpfs") else ()),
                *(_TEMPORARY if _last(settings, "PrivateTmp") in (*_YES, "disconnected") else ()),
            ),
            shown=(*bound, *_paths(settings, "BindReadOnlyPaths")),
            writable=(*state, *bound, *_paths(settings, "ReadWritePaths"))
            if _last(settings, "ProtectSystem") == "strict"
            else (Path("/"),),
        )

    def sees(self, path: Path) -> bool:
        """Whether the service finds there what others find there."""
        return _depth(path, self.hidden) <= _depth(path, self.shown)

    def may_write(self, path: Path) -> bool:
        """Whether the sandbox lets the service write there; the file's own permissions are another matter."""
        return _depth(path, self.writable) > 0


def is_installed() -> bool:
    """Whether Auscult is a service on this node."""
    return any((folder / UNIT).is_file() for folder in UNIT_FOLDERS)


def check_sandbox(config: Config) -> Finding:
    """Hold every file that `config` names against what the service may see and write."""
    sandbox = Sandbox.of(UNIT_FOLDERS)
    home = sandbox.state[0] if sandbox.state else _STATE
    for key, path in _read(config):
        if not sandbox.sees(path):
            return fail(CHECK, f"the service does not see {path} ({key}): homes and /tmp are hidden from it", f"move it to {home}")
    for key, path in _written(config):
        if not sandbox.sees(path) or not sandbox.may_write(path):
            remedy = f"name a place in {home}, or open this one: `sudo systemctl edit auscult`, [Service], ReadWritePaths={path.parent}"
            return fail(CHECK, f"the service may not write {path} ({key})", remedy)
    return ok(CHECK, f"the service may reach every file that is named; it writes to {', '.join(map(str, sandbox.writable))}")


def take_state_folder() -> None:
    """Use the service's folders: `sudo -u auscult` lacks the variable in which systemd passes the state folder."""
    with suppress(OSError):  # not installed, or not ours to read
        for folder in Sandbox.of(UNIT_FOLDERS).state:
            if folder.stat().st_uid == os.geteuid():
                os.environ.setdefault("STATE_DIRECTORY", str(folder))


def _read(config: Config) -> Iterator[tuple[str, Path]]:
    for name, source in config.sources.items():
        if source.bundle is not None:
            yield f"sources.{name}.bundle", source.bundle
        if source.files is not None:
            yield from ((f"sources.{name}.files.paths", path) for path in source.files.paths)
        if source.url is not None:
            files = {"credentials_file": source.url.credentials_file, "ca_file": source.url.ca_file}
            yield from ((f"sources.{name}.url.{key}", path) for key, path in files.items() if path is not None)
    yield from (("bundles.trusted_keys", path) for path in config.bundles.trusted_keys)
    if config.mqtt.password_file is not None:
        yield "mqtt.password_file", config.mqtt.password_file
    if config.mqtt.tls is not None:
        files = {"ca_file": config.mqtt.tls.ca_file, "cert_file": config.mqtt.tls.cert_file, "key_file": config.mqtt.tls.key_file}
        yield from ((f"mqtt.tls.{key}", path) for key, path in files.items() if path is not None)


def _written(config: Config) -> Iterator[tuple[str, Path]]:
    """Only what is named: the defaults are in the StateDirectory."""
    if config.outbox.path is not None:
        yield "outbox.path", config.outbox.path
    if config.clips.enabled and config.clips.folder is not None:
        yield "clips.folder", config.clips.folder


def _settings(folders: Sequence[Path]) -> dict[str, list[str]]:
    """Every setting with its words. An empty one takes back what came before, and a drop-in comes after the unit."""
    settings: dict[str, list[str]] = {}
    unit = next((folder / UNIT for folder in folders if (folder / UNIT).is_file()), folders[0] / UNIT)
    drop_ins = {file.name: file for folder in reversed(folders) for file in (folder / f"{UNIT}.d").glob("*.conf")}
    for file in (unit, *(drop_ins[name] for name in sorted(drop_ins))):
        for line in file.read_text(encoding="utf-8").splitlines():
            key, equals, value = line.partition("=")
            if equals and not key.startswith(("#", ";")):
                words = settings.setdefault(key.strip(), [])
                words.extend(value.split()) if value.strip() else words.clear()
    return settings


def _last(settings: Mapping[str, list[str]], key: str) -> str:
    return (settings.get(key) or ["no"])[-1].lower()


def _paths(settings: Mapping[str, list[str]], key: str) -> tuple[Path, ...]:
    """`-` and `+` before a path are options; of `source:destination` the service sees the destination."""
    parts = [word.lstrip("-+").split(":") for word in settings.get(key, ())]
    return tuple(Path(part[1] if len(part) > 1 else part[0]) for part in parts)


def _depth(path: Path, folders: tuple[Path, ...]) -> int:
    """Parts of the longest of `folders` that holds the path, links followed; 0 when none does."""
    real = path.resolve()
    return max((len(folder.parts) for folder in folders if real.is_relative_to(folder)), default=0)
