"""Audio files as other programs leave them, byte for byte."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray


def piped_flac(path: Path, samples: NDArray[np.float32], rate_hz: int) -> Path:
    """Write FLAC as `flac -`, sox and ffmpeg do to a pipe: they cannot go back to enter its length and checksum in STREAMINFO."""
    soundfile.write(path, samples, rate_hz, format="FLAC")
    content = bytearray(path.read_bytes())
    assert content[:4] == b"fLaC"
    assert content[4] & 0x7F == 0  # STREAMINFO is the first block, its content begins at byte 8
    content[21] &= 0xF0  # the lowest 36 of these 40 bits are the number of samples; 0 is unknown
    content[22:26] = bytes(4)
    content[26:42] = bytes(16)  # MD5 of the samples; 0 is unknown
    path.write_bytes(content)
    return path


def damaged_mp3(path: Path, samples: NDArray[np.float32], rate_hz: int) -> Path:
    """Write MP3 that its decoder complains of, and reads to its end all the same: 300 bytes in the middle are no MP3."""
    soundfile.write(path, samples, rate_hz, format="MP3")
    content = path.read_bytes()
    middle = len(content) // 2
    path.write_bytes(content[:middle] + b"\x55" * 300 + content[middle:])
    return path


def m4a(path: Path) -> Path:
    """Write the beginning of what a telephone records."""
    path.write_bytes(b"\0\0\0\x20ftypM4A \0\0\0\0M4A mp42isom\0\0\0\0" + bytes(2000))
    return path
