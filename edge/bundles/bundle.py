"""A bundle: one file with everything that a source needs to score.

    pump1.auscult        a zip, stored, written in one go
    ├── manifest.json    what it is, and the sha256 of every other member
    ├── <name>.npz       arrays
    ├── <name>.onnx      a network of the detector's own, when it has one
    └── comment          a signature of manifest.json, if there is one, and the seal:
                         sha256 of every byte before it, so that a flipped bit in a zip header is noticed too

The digests find accidents and careless edits. They are no signature: whoever can write the file can also make new ones, but not the
signature (`edge/bundles/signature.py`), without which nothing but the directory of the zip is looked at where one is required.
"""

from __future__ import annotations

import hashlib
import io
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from edge.atomic_file import SHARED, replacing
from edge.bundles.manifest import KIND, SCHEMA, Manifest, decode_manifest, encode_manifest
from edge.bundles.npz import Arrays, decode_npz, encode_npz
from edge.bundles.signature import SIGNATURE_BYTES, SigningKey, Trust
from edge.bundles.stored_zip import MAXIMUM_MEMBER_BYTES, read_members, write_members
from edge.errors import BundleError, unreadable

MANIFEST = "manifest.json"
MAXIMUM_BYTES = 2 * MAXIMUM_MEMBER_BYTES

_SEAL = b"auscult-sha256:"
_SEAL_PATTERN = re.compile(rb"auscult-sha256:[0-9a-f]{64}")
_SEAL_BYTES = len(_SEAL) + 64
_SIGNATURE = b"auscult-ed25519:"
_SIGNATURE_PATTERN = re.compile(rb"auscult-ed25519:([0-9a-f]{128}) ")
_SIGNATURE_BYTES = len(_SIGNATURE) + 2 * SIGNATURE_BYTES + 1
_CHUNK_BYTES = 1 << 20

AGAIN = "copy the file again or calibrate again"


@dataclass(frozen=True, slots=True)
class Bundle:
    """A verified bundle in memory."""

    path: Path
    sha256: str  # of the whole file, hexadecimal
    manifest: Manifest
    arrays: dict[str, Arrays]  # member without ".npz" -> array name -> read-only array
    blobs: dict[str, bytes]  # member with its suffix -> content

    @classmethod
    def read(cls, path: Path | str, trust: Trust | None = None) -> Bundle:
        """Read and verify a bundle; nothing of an unverified one is returned.

        `trust` says which signatures are taken; without it, every bundle is.

        Raises
        ------
        BundleError
            Missing, unreadable, not a bundle, damaged, tampered with, or of a newer schema, or not signed as `trust` wants it.
        """
        path = Path(path)
        try:
            if not path.is_file():
                problem = (
                    "is a folder; name the bundle file in it" if path.is_dir() else "no such bundle; make one with `auscult calibrate`"
                )
                raise BundleError(path, problem)
            with path.open("rb") as file:
                return _read(path, file, trust or Trust())
        except ValueError as error:
            raise BundleError(path, str(error)) from error
        except OSError as error:
            raise BundleError(path, unreadable(error)) from error


def write_bundle(
    path: Path | str,
    manifest: Mapping[str, object],
    arrays: Mapping[str, Mapping[str, NDArray[np.generic]]],
    blobs: Mapping[str, bytes] | None = None,
    key: SigningKey | None = None,
) -> None:
    """Write a bundle: a temporary file in the same folder, synced, then renamed over `path`. Equal content gives equal bytes.

    Parameters
    ----------
    manifest
        The fields of `Manifest` without `members`; `schema` and `kind` may be left out.
    arrays
        Member name, without suffix -> array name -> array.
    blobs
        Member name, with suffix -> content.
    key
        Whose signature it shall bear.

    Raises
    ------
    BundleError
        The file cannot be written; an older one in its place is untouched.
    ValueError
        The content is not that of a bundle, which is a mistake of the caller's.
    """
    path = Path(path)
    members = {f"{name}.npz": encode_npz(dict(sorted(content.items()))) for name, content in arrays.items()}
    for name in arrays:
        if name.endswith(".npz"):
            raise ValueError(f"{name}: array members are named without .npz")
    for name, blob in (blobs or {}).items():
        if name in members or name == MANIFEST or name.endswith(".npz"):
            raise ValueError(f"{name}: not a name for a blob")
        members[name] = bytes(blob)
    members = dict(sorted(members.items()))
    digests = {name: hashlib.sha256(content).hexdigest() for name, content in members.items()}
    head = encode_manifest({"schema": SCHEMA, "kind": KIND, **manifest, "members": digests})
    if max(len(head), *(len(content) for content in members.values()), 0) > MAXIMUM_MEMBER_BYTES:
        raise ValueError(f"a member is larger than {MAXIMUM_MEMBER_BYTES // 1024**2} MB")
    try:
        with replacing(path, SHARED) as file:
            _write(file, {MANIFEST: head, **members}, key)
    except OSError as error:
        raise BundleError(path, f"cannot be written: {error.strerror or error}") from error


