"""Audio files: find, describe and read them in bounded blocks. Every command uses this code."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from edge.audio.channels import Channel, channel_problem, to_mono
from edge.audio.gaps import LOUDEST
from edge.errors import AudioError, unreadable
from edge.stderr import c_stderr

SUFFIXES = (".wav", ".flac", ".ogg", ".mp3", ".aif", ".aiff", ".caf", ".oga", ".opus", ".rf64", ".w64")
_FOREIGN = (
    ".3gp",
    ".aac",
    ".amr",
    ".m4a",
    ".wma",
)  # sound that cannot be read here: found all the same, so that it is not missed in silence
_ENDLESS = 1 << 62  # libsndfile's length of a file whose header does not say, as an encoder that wrote to a pipe leaves it
_COUNTING_SAMPLES = 1 << 18


@dataclass(frozen=True, slots=True)
class AudioInfo:
    """What an audio file holds."""

    path: Path
    rate_hz: int
    channels: int
    samples: int  # per channel
    encoding: str  # such as "WAV PCM_16"

    @property
    def seconds(self) -> float:
        """How long it plays."""
        return self.samples / self.rate_hz


def find_audio_files(paths: Iterable[str | Path]) -> list[Path]:
    """Files as they are given; folders become the audio files in them and below, sorted by path.

    Raises
    ------
    AudioError : a path that does not exist, or a folder without a sound in it
    """
    found: list[Path] = []
    for path in map(Path, paths):
        if _is_dir(path):
            if not os.access(path, os.R_OK | os.X_OK):  # looks empty to rglob
                raise AudioError(path, unreadable(PermissionError(errno.EACCES, os.strerror(errno.EACCES))))
            inside = sorted(file for file in path.rglob("*") if _is_audio(file.relative_to(path)) and file.is_file())
            if not inside:
                raise AudioError(path, "no audio file (WAV, FLAC, OGG, MP3) in this folder")
            found += inside
        elif path.exists():
            found.append(path)
        else:
            raise AudioError(path, "no such file or folder")
    return found


def _is_dir(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError as error:  # a folder above it that may not be searched
        raise AudioError(path, unreadable(error)) from error


def _is_audio(relative: Path) -> bool:
    # Hidden: what macOS leaves beside each file ("._fan.wav"), and recordings that are still being written.
    return relative.suffix.lower() in SUFFIXES + _FOREIGN and not any(part.startswith(".") for part in relative.parts)


def audio_info(path: str | Path) -> AudioInfo:
    """Read the header.

    Raises
    ------
    AudioError : missing, not audio, or without a single sample
    """
    path = Path(path)
    with _open(path) as file:
        samples = file.frames if file.frames < _ENDLESS else _count(file, path)
        if not samples:
            raise AudioError(path, "holds no sound")
        return AudioInfo(path, file.samplerate, file.channels, samples, f"{file.format} {file.subtype}")


def read_blocks(path: str | Path, channel: Channel = 0, block_samples: int = 32768) -> Iterator[NDArray[np.float32]]:
    """Read a file of any length in bounded memory.

    Yields
    ------
    (samples,) float32 mono at the file's own rate, full scale -1 to 1; all blocks but the last have `block_samples`

    Raises
    ------
    AudioError : missing, not audio, empty, damaged, without that channel, or with samples that are not numbers
    """
    for samples in read_frames(path, channel, block_samples):
        yield to_mono(samples, channel)


def read_frames(path: str | Path, wanted: Channel = "mix", block_samples: int = 32768) -> Iterator[NDArray[np.float32]]:
    """Read all channels of a file that has the `wanted` one, as `read_blocks` reads that one: (samples, channels) float32."""
    path = Path(path)
    with _open(path) as file:
        if problem := channel_problem(wanted, file.channels):
            raise AudioError(path, problem)
        read = 0
        while len(samples := _read(file, path, block_samples)):
            read += len(samples)
            yield samples
        if not read:
            raise AudioError(path, "holds no sound")
        if read < file.frames < _ENDLESS:
            raise AudioError(path, f"damaged: ends after {read / file.samplerate:.2f} of {file.frames / file.samplerate:.2f} s")


class _Forward(soundfile.SoundFile):  # type: ignore[misc]  # has no types
    """A file that is read from its beginning to its end. soundfile would otherwise seek to where it is after every block.

    That fails at the end of a FLAC file whose header does not say how long it is, and makes an MP3 decoder start anew.
    """

    def seekable(self) -> bool:
        return False


def _open(path: Path) -> soundfile.SoundFile:
    if _is_dir(path):
        raise AudioError(path, "is a folder, not an audio file")
    if path.is_fifo():  # opening it would wait for a writer, and headers cannot be read twice
        raise AudioError(path, "is a pipe, not an audio file; give raw PCM to a stdin source")
    try:
        with path.open("rb"):  # the operating system says why it cannot be opened; libsndfile says "System error"
            pass
        with c_stderr().silenced():  # libmpg123 prints what it thinks of a file
            return _Forward(os.fsencode(path))  # a name need not be UTF-8
    except OSError as error:
        raise AudioError(path, unreadable(error)) from error
    except TypeError as error:  # soundfile takes *.raw for headerless and asks for its format
        raise AudioError(path, "has no header; give raw PCM to a stdin source") from error
    except soundfile.LibsndfileError as error:
        raise AudioError(path, _unreadable(path, _reason(error))) from error


def _read(file: soundfile.SoundFile, path: Path, samples: int) -> NDArray[np.float32]:
    try:
        with c_stderr().silenced():
            block: NDArray[np.float32] = file.read(samples, dtype="float32", always_2d=True)  # (samples, channels)
    except soundfile.LibsndfileError as error:
        raise AudioError(path, f"damaged ({_reason(error)}); copy or record it again") from error
    if not (np.abs(block) < LOUDEST).all():  # one of them would silence a streaming network for ever
        raise AudioError(path, "holds samples that are not sound (NaN, infinite or far beyond full scale); record or convert it again")
    return block


def _unreadable(path: Path, reason: str) -> str:
    if (suffix := path.suffix.lower()) in _FOREIGN:
        return f"{suffix[1:].upper()} files cannot be read; convert it to WAV or FLAC first, for example with ffmpeg"
    return f"not a WAV, FLAC or OGG file ({reason})"


def _reason(error: soundfile.LibsndfileError) -> str:
    return str(error.error_string).removeprefix("Error : ").rstrip(".")


def _count(file: soundfile.SoundFile, path: Path) -> int:
    samples = 0
    while block := len(_read(file, path, _COUNTING_SAMPLES)):
        samples += block
    return samples
