"""A checksum as the last member of a JSON object: without it, a digit that a bad card has changed would go unnoticed."""

from __future__ import annotations

import re
import zlib

_SEAL = re.compile(rb',"crc32":"([0-9a-f]{8})"\}\s*\Z')


def sealed(content: bytes, name: str) -> bytes:
    """Return a JSON object that has members, with its seal. `name` is that of its file: under another one the seal does not fit."""
    return b'%b,"crc32":"%08x"}' % (content[:-1], _checksum(content, name))


def unsealed(data: bytes, name: str) -> bytes:
    """Return an object as it was sealed, or as it is when it has no seal, for an earlier version wrote none.

    Raises
    ------
    ValueError
        The seal does not fit.
    """
    seal = _SEAL.search(data)
    if seal is None:
        return data
    content = data[: seal.start()] + b"}"
    if _checksum(content, name) != int(seal[1], 16):
        raise ValueError("its checksum does not match")
    return content


def _checksum(content: bytes, name: str) -> int:
    return zlib.crc32(content, zlib.crc32(name.encode()))
