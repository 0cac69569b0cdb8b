"""Plain zip archives, written with fixed headers and checked strictly when read: the container of bundles and of the `.npz` inside them."""

from __future__ import annotations

import re
import struct
import zipfile
from collections.abc import Iterator, Mapping
from typing import BinaryIO

MAXIMUM_MEMBERS = 256
MAXIMUM_MEMBER_BYTES = 512 * 1024 * 1024

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}")  # no separators, no "..", nothing hidden
_FIRST_ZIP_DATE = (1980, 1, 1, 0, 0, 0)

_BROKEN = (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, OverflowError, KeyError, ValueError, struct.error, OSError)


def write_members(file: BinaryIO, members: Mapping[str, bytes], comment: bytes = b"") -> None:
    """Write an archive; the same members in the same order give the same bytes on any machine.

    Raises
    ------
    ValueError
        A name that `read_members` would refuse.
    """
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        for name, content in members.items():
            if not _NAME.fullmatch(name):
                raise ValueError(f"{name!r} cannot be the name of a member: letters, digits, _ - and . only")
            header = zipfile.ZipInfo(name, _FIRST_ZIP_DATE)
            header.create_system = 3  # Unix, wherever it is written
            header.external_attr = 0o100644 << 16
            archive.writestr(header, content)
        archive.comment = comment


def read_members(file: BinaryIO, size: int) -> Iterator[tuple[str, bytes]]:
    """Yield every member of an archive of `size` bytes, one at a time.

    Raises
    ------
    ValueError
        Not a zip, damaged, or holding what we never write: compression, encryption, folders, duplicate names, sizes beyond the bounds.
        The text completes `pump1.auscult: ...`.
    """
    try:
        archive = zipfile.ZipFile(file)
    except _BROKEN as error:
        raise ValueError("not a zip archive, or cut short") from error
    with archive:
        headers = archive.infolist()
        _check_headers(headers, size)
        for header in headers:
            try:
                content = archive.read(header)
            except _BROKEN as error:
                raise ValueError(f"{header.filename} in it is damaged") from error
            yield header.filename, content


def _check_headers(headers: list[zipfile.ZipInfo], size: int) -> None:
    """Refuse before anything is read."""
    if len(headers) > MAXIMUM_MEMBERS:
        raise ValueError(f"holds {len(headers)} files, more than any that Auscult writes")
    if len({header.filename for header in headers}) != len(headers):
        raise ValueError("holds two files of the same name")
    for header in headers:
        if not _NAME.fullmatch(header.filename):
            raise ValueError(f"holds a file with a forbidden name ({header.filename[:40]!r})")
        if header.compress_type != zipfile.ZIP_STORED or header.flag_bits & 0x1 or header.compress_size != header.file_size:
            raise ValueError(f"{header.filename} in it is compressed or encrypted, which Auscult never does")
        if header.file_size > MAXIMUM_MEMBER_BYTES:
            raise ValueError(f"{header.filename} in it is larger than {MAXIMUM_MEMBER_BYTES // 1024**2} MB")
    if sum(header.file_size for header in headers) > size:
        raise ValueError("its files are larger than itself: damaged")
