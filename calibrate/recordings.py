"""One recording, measured in bounded memory: length, level, bandwidth, mean spectrum, and problems."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge.audio.audio_file import audio_info, read_blocks
from edge.audio.channels import Channel
from edge.audio.level_meter import SILENT_DBFS, Level, LevelMeter
from edge.audio.loudest_channel import louder_channel
from edge.audio.resampler import Resampler
from edge.errors import AudioError
from edge.features.frontend import FLOOR_DB, FrontEnd, mel_edges_hz
from edge.features.logmel import LogMel

MIN_RECORDING_S = 0.5  # less does not tell the level of a recording
MAX_CLIPPED_FRACTION = 1e-3
MAX_DEAD_FRACTION = 0.1  # of a recording's seconds
# White noise of the last of 16 bits (-101 dBFS) shows as -90 dB in the log-mel spectrum, whatever the microphone heard.
CARRIED_DB = FLOOR_DB + 15.0
CARRIED_FRACTION = 0.02  # of the frames: less is a cut in the recording, whose click is wider than the microphone


class Problem(str, Enum):
    """What can be wrong with a recording."""

    UNREADABLE = "unreadable"
    TOO_SHORT = "too short"
    SILENT = "silent"
    DUPLICATE = "duplicate"
    CLIPPED = "clipped"
    DROPOUTS = "dropouts"
    NARROW = "narrow"
    OUTLIER = "outlier"


UNUSABLE = frozenset({Problem.UNREADABLE, Problem.TOO_SHORT, Problem.SILENT, Problem.DUPLICATE})


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong with a recording, in words that follow its name."""

    problem: Problem
    detail: str

    def __str__(self) -> str:
        return self.detail


@dataclass(frozen=True, slots=True)
class RecordingReport:
    """What was measured of a recording. An unreadable one has no seconds, no level and no spectrum."""

    path: Path
    seconds: float
    rate_hz: int
    dbfs: float | None  # RMS about the mean; None when the signal is dead
    clipped_fraction: float
    bandwidth_hz: float  # up to here there is sound: never above half the sample rate
    findings: tuple[Finding, ...]
    spectrum_db: NDArray[np.float32] = field(repr=False)  # (mel,) mean log-mel, read-only
    digest: str = ""  # of the decoded samples: the same for the same sound in another file

    @property
    def problems(self) -> tuple[str, ...]:
        """What is wrong, in words."""
        return tuple(map(str, self.findings))

    @property
    def usable(self) -> bool:
        """Whether a detector can learn from it at all."""
        return not any(finding.problem in UNUSABLE for finding in self.findings)

    def has(self, problem: Problem) -> bool:
        """Whether `problem` was found."""
        return any(finding.problem is problem for finding in self.findings)


def measure_recording(path: Path, front_end: FrontEnd, channel: Channel = 0) -> RecordingReport:
    """Read a recording once, block by block, and measure it. An unreadable one is a finding, not an exception."""
    try:
        return _Measurement(path, front_end, channel).report()
    except AudioError as error:
        unread = np.full(front_end.mel_bands, FLOOR_DB, np.float32)
        unread.setflags(write=False)
        return RecordingReport(path, 0.0, 0, None, 0.0, 0.0, (Finding(Problem.UNREADABLE, error.problem),), unread)


