"""A microphone as a source, through PortAudio: one channel of a device, or the mean of all."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.audio.channels import Channel, channel_problem, to_mono
from edge.audio.ring import Ring
from edge.errors import DeviceError
from edge.sources.inputs import choose_input
from edge.sources.live_source import LiveSource
from edge.sources.portaudio import list_inputs
from edge.sources.shared_stream import join, known_device

MOST_CHANNELS = 8  # sound servers pretend to have 32 or 128


class Microphone(LiveSource):
    """One input device, chosen by its name, which other sources may hear at the same time."""

    def __init__(
        self,
        name: str,
        device: str,
        *,
        host_api: str | None = None,
        rate_hz: int | None = None,
        channels: int | None = None,
        channel: Channel = 0,
    ) -> None:
        """`device` and `host_api` are parts of names (see `choose_input`); rate and channels are the device's own unless given."""
        super().__init__(name, device)
        self.rate_hz = rate_hz or 0
        self._words = (device, host_api)
        self._wanted_rate_hz = rate_hz
        self._wanted_channels = channels
        self._channel = channel
        self._leave: Callable[[], None] = lambda: None

    def open(self) -> None:
        """Find the device and start it. After a `close`, the sound in between counts as lost.

        Raises
        ------
        DeviceError : no PortAudio, no such device, several that fit, or one that cannot record as asked
        """
        self.close()
        device = known_device(self._words) or choose_input(list_inputs(), *self._words)
        channels = self._wanted_channels or self._default_channels(device.channels)
        if problem := channel_problem(self._channel, min(channels, device.channels)):
            raise DeviceError(device, problem)
        if channels > device.channels:  # PortAudio would say so too, and print its own opinion
            raise DeviceError(device, f"does not record {channels} channels; it has {device.channels}")
        rate_hz = self._wanted_rate_hz or device.default_rate_hz
        ring = self._prepare(rate_hz)
        opened_at_s = time.monotonic()
        self._leave = join(device, self._words, rate_hz, channels, partial(self._called, ring))
        self._begin(opened_at_s)
        self.device = str(device)

    def _default_channels(self, available: int) -> int:
        if available <= MOST_CHANNELS:
            return available
        return 2 if self._channel == "mix" else max(2, self._channel + 1)

    def _called(self, ring: Ring, samples: NDArray[np.float32], _frames: int, _time_info: object, status: Any) -> None:
        """PortAudio's thread: copy and count. `samples` is (frames, channels)."""
        self._hear(ring, to_mono(samples, self._channel), is_broken=status.input_overflow)

    def _release(self) -> None:
        self._leave()
