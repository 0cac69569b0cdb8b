"""What every source of sound can do."""

from __future__ import annotations

from typing import Protocol

from edge.audio.block import Block

READ_WAIT_S = 0.1  # the longest that a read waits for sound


class Source(Protocol):
    """Mono sound in blocks, from a microphone, files, a pipe or the network. Opened once, and again after `close`."""

    @property
    def name(self) -> str:
        """The source's name in config.yaml."""

    @property
    def device(self) -> str:
        """What it listens to, for people."""

    @property
    def rate_hz(self) -> int:
        """Native sample rate; known once it is open."""

    @property
    def live(self) -> bool:
        """Whether the sound comes as it happens; else as fast as it is read."""

    @property
    def finished(self) -> bool:
        """Whether the end of the stream was reached. A microphone has none."""

    @property
    def xruns(self) -> int:
        """How often the device dropped sound because it was not read in time."""

    @property
    def stalled_s(self) -> float:
        """How long an open live source has given no sound. After some seconds it is dead: close it and open it again."""

    @property
    def ready(self) -> bool:
        """Whether `read` would come back at once, with sound or with the end of the stream."""

    @property
    def waiting_s(self) -> float:
        """Seconds of sound that came and were not read yet, from a source that does not wait for its reader; else 0."""

    def skip(self, samples: int) -> int:
        """Throw away the oldest that waits, so many samples at most; return how many they were."""

    def open(self) -> None:
        """Start listening. Raises DeviceError or AudioError."""

    def read(self) -> Block | None:
        """The next block; None when there is nothing right now or no more. Waits `READ_WAIT_S` at most."""

    def close(self) -> None:
        """Stop listening; harmless when it is closed already."""
