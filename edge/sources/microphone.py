"""A microphone as a source, through PortAudio: one channel of a device, or the mean of all."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge import clock
from edge.audio.block import Block
from edge.audio.channels import Channel, channel_problem, to_mono
from edge.audio.ring import Ring
from edge.errors import DeviceError
from edge.sources.inputs import choose_input
from edge.sources.portaudio import list_inputs
from edge.sources.shared_stream import join, known_device
from edge.sources.source import READ_WAIT_S

RING_S = 10.0  # how late inference may be before sound is lost
SHORTEST_BLOCK_S = 0.05
LONGEST_BLOCK_S = 0.5
MOST_CHANNELS = 8  # sound servers pretend to have 32 or 128


class Microphone:
    """One input device, chosen by its name, which other sources may hear at the same time.

    The audio callback copies the channel into a ring and counts what the driver says it dropped; everything else happens in `read`.
    A device that dies never blocks `read` and never finishes: `stalled_s` grows until somebody closes and opens it again.
    """

    live = True
    finished = False

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
        self.name = name
        self.device = device
        self.rate_hz = rate_hz or 0
        self.xruns = 0
        self._words = (device, host_api)
        self._wanted_rate_hz = rate_hz
        self._wanted_channels = channels
        self._channel = channel
        self._leave: Callable[[], None] | None = None  # while it is open
        self._ring = Ring(1)
        self._dropped_samples = 0  # by the driver, ever
        self._missed_samples = 0  # overwritten in the ring while `skip` was late, ever
        self._told_samples = 0  # of both, handed on as lost
        self._called_at_s = 0.0  # when the callback last ran, or the device was opened
        self._silent_since_s: float | None = None  # when the device last gave sound before it was closed
        self._newest = (0, 0.0)  # how many samples of the ring had come, and when (`edge.clock.now_s`); replaced as one

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
        self.rate_hz = rate_hz
        self._ring = Ring(round(RING_S * rate_hz))
        self._called_at_s = opened_at_s = time.monotonic()
        self._newest = (0, clock.now_s())
        self._leave = join(device, self._words, rate_hz, channels, partial(self._hear, self._ring))
        if self._silent_since_s is not None:
            self._dropped_samples += round((opened_at_s - self._silent_since_s) * rate_hz)
        self.device = str(device)

    def _default_channels(self, available: int) -> int:
        if available <= MOST_CHANNELS:
            return available
        return 2 if self._channel == "mix" else max(2, self._channel + 1)

    def _hear(self, ring: Ring, samples: NDArray[np.float32], frames: int, _time_info: object, status: Any) -> None:
        """PortAudio's thread: copy and count. `samples` is (frames, channels)."""
        if ring is not self._ring:
            return  # a stream that hung while it was closed, awake again
        ring.write(to_mono(samples, self._channel))
        now = time.monotonic()
        if status.input_overflow:  # something before these samples is gone: as long as we were away
            self.xruns += 1
            self._dropped_samples += max(1, round((now - self._called_at_s) * self.rate_hz) - frames)
        self._called_at_s = now
        self._newest = (ring.end, clock.now_s())

    @property
    def ready(self) -> bool:
        """Whether `read` would come back at once."""
        return self._leave is not None and self._ring.available >= self.rate_hz * SHORTEST_BLOCK_S

    @property
    def waiting_s(self) -> float:
        """Seconds of sound that came and were not read yet."""
        return self._ring.available / self.rate_hz if self.rate_hz else 0.0

    def skip(self, samples: int) -> int:
        """Throw away the oldest that waits, so many samples at most; return how many they were."""
        reading = self._ring.read(samples)
        self._missed_samples += reading.lost
        return len(reading.samples)

    def read(self) -> Block | None:
        """What has come, between `SHORTEST_BLOCK_S` and `LONGEST_BLOCK_S` when sound flows; None when there is nothing."""
        deadline = time.monotonic() + READ_WAIT_S
        while not self.ready and time.monotonic() < deadline:
            time.sleep(SHORTEST_BLOCK_S / 2)
        come, come_at_s = self._newest
        reading = self._ring.read(round(LONGEST_BLOCK_S * self.rate_hz))
        lost = self._dropped_samples + self._missed_samples
        lost, self._told_samples = reading.lost + lost - self._told_samples, lost
        if not len(reading.samples) and not lost:
            return None
        last = reading.start + len(reading.samples)
        return Block(reading.samples, lost, come_at_s - (come - last) / self.rate_hz)

    @property
    def stalled_s(self) -> float:
        """Seconds since the device last gave sound; 0 while it is closed."""
        return 0.0 if self._leave is None else time.monotonic() - self._called_at_s

    def close(self) -> None:
        """Stop the device; what has not been read is dropped. Returns within seconds even when the device hangs."""
        if self._leave is None:
            return
        self._silent_since_s = self._called_at_s
        leave, self._leave = self._leave, None
        leave()
        self._dropped_samples += self._ring.available
        self._ring = Ring(1)
