"""One stream of an input device for all sources that listen to it: eight microphones of an array are one device, and it opens once.

Sources share a stream when device, rate and number of channels are the same, so that none of them hears anything else than it would alone.
Each has a callback of its own that copies what it wants; how late it is, and when it leaves, is no business of the others.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from functools import partial
from types import SimpleNamespace
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from edge.errors import DeviceError
from edge.sources.inputs import InputDevice
from edge.sources.portaudio import close_stream, open_stream

Hear: TypeAlias = Callable[[NDArray[np.float32], int, object, Any], None]  # PortAudio's callback: (samples, frames, time_info, status)
Words: TypeAlias = tuple[str, str | None]  # `device` and `host_api`, as config.yaml has them

LATENCY_S = 0.1  # of the driver's buffer: nobody waits for this sound, and a longer buffer survives a busy board
OPEN_WAIT_S = 3.0  # for another source that is opening the device; whoever opens it waits for longer
FLOWING_S = 3.0  # a stream that has called back within this time is worth joining
SOUNDING_S = 50.0  # and so is one on which any channel has changed within this time; a source gives up on silence after a minute

_lock = threading.Lock()  # for all that follows and for the lists of listeners; never kept for long
_streams: dict[tuple[str, str, int, int], SharedStream] = {}  # by device name, host API, rate and channels


class SharedStream:
    """A stream and those who hear it. The first of them opens it, the last closes it."""

    def __init__(self, device: InputDevice, rate_hz: int, channels: int) -> None:
        self.device = device
        self.key = (device.name, device.host_api, rate_hz, channels)
        self.words: set[Words] = set()  # by which it was found
        self._listeners: tuple[Hear, ...] = ()  # replaced as a whole: the audio thread reads it without a lock
        self._opening = threading.Lock()  # kept as long as the driver takes
        self._stream: Any = None
        self._problem: DeviceError | None = None  # why it could not be opened
        self._called_at_s = self._changed_at_s = 0.0
        self._run = 0  # how often it was opened
        self._is_interrupted = False  # something before the next samples is gone

    @property
    def is_well(self) -> bool:
        """Whether it is worth joining: it is being opened, or sound comes."""
        if self._stream is None:
            return self._problem is None
        now_s = time.monotonic()
        return now_s - self._called_at_s < FLOWING_S and now_s - self._changed_at_s < SOUNDING_S

    def open(self) -> None:
        """Open the device, unless another source has. Raises DeviceError."""
        if not self._opening.acquire(timeout=OPEN_WAIT_S):
            raise DeviceError(self.device, "does not answer to another source that opens it")
        try:
            if self._problem is not None:
                raise self._problem
            if self._stream is None:
                self._open()
        finally:
            self._opening.release()

    def revive(self) -> bool:
        """Return whether it is well; one that is not is opened again for all who hear it, or closed when that fails."""
        if self.is_well:
            return True
        if not self._opening.acquire(timeout=OPEN_WAIT_S):
            return False
        try:
            if self.is_well or self._problem is not None:  # somebody else has tried meanwhile
                return self._problem is None
            with _lock:
                stream, self._stream = self._stream, None
            if stream is not None:
                close_stream(stream)
            self._is_interrupted = True
            self._open()
        except DeviceError:
            self.close()
        finally:
            self._opening.release()
        return self._stream is not None

    def _open(self) -> None:
        *_, rate_hz, channels = self.key
        self._called_at_s = self._changed_at_s = time.monotonic()
        self._run += 1
        try:
            stream = open_stream(self.device, rate_hz, channels, LATENCY_S, partial(self._hear, self._run))
        except DeviceError as error:
            self._problem = self._explained(error)
            raise self._problem from error
        with _lock:
            is_wanted = bool(self._listeners)
            if is_wanted:
                self._stream = stream
        if not is_wanted:  # all have left meanwhile
            close_stream(stream)

    def _explained(self, error: DeviceError) -> DeviceError:
        """Two streams of one device: a sound server allows that, the hardware does not."""
        with _lock:
            others = [key for key, other in _streams.items() if key[:2] == self.key[:2] and other is not self and other._stream is not None]
        if not others or "in use" not in error.problem:
            return error
        *_, rate_hz, channels = others[0]
        return DeviceError(
            self.device,
            f"open for another source at {rate_hz} Hz with {channels} channels; they need the same rate_hz and channels",
        )

    def _hear(self, run: int, samples: NDArray[np.float32], frames: int, time_info: object, status: Any) -> None:
        """PortAudio's thread. `samples` is (frames, channels)."""
        if run != self._run:
            return  # a stream that hung while it was closed, awake again
        if self._is_interrupted:
            self._is_interrupted, status = False, SimpleNamespace(input_overflow=True)
        self._called_at_s = time.monotonic()
        if (samples != samples[:1]).any():
            self._changed_at_s = self._called_at_s
        for hear in self._listeners:
            hear(samples, frames, time_info, status)

    def leave(self, hear: Hear) -> None:
        """Do not call `hear` again; harmless when it has left. Returns within seconds even when the device hangs."""
        self._keep(lambda listener: listener is not hear)

    def close(self) -> None:
        """Close the stream under whoever still listens: to them the device is dead. Harmless when it is closed."""
        self._keep(lambda listener: False)

    def _keep(self, stays: Callable[[Hear], bool]) -> None:
        with _lock:
            self._listeners = tuple(filter(stays, self._listeners))
            if self._listeners:
                return
            if _streams.get(self.key) is self:
                del _streams[self.key]
            stream, self._stream = self._stream, None
        if stream is not None:
            close_stream(stream)


def known_device(words: Words) -> InputDevice | None:
    """The device of a stream that was found by the same words and is well, or is so again once opened anew; it need not be searched."""
    with _lock:
        found = next((stream for stream in _streams.values() if words in stream.words), None)
    return found.device if found is not None and found.revive() else None


def join(device: InputDevice, words: Words, rate_hz: int, channels: int, hear: Hear) -> Callable[[], None]:
    """Let `hear` be called with what the device records, until what is returned is called.

    Raises
    ------
    DeviceError : the device does not record like that, is in use, or is gone
    """
    fresh = SharedStream(device, rate_hz, channels)
    with _lock:
        known = _streams.get(fresh.key)
    if known is not None:
        known.revive()
    with _lock:
        stream = _streams.setdefault(fresh.key, fresh)
        stream.words.add(words)
        stream._listeners += (hear,)
    try:
        stream.open()
    except DeviceError:
        stream.leave(hear)
        raise
    return partial(stream.leave, hear)
