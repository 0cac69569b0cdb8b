"""The bundles that were made of a store: the last five, and which of them is in force.

    <store>/bundles/
        versions.json       what is there, and the choice
        000003.auscult      the third that was made

They stand for the bundle that the configuration names, and only for that one: another in its place is in force at once.
"""

from __future__ import annotations

import logging
import time
from pathlib import Path

import msgspec

from edge.atomic_file import replacing
from edge.errors import StoreError
from edge.private_files import make_folder

LOG = logging.getLogger("auscult.learning")
MOST_KEPT = 5
FOLDER, FILE = "bundles", "versions.json"
CANDIDATE = ".candidate.auscult"


class Version(msgspec.Struct, frozen=True, kw_only=True):
    """One bundle that was made of a store."""

    number: int
    sha256: str
    learned_s: float  # of sound that the store held
    created_s: float  # since 1970
    supported_false_alarms_per_week: float


class _Content(msgspec.Struct, frozen=True, kw_only=True):
    base: str = ""  # SHA-256 of the bundle that the configuration named when they were made
    chosen: int | None = None  # the number of the one in force; None for the bundle that the configuration names
    made: int = 0  # that there ever were
    versions: tuple[Version, ...] = ()  # that are kept, the oldest first


class Versions:
    """Those of one store. Read anew for each question, for the command line may have chosen another."""

    def __init__(self, store: Path) -> None:
        self.folder = store / FOLDER
        self._path = self.folder / FILE

    @property
    def candidate(self) -> Path:
        """Where the next one is written."""
        return self.folder / CANDIDATE

    def kept(self, base: str) -> tuple[Version, ...]:
        """Those that stand for a bundle, the oldest first."""
        content = self._read()
        return content.versions if content.base == base else ()

    def chosen(self, base: str) -> Version | None:
        """The one in force in place of a bundle; None for the bundle itself."""
        content = self._read()
        if content.base != base:
            return None
        return next((one for one in content.versions if one.number == content.chosen and self.path(one).exists()), None)

    def path(self, version: Version) -> Path:
        """The file of a version."""
        return self.folder / f"{version.number:06d}.auscult"

    def take(self, sha256: str, learned_s: float, supported: float, base: str) -> Version:
        """The candidate is a version from now on, and in force; OSError when that cannot be written."""
        content = self._read()
        if content.base != base:
            content = _Content(base=base, made=content.made)
        version = Version(
            number=content.made + 1,
            sha256=sha256,
            learned_s=round(learned_s, 1),
            created_s=round(time.time(), 3),
            supported_false_alarms_per_week=supported,
        )
        self.candidate.replace(self.path(version))
        kept = (*content.versions, version)[-MOST_KEPT:]
        self._write(msgspec.structs.replace(content, chosen=version.number, made=version.number, versions=kept))
        for path in self.folder.glob("*.auscult"):
            if path != self.candidate and path not in {self.path(one) for one in kept}:
                path.unlink()
        return version

    def roll_back(self, base: str) -> Version | None:
        """Choose the one before the one in force; return it, None for the bundle that the configuration names.

        Raises
        ------
        StoreError
            None is in force.
        OSError
            That cannot be written.
        """
        content, now = self._read(), self.chosen(base)
        if now is None:
            raise StoreError(self.folder, "no learned bundle is in force; there is nothing to go back from")
        before = [one for one in content.versions if one.number < now.number and self.path(one).exists()]
        self._write(msgspec.structs.replace(content, chosen=before[-1].number if before else None))
        return before[-1] if before else None

    def _read(self) -> _Content:
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=_Content)
        except FileNotFoundError:
            return _Content()
        except (OSError, msgspec.MsgspecError) as error:
            LOG.error("%s: cannot be read (%s); the bundle of the configuration is in force", self._path, error)
            return _Content()

    def _write(self, content: _Content) -> None:
        make_folder(self.folder)
        with replacing(self._path) as file:
            file.write(msgspec.json.encode(content))
