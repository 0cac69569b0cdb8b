"""Raw PCM on standard input as a source: `arecord -t raw ... | auscult run`."""

from __future__ import annotations

import os
import select
import time

import numpy as np

from edge import clock
from edge.audio.block import Block
from edge.audio.channels import Channel, channel_problem, to_mono
from edge.audio.pcm import SAMPLE_BYTES, SampleFormat, decode_pcm
from edge.errors import AudioError
from edge.sources.source import READ_WAIT_S

BLOCK_S = 0.5


class StdinSource:
    """A byte stream of interleaved samples. A reader that is late makes the writer wait, so nothing is lost here."""

    live = True
    xruns = 0
    waiting_s = 0.0  # the writer waits instead

    def __init__(
        self,
        name: str,
        *,
        rate_hz: int,
        channels: int = 1,
        sample_format: SampleFormat = "s16le",
        channel: Channel = 0,
        descriptor: int = 0,
    ) -> None:
        """`descriptor` is the file descriptor to read, 0 for standard input."""
        self.name = name
        self.device = f"stdin ({sample_format}, {rate_hz} Hz, {channels} channel{'s' * (channels > 1)})"
        self.rate_hz = rate_hz
        self.finished = False
        self._channels = channels
        self._format = sample_format
        self._channel = channel
        self._descriptor = descriptor
        self._frame_bytes = SAMPLE_BYTES[sample_format] * channels
        self._partial = b""  # the start of a frame whose end has not come yet
        self._heard_anything = False
        self._heard_at_s: float | None = None

    @property
    def stalled_s(self) -> float:
        """Seconds since the last sample."""
        return 0.0 if self._heard_at_s is None or self.finished else time.monotonic() - self._heard_at_s

    def open(self) -> None:
        """Check that something is piped in.

        Raises
        ------
        AudioError : standard input is a terminal or closed, or the channel does not exist
        """
        if problem := channel_problem(self._channel, self._channels):
            raise AudioError(self.name, problem)
        try:
            terminal = os.isatty(self._descriptor)
            os.fstat(self._descriptor)
        except OSError as error:
            raise AudioError("stdin", "closed; pipe raw PCM into it, as in `arecord -t raw ... | auscult run`") from error
        if terminal:
            raise AudioError("stdin", "a terminal; pipe raw PCM into it, as in `arecord -t raw ... | auscult run`")
        self._heard_at_s = time.monotonic()

    @property
    def ready(self) -> bool:
        """Whether `read` would come back at once."""
        return not self.finished and bool(select.select([self._descriptor], [], [], 0.0)[0])

    def skip(self, samples: int) -> int:
        """Nothing waits here."""
        return 0

    def read(self) -> Block | None:
        """Whatever has come, up to `BLOCK_S`; part of a frame waits for the rest.

        Raises
        ------
        AudioError : it fails or ends without one whole frame, or float samples are not numbers
        """
        if self.finished or not select.select([self._descriptor], [], [], READ_WAIT_S)[0]:
            return None
        wanted = max(1, round(self.rate_hz * BLOCK_S)) * self._frame_bytes
        try:
            data = os.read(self._descriptor, wanted)
        except OSError as error:
            self.finished = True
            raise AudioError("stdin", f"cannot be read: {error.strerror}; restart with the program before the pipe") from error
        if not data:
            self.finished = True
            if not self._heard_anything:
                raise AudioError("stdin", f"ended before any sound came; is the program before the pipe writing {self._format}?")
            return None
        self._heard_at_s = time.monotonic()
        # Less than there was room for: the pipe is empty, so the writer is the slower one, and this has just been heard.
        heard_at_s = clock.now_s() if len(data) < wanted else None
        data = self._partial + data
        whole = len(data) - len(data) % self._frame_bytes
        self._partial = data[whole:]
        if not whole:
            return None
        self._heard_anything = True
        samples = decode_pcm(data[:whole], self._format, self._channels)  # (samples, channels)
        if not np.isfinite(samples).all():
            raise AudioError("stdin", f"holds samples that are not numbers; is it really {self._format}?")
        return Block(to_mono(samples, self._channel), heard_at_s=heard_at_s)

    def close(self) -> None:
        """Standard input stays open: it belongs to the process."""
        self._heard_at_s = None
