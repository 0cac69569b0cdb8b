"""Hostile bundles: broken by accident, and made on purpose by somebody who knows how digests and seals are computed."""

from __future__ import annotations

import io
import struct
import zipfile
from collections.abc import Callable
from typing import Any

import numpy as np

from edge.bundles.bundle import MANIFEST
from edge.bundles.npz import decode_npz, encode_npz
from tests.fuzz.mutations import Rng, mutated, mutated_json, pick
from tests.fuzz.network_cases import network
from tests.fuzz.seeds import Members, bundles, packed, resealed

NAMES = (
    "../evil.npz", "/etc/passwd", "..\\evil.npz", "a/b.npz", "C:evil.npz", ".hidden", "", "x" * 200, "manifest.json", "MANIFEST.JSON",
    "level.npz", "a\0b.npz", "\u202enpz.exe", "con", "level.npz.npz", ".npz",
)  # fmt: skip
HEADERS = (
    "{'descr': '<f4', 'fortran_order': False, 'shape': (1" + "0" * 18 + ",), }",
    "{'descr': '<f4', 'fortran_order': False, 'shape': (0, 1" + "0" * 30 + "), }",
    "{'descr': '<f4', 'fortran_order': False, 'shape': (0, 9223372036854775807, 9223372036854775807), }",
    "{'descr': '<f4', 'fortran_order': False, 'shape': (-1, -4), }",
    "{'descr': '<f4', 'fortran_order': False, 'shape': (True, 4), }",
    "{'descr': '<f4', 'fortran_order': 1, 'shape': (4,), }",
    "{'descr': '|O', 'fortran_order': False, 'shape': (1,), }",
    "{'descr': '<U999999999', 'fortran_order': False, 'shape': (0,), }",
    "{'descr': [('a', '<f4', (99999, 99999))], 'fortran_order': False, 'shape': (0,), }",
    "{'descr': '<M8[s]', 'fortran_order': False, 'shape': (1,), }",
    "{'descr': '<f4', 'fortran_order': False, 'shape': " + "(" * 3000 + ")" * 3000 + ", }",
    "{'descr': '<f4', 'fortran_order': False, 'shape': (" + "1," * 40 + "), }",
    "[" * 5000,
    "-" * 6000 + "1",
    "{'descr': '<f4', 'fortran_order': False, 'shape': (4,), }",
    " ",
)
SHAPES: tuple[tuple[int, ...], ...] = ((), (0,), (1,), (2,), (16,), (17,), (1, 1), (4, 32), (4, 0), (0, 4), (1, 16, 3), (2, 1, 1, 1))
TYPES = ("<f2", "<f4", "<f8", "<i8", "<u1", "?", "<U3")


def bundle_case(rng: Rng) -> tuple[str, bytes]:
    """What was done, and the file."""
    members = dict(pick(rng, bundles()))
    kind: Callable[[Rng, Members], bytes] = pick(rng, KINDS)
    return kind.__name__, kind(rng, members)


def damaged(rng: Rng, members: Members) -> bytes:
    """Random bytes are wrong, and the seal may fit all the same."""
    content = mutated(rng, packed(list(members.items())))
    return resealed(content) if rng.random() < 0.5 else content


def truncated(rng: Rng, members: Members) -> bytes:
    """Only a beginning."""
    content = packed(list(members.items()))
    return content[: int(rng.integers(len(content)))]


def renamed(rng: Rng, members: Members) -> bytes:
    """A member has a name that is a path, too long, taken already, or no name."""
    listed = list(members.items())
    index = int(rng.integers(len(listed)))
    listed[index] = (pick(rng, NAMES), listed[index][1])
    return packed(listed)


def repeated(rng: Rng, members: Members) -> bytes:
    """Members stand twice, hundreds of times, or in another order."""
    listed = list(members.items())
    action = rng.random()
    if action < 0.3:
        listed.append(pick(rng, listed))
    elif action < 0.6:
        listed += [(f"a{number}.npz", b"") for number in range(400)]
    else:
        listed = [listed[index] for index in rng.permutation(len(listed))]
    return packed(listed)


def bomb(rng: Rng, members: Members) -> bytes:
    """Compressed, a thousand times larger than the file."""
    compression = pick(rng, (zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA))
    return packed(
        [*members.items(), ("bomb.npz", bytes(1 << 20))] if rng.random() < 0.5 else list(members.items()), compression=compression
    )