def signed(content: bytes, key: SigningKey) -> bytes:
    """The bytes of a bundle as `write_bundle` would have written them with `key`."""
    file = io.BytesIO()
    _write(file, dict(read_members(io.BytesIO(content), len(content))), key)
    return file.getvalue()


def _write(file: BinaryIO, members: Mapping[str, bytes], key: SigningKey | None) -> None:
    """The archive, its signature and its seal."""
    signature = _SIGNATURE + key.sign(members[MANIFEST]).hex().encode() + b" " if key is not None else b""
    write_members(file, members, comment=signature + _SEAL + b"0" * 64)
    _seal(file)


def _seal(file: BinaryIO) -> None:
    """Put the digest of everything before it at the end of the archive's comment."""
    size = file.seek(0, os.SEEK_END)
    digest = _digest(file, size - 64).hexdigest()
    file.seek(size - 64)
    file.write(digest.encode())


def _digest(file: BinaryIO, size: int) -> hashlib._Hash:
    """The running sha256 of the first `size` bytes."""
    file.seek(0)
    digest = hashlib.sha256()
    while size > 0:
        chunk = file.read(min(size, _CHUNK_BYTES))
        if not chunk:
            break
        digest.update(chunk)
        size -= len(chunk)
    return digest


def _read(path: Path, file: BinaryIO, trust: Trust) -> Bundle:
    """Read one member after the other, so that only one is in memory twice."""
    size = file.seek(0, os.SEEK_END)
    if size > MAXIMUM_BYTES:
        raise ValueError(f"larger than {MAXIMUM_BYTES // 1024**2} MB; this is not an Auscult bundle")
    signature = _signature(file, size)
    if signature is None:
        trust.check(b"", None)
    file.seek(0)
    members = _members(file, size)
    name, content = next(members, ("", b""))
    if name != MANIFEST:
        raise ValueError("not an Auscult bundle (no manifest.json at its start); name the file that `auscult calibrate` wrote")
    trust.check(content, signature)
    manifest = decode_manifest(content)
    arrays: dict[str, Arrays] = {}
    blobs: dict[str, bytes] = {}
    missing = set(manifest.members)
    for name, content in members:
        if name not in missing:
            raise ValueError(f"holds {name}, which its manifest does not list: it was changed after calibration; {AGAIN}")
        if hashlib.sha256(content).hexdigest() != manifest.members[name]:
            raise ValueError(f"{name} in it is damaged or was changed after calibration (sha256 differs); {AGAIN}")
        missing.remove(name)
        if name.endswith(".npz"):
            arrays[name.removesuffix(".npz")] = _decode(name, content)
        else:
            blobs[name] = content
    if missing:
        raise ValueError(f"lacks {min(missing)}, which its manifest lists; {AGAIN}")
    return Bundle(path=path, sha256=_check_seal(file, size), manifest=manifest, arrays=arrays, blobs=blobs)


def _members(file: BinaryIO, size: int) -> Iterator[tuple[str, bytes]]:
    try:
        yield from read_members(file, size)
    except ValueError as error:
        raise ValueError(f"{error}; {AGAIN}") from error


def _decode(name: str, content: bytes) -> Arrays:
    try:
        return decode_npz(content)
    except ValueError as error:
        raise ValueError(f"{name} in it {error}; {AGAIN}") from error


def _signature(file: BinaryIO, size: int) -> bytes | None:
    """The signature, which stands before the seal; None without one."""
    file.seek(max(0, size - _SEAL_BYTES - _SIGNATURE_BYTES))
    found = _SIGNATURE_PATTERN.fullmatch(file.read(_SIGNATURE_BYTES))
    return bytes.fromhex(found[1].decode()) if found else None


def _check_seal(file: BinaryIO, size: int) -> str:
    """Check the archive's last bytes against all before them; the sha256 of the whole file."""
    digest = _digest(file, max(0, size - 64))
    expected = digest.hexdigest()
    file.seek(max(0, size - _SEAL_BYTES))
    seal = file.read(_SEAL_BYTES)
    if not _SEAL_PATTERN.fullmatch(seal) or seal[-64:] != expected.encode():
        raise ValueError(f"damaged or changed after calibration (its seal differs); {AGAIN}")
    digest.update(seal[-64:])
    return digest.hexdigest()
