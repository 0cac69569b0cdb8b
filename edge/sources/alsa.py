"""An ALSA device opened by its own name, even if PortAudio does not list it.

PortAudio lists devices only when it starts, and starting it again would kill the streams that are open. So a microphone that is plugged in
while another one listens is in no list of this process, or stands there with the number of a card that is gone. PortAudio's ALSA host takes
a device's name instead of its place in the list (pa_linux_alsa.h, PaAlsaStreamInfo); python-sounddevice does not offer that.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np

_HARDWARE = re.compile(r"\((hw:\d+,\d+)\)\Z")
_BY_NAME = -2  # paUseHostApiSpecificDeviceSpecification
_ALSA = 8  # paALSA of PaHostApiTypeId
_INPUT_OVERFLOW = 2  # paInputOverflow


def alsa_name(name: str) -> str:
    """What ALSA calls the device that PortAudio lists as `name`: hw:1,0 for "USB Audio: - (hw:1,0)", else the name itself."""
    hardware = _HARDWARE.search(name)
    return hardware[1] if hardware else name


class AlsaStream:
    """A float32 input stream, with as much of `sounddevice.InputStream` as is used here."""

    def __init__(self, sounddevice: Any, name: str, rate_hz: int, channels: int, latency_s: float, callback: Callable[..., None]) -> None:
        """`name` is ALSA's. Raises sounddevice.PortAudioError when it cannot be opened like that."""
        self._sounddevice = sounddevice
        self._channels = channels
        self._hear = callback
        ffi, lib = sounddevice._ffi, sounddevice._lib
        self._name = ffi.new("char[]", name.encode())
        address = int(ffi.cast("uintptr_t", self._name))
        # struct PaAlsaStreamInfo: unsigned long size, enum hostApiType, unsigned long version, const char *deviceString.
        # The enum and its padding are one long on every 64-bit little-endian machine, and there are no others among ours.
        self._info = ffi.new("unsigned long[4]", [32, _ALSA, 1, address])
        self._parameters = ffi.new("PaStreamParameters *", (_BY_NAME, channels, lib.paFloat32, latency_s, ffi.cast("void *", self._info)))
        self._callback = ffi.callback("PaStreamCallback", self._called, error=lib.paAbort)
        self._check(lib.Pa_IsFormatSupported(self._parameters, ffi.NULL, float(rate_hz)))
        pointer = ffi.new("PaStream **")
        self._check(lib.Pa_OpenStream(pointer, self._parameters, ffi.NULL, float(rate_hz), 0, lib.paNoFlag, self._callback, ffi.NULL))
        self._stream = pointer[0]

    def _called(self, samples: Any, _output: Any, frames: int, time_info: Any, status: int, _user: Any) -> int:
        data = self._sounddevice._ffi.buffer(samples, frames * self._channels * 4)
        heard = np.frombuffer(data, np.float32).reshape(frames, self._channels)
        self._hear(heard, frames, time_info, SimpleNamespace(input_overflow=bool(status & _INPUT_OVERFLOW)))
        return int(self._sounddevice._lib.paContinue)

    def _check(self, code: int) -> None:
        self._sounddevice._check(code)

    def start(self) -> None:
        """Begin to call back. Raises sounddevice.PortAudioError."""
        self._check(self._sounddevice._lib.Pa_StartStream(self._stream))

    def abort(self, ignore_errors: bool = True) -> None:
        """Stop at once."""
        self._sounddevice._lib.Pa_AbortStream(self._stream)

    def close(self, ignore_errors: bool = True) -> None:
        """Give the device back."""
        self._sounddevice._lib.Pa_CloseStream(self._stream)
