"""Audio files and folders as a source."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge import clock
from edge.audio.audio_file import AudioInfo, audio_info, find_audio_files, read_blocks
from edge.audio.block import Block
from edge.audio.channels import Channel, channel_problem
from edge.errors import AudioError
from edge.sources.source import READ_WAIT_S

REALTIME_BLOCK_S = 0.1
BLOCK_S = 1.0


class FileSource:
    """One stream of files, one after the other, as fast as they can be read or in real time.

    As fast as they are read nothing is lost: the files wait for the reader. In real time they are like a microphone: sound that is due
    waits, and what was due between a `close` and the `open` after it counts as lost.
    """

    xruns = 0
    stalled_s = 0.0

    def __init__(self, name: str, paths: Sequence[str | Path], *, realtime: bool = False, loop: bool = False, channel: Channel = 0) -> None:
        """`paths` are files and folders; `loop` starts again after the last."""
        self.name = name
        self.device = ", ".join(map(str, paths))
        self.live = realtime
        self.rate_hz = 0
        self.finished = False
        self._paths = paths
        self._loop = loop
        self._channel = channel
        self._blocks: Iterator[NDArray[np.float32]] = iter(())
        self._ready: NDArray[np.float32] | None = None  # (samples,) waits for its time
        self._started_s: float | None = None
        self._given_samples = 0  # read, skipped or lost
        self._lost_samples = 0  # not told yet
        self._length = 0  # samples of all files together

    def open(self) -> None:
        """Check every header. A stream that was closed before its end continues where it was; after its end it starts again.

        Raises
        ------
        AudioError : a missing or unreadable file, files of different rates, or a file without the channel
        """
        infos = [audio_info(path) for path in find_audio_files(self._paths)]
        if not infos:
            raise AudioError(self.name, "no audio files are named; list some under files.paths")
        for info in infos:
            if info.rate_hz != infos[0].rate_hz:
                raise AudioError(
                    info.path,
                    f"{info.rate_hz} Hz, but {infos[0].path} has {infos[0].rate_hz} Hz; one stream needs one rate",
                )
            if problem := channel_problem(self._channel, info.channels):
                raise AudioError(info.path, problem)
        self.rate_hz = infos[0].rate_hz
        self._length = sum(info.samples for info in infos)
        self._blocks = self._read_files(infos)
        self._ready = None
        if self.finished or (self._given_samples >= self._length and not self._loop):
            self.finished = False
            self._started_s = None
            self._given_samples = 0
        self._pass_over(self._given_samples % self._length)
        self._lost_samples += self.skip(round(self.waiting_s * self.rate_hz))

    def _read_files(self, infos: Sequence[AudioInfo]) -> Iterator[NDArray[np.float32]]:
        block_samples = round(self.rate_hz * (REALTIME_BLOCK_S if self.live else BLOCK_S))
        while True:
            for info in infos:
                yield from read_blocks(info.path, self._channel, block_samples)
            if not self._loop:
                return

    @property
    def ready(self) -> bool:
        """Whether `read` would come back at once."""
        return not self.live or self._due_in_s() <= 0.0

    def read(self) -> Block | None:
        """The next block; in real time, once its last sample would have been recorded.

        Raises
        ------
        AudioError : a file is damaged, or gone
        """
        samples = self._next()
        if samples is None:
            self.finished = True
            return None
        if self.live and (wait_s := self._due_in_s()) > 0.0:
            time.sleep(min(wait_s, READ_WAIT_S))
            if wait_s > READ_WAIT_S:
                return None
        self._ready = None
        self._given_samples += len(samples)
        if not self.live or self._started_s is None:
            return Block(samples)
        lost, self._lost_samples = self._lost_samples, 0
        return Block(samples, lost, self._started_s + self._given_samples / self.rate_hz + clock.suspended_s())

    @property
    def waiting_s(self) -> float:
        """Seconds of sound that are due and were not read yet; 0 as fast as they are read."""
        if not self.live or self._started_s is None:
            return 0.0
        due = (time.monotonic() - self._started_s) * self.rate_hz
        return max(0.0, (due if self._loop else min(due, self._length)) - self._given_samples) / self.rate_hz

    def skip(self, samples: int) -> int:
        """Throw away the oldest that waits, so many samples at most; return how many they were. Raises as `read` does."""
        skipped = self._pass_over(samples) if self.live else 0
        self._given_samples += skipped
        return skipped

    def _pass_over(self, samples: int) -> int:
        passed = 0
        while passed < samples and (block := self._next()) is not None:
            part = block[: samples - passed]
            self._ready = block[len(part) :] if len(part) < len(block) else None
            passed += len(part)
        return passed

    def _next(self) -> NDArray[np.float32] | None:
        if self._ready is None:
            self._ready = next(self._blocks, None)
        return self._ready

    def _due_in_s(self) -> float:
        """Seconds until the next block has been heard; none at the end, and then nothing is waited for."""
        if self._started_s is None:
            self._started_s = time.monotonic()
        samples = self._next()
        heard = self._given_samples + (0 if samples is None else len(samples))
        return self._started_s + heard / self.rate_hz - time.monotonic()

    def close(self) -> None:
        """Close the file that is open."""
        self._blocks = iter(())  # drops the generator, which closes its file
        self._ready = None
