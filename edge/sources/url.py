"""A stream from the network as a source: RTSP, HTTP and whatever else ffmpeg reads."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from edge.audio.block import Block
from edge.audio.channels import Channel, channel_problem, to_mono
from edge.audio.pcm import SAMPLE_BYTES, decode_pcm
from edge.audio.ring import Ring
from edge.errors import DeviceError, UserError
from edge.sources.ffmpeg import SAMPLE_FORMAT, FfmpegChild
from edge.sources.live_source import LiveSource
from edge.sources.stream_address import Login, StreamAddress

OPEN_WAIT_S = 20.0  # for the first sound: a camera takes some seconds, and ffmpeg looks at five of an unknown stream


class UrlSource(LiveSource):
    """One channel of a stream, or the mean of several. Its end is no end: the server is asked again."""

    def __init__(
        self,
        name: str,
        address: str,
        *,
        read_login: Callable[[], Login | None] = lambda: None,
        ca_file: Path | None = None,
        rate_hz: int,
        channels: int = 1,
        channel: Channel = 0,
    ) -> None:
        """ffmpeg resamples to `rate_hz` and mixes to `channels`; `read_login` is asked for each connection, and may raise UserError."""
        self._address = StreamAddress(address, ca_file=ca_file)
        super().__init__(name, self._address.public)
        self.rate_hz = rate_hz
        self._read_login = read_login
        self._channels = channels
        self._channel = channel
        self._child: FfmpegChild | None = None
        self._partial = b""  # the start of a frame whose end has not come yet

    def open(self) -> None:
        """Connect, and wait for the first sound. After a `close`, what was said in between counts as lost.

        Raises
        ------
        DeviceError : no ffmpeg, no login, no such stream, or one without sound
        """
        self.close()
        if problem := channel_problem(self._channel, self._channels):
            raise DeviceError(self.device, problem)
        try:
            login = self._read_login()
        except UserError as error:
            raise DeviceError(error.subject, error.problem) from error
        address = StreamAddress(self._address.address, login, self._address.ca_file)
        ring = self._prepare(self.rate_hz)
        self._partial = b""
        child = FfmpegChild(address, self.rate_hz, self._channels, partial(self._take, ring))
        if not child.wait(OPEN_WAIT_S):
            child.stop()
            raise DeviceError(self.device, f"gives no sound within {OPEN_WAIT_S:.0f} s")
        if child.problem is not None and not ring.available:
            raise DeviceError(self.device, child.problem)
        self._child = child
        self._begin(time.monotonic() - ring.available / self.rate_hz)

    def _take(self, ring: Ring, data: bytes, is_newest: bool) -> None:
        """The child's thread: whole frames of raw PCM become samples."""
        data = self._partial + data
        whole = len(data) - len(data) % (SAMPLE_BYTES[SAMPLE_FORMAT] * self._channels)
        self._partial = data[whole:]
        if whole:
            self._hear(ring, to_mono(decode_pcm(data[:whole], SAMPLE_FORMAT, self._channels), self._channel), is_newest=is_newest)

    @property
    def ready(self) -> bool:
        """Whether `read` would come back at once."""
        return super().ready or (self._child is not None and self._child.problem is not None)

    def read(self) -> Block | None:
        """What has come. Raises DeviceError when the stream has ended and all of it was read."""
        block = super().read()
        if block is None and self._child is not None and self._child.problem is not None:
            raise DeviceError(self.device, self._child.problem)
        return block

    def _release(self) -> None:
        if self._child is not None:
            self._child.stop()
        self._child = None