class _Measurement:
    """All that one pass over a recording adds up."""

    def __init__(self, path: Path, front_end: FrontEnd, channel: Channel) -> None:
        self._path = path
        self._channel = channel
        self._front_end = front_end
        self._rate_hz = audio_info(path).rate_hz
        self._samples = 0
        self._hash = hashlib.blake2b(str(self._rate_hz).encode(), digest_size=16)
        self._levels: list[tuple[Level, float]] = []  # with the seconds that each stands for
        self._decibels = np.zeros(front_end.mel_bands)  # (mel,) float64, summed over frames
        self._carrying = np.zeros(front_end.mel_bands)  # (mel,) frames in which the band carries sound
        self._frames = 0
        log_mel = LogMel(front_end)
        for samples in resampled(self._metered(read_blocks(path, channel)), self._rate_hz, front_end.sample_rate_hz):
            for block in log_mel.push(samples):
                self._add_frames(block)
        self._add_frames(log_mel.finish())

    def _metered(self, blocks: Iterator[NDArray[np.float32]]) -> Iterator[NDArray[np.float32]]:
        """Pass `blocks` on, measuring what needs the samples as they were recorded."""
        meter = LevelMeter(self._rate_hz)
        for samples in blocks:
            self._samples += len(samples)
            # As 16 bits: the same sound hashes the same whether it was stored as WAV, FLAC or float.
            self._hash.update(np.rint(samples * 32768.0).astype("<i4").tobytes())
            self._levels += [(level, 1.0) for level in meter.push(samples)]
            yield samples
        if rest := meter.finish():
            self._levels.append((rest, self._samples / self._rate_hz - len(self._levels)))

    def _add_frames(self, log_mel: NDArray[np.float32]) -> None:
        self._decibels += log_mel.sum(axis=0, dtype=np.float64)
        self._carrying += np.count_nonzero(log_mel > CARRIED_DB, axis=0)
        self._frames += len(log_mel)

    def report(self) -> RecordingReport:
        spectrum_db = (self._decibels / max(1, self._frames)).astype(np.float32)  # (mel,)
        spectrum_db.setflags(write=False)
        seconds = self._samples / self._rate_hz
        dbfs = self._dbfs()
        clipped = _mean([(level.clipped_fraction, weight) for level, weight in self._levels])
        dead = _mean([(float(level.dead), weight) for level, weight in self._levels])
        return RecordingReport(
            path=self._path,
            seconds=seconds,
            rate_hz=self._rate_hz,
            dbfs=dbfs,
            clipped_fraction=clipped,
            bandwidth_hz=self._bandwidth_hz(),
            findings=tuple(self._findings(seconds, dbfs, clipped, dead)),
            spectrum_db=spectrum_db,
            digest=self._hash.hexdigest(),
        )

    def _dbfs(self) -> float | None:
        power = _mean([(10.0 ** (level.dbfs / 10.0) if level.dbfs is not None else 0.0, weight) for level, weight in self._levels])
        return 10.0 * math.log10(power) if power else None

    def _bandwidth_hz(self) -> float:
        """Where the sound ends: no higher than half the sample rate, and no higher than what the front end hears."""
        # The signal is mirrored at its ends, which bends it sharply: the frames there, half a window at each end, prove nothing.
        mirrored = 2 * self._front_end.window_samples // (2 * self._front_end.hop_samples)
        carrying = np.flatnonzero(self._carrying > mirrored + CARRIED_FRACTION * self._frames)
        if not len(carrying):
            return 0.0
        edges_hz = mel_edges_hz(self._front_end)
        highest = int(carrying[-1])
        upper_hz = float(edges_hz[highest + 2])
        if upper_hz >= min(self._rate_hz / 2.0, edges_hz[-1]):
            return min(self._rate_hz / 2.0, upper_hz)
        return float(edges_hz[highest + 1])  # where the next band begins, which carries nothing: this one is filled only up to there

    def _findings(self, seconds: float, dbfs: float | None, clipped: float, dead: float) -> Iterator[Finding]:
        if seconds < MIN_RECORDING_S:
            yield Finding(Problem.TOO_SHORT, f"lasts {seconds:.2f} s; at least {MIN_RECORDING_S} s are needed")
        if dbfs is None or dbfs < SILENT_DBFS:
            found = "silent" if dbfs is None else f"silent ({dbfs:.0f} dBFS)"
            yield Finding(Problem.SILENT, found + louder_channel(self._path, self._channel))
        elif dead > MAX_DEAD_FRACTION:
            yield Finding(Problem.DROPOUTS, f"no signal in {dead:.2f} of its time")
        if clipped > MAX_CLIPPED_FRACTION:
            yield Finding(Problem.CLIPPED, f"clipped: {clipped:.2g} of its samples are at full scale")


def _mean(weighted: list[tuple[float, float]]) -> float:
    total = sum(weight for _, weight in weighted)
    return sum(value * weight for value, weight in weighted) / total if total else 0.0


def resampled(blocks: Iterator[NDArray[np.float32]], rate_hz: int, target_hz: int) -> Iterator[NDArray[np.float32]]:
    """Resample a stream of blocks, each (samples,) float32."""
    resampler = Resampler(rate_hz, target_hz)
    for samples in blocks:
        yield resampler.push(samples)
    yield resampler.finish()