def claimed(rng: Rng, members: Members) -> bytes:
    """The directory claims other sizes, methods, flags, places or counts than there are."""
    content = bytearray(packed(list(members.items())))
    if rng.random() < 0.2:
        end = content.rindex(b"PK\5\6")
        place, form = pick(rng, ((8, "<H"), (10, "<H"), (12, "<I"), (16, "<I"), (20, "<H")))
        struct.pack_into(form, content, end + place, int(rng.integers(256 ** struct.calcsize(form))))
        return resealed(bytes(content))
    header = content.index(b"PK\1\2") if rng.random() < 0.3 else content.rindex(b"PK\1\2")
    place, form = pick(rng, ((8, "<H"), (10, "<H"), (16, "<I"), (20, "<I"), (24, "<I"), (28, "<H"), (30, "<H"), (32, "<H"), (42, "<I")))
    numbers = (0, 1, 8, 14, 0xFFFF, 0xFFFFFFFF, 0x7FFFFFFF, int(rng.integers(1 << 32)))
    value = pick(rng, numbers) % 256 ** struct.calcsize(form)
    struct.pack_into(form, content, header + place, value)
    if rng.random() < 0.4 and place in (20, 24):
        struct.pack_into("<II", content, header + 20, value, value)
    return resealed(bytes(content))


def manifest(rng: Rng, members: Members) -> bytes:
    """The manifest says something else, with right digests."""
    members[MANIFEST] = mutated_json(rng, members[MANIFEST])
    return packed(list(members.items()), relist=rng.random() < 0.8)


def large_manifest(rng: Rng, members: Members) -> bytes:
    """A manifest of megabytes, which takes many times as much memory once it is parsed."""
    filling = pick(rng, (b"[],", b'{"a":1},', b"1e5,", b'"",'))
    inside = b"[" + filling * (9_000_000 // len(filling)) + b"0]"
    members[MANIFEST] = members[MANIFEST].replace(b'"tail"', b'"more": ' + inside + b', "tail"')
    return packed(list(members.items()), relist=False)


def card(rng: Rng, members: Members) -> bytes:
    """The card of an embedded backbone says something else."""
    if "backbone.json" not in members:
        return manifest(rng, members)
    members["backbone.json"] = mutated_json(rng, members["backbone.json"])
    return packed(list(members.items()))


def array(rng: Rng, members: Members) -> bytes:
    """An array of another shape or type, of values that are no numbers, or none at all."""
    name = pick(rng, [name for name in members if name.endswith(".npz")])
    arrays: dict[str, Any] = dict(decode_npz(members[name]))
    key = pick(rng, arrays)
    action = rng.random()
    if action < 0.6:
        shape, kind = pick(rng, SHAPES), pick(rng, TYPES)
        value = pick(rng, (0.0, 1.0, -1.0, 1e30, np.nan, np.inf, 3.0))
        with np.errstate(all="ignore"):
            arrays[key] = np.full(shape, "x" if kind == "<U3" else value, np.float64 if kind != "<U3" else kind)
            if kind != "<U3" and np.isfinite(value):
                arrays[key] = arrays[key].astype(kind)
    elif action < 0.8:
        changed = np.array(arrays[key], np.float64)
        if changed.size:
            changed.flat[int(rng.integers(changed.size))] = pick(rng, (np.nan, np.inf, -1.0, 0.0, 1e300, -1e300))
        arrays[key] = changed
    elif action < 0.9:
        del arrays[key]
    else:
        arrays[pick(rng, ("bank_1", "bank_99", "cnn14", "x"))] = arrays[key]
    members[name] = encode_npz(arrays)
    return packed(list(members.items()))


def npy_header(rng: Rng, members: Members) -> bytes:
    """An array claims shapes and types that its bytes do not have."""
    name = pick(rng, [name for name in members if name.endswith(".npz")])
    text = str(pick(rng, HEADERS)).encode()
    version = pick(rng, (b"\1\0", b"\2\0", b"\3\0", b"\xff\0"))
    length = struct.pack("<H" if version == b"\1\0" else "<I", pick(rng, (len(text), len(text), 0, 60_000)))
    file = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(members[name])) as old, zipfile.ZipFile(file, "w") as new:
        changed = pick(rng, old.namelist())
        for member in old.namelist():
            content = old.read(member)
            if member == changed:
                content = (
                    b"\x93NUMPY" + version + length + text + bytes(int(rng.integers(64))) if rng.random() < 0.8 else mutated(rng, content)
                )
            new.writestr(zipfile.ZipInfo(member), content)
    members[name] = file.getvalue()
    return packed(list(members.items()))


def npz_bytes(rng: Rng, members: Members) -> bytes:
    """An inner archive is damaged, and its digest fits."""
    name = pick(rng, [name for name in members if name.endswith(".npz")])
    members[name] = mutated(rng, members[name])
    return packed(list(members.items()))


KINDS: tuple[Callable[[Rng, Members], bytes], ...] = (
    damaged, truncated, renamed, repeated, bomb, claimed, manifest, manifest, manifest, card, array, array, array, npy_header, npz_bytes,
    network, network,
)  # fmt: skip
