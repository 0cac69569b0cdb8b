"""All access to PortAudio: loaded when it is needed, listed anew, closed without hanging."""

from __future__ import annotations

import atexit
import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from edge.errors import DeviceError
from edge.sources.alsa import AlsaStream, alsa_name
from edge.sources.fresh_inputs import fresh_inputs
from edge.sources.inputs import NOT_LISTED, InputDevice

CLOSE_TIMEOUT_S = 2.0
_ALSA = "ALSA"  # the host API's name

_logger = logging.getLogger(__name__)
_portaudio = threading.RLock()  # PortAudio is not thread-safe; whoever calls a driver that hangs keeps this for as long
_counting = threading.Lock()  # for what follows; never kept for long
_open_streams = 0
_calls = 0  # that have not come back
_abandoned = False  # a stream that hung while it was closed
_watched = False  # our exit handler is in place


def load() -> Any:
    """The sounddevice module, which loads PortAudio.

    Raises
    ------
    DeviceError : the PortAudio library is not installed
    """
    try:
        import sounddevice
    except OSError as error:
        raise DeviceError(
            "PortAudio", f"{error}; install it with `sudo apt install libportaudio2` (files and stdin work without it)"
        ) from error
    global _watched
    with _counting:
        if not _watched:
            atexit.register(_skip_terminate)
        _watched = True
    return sounddevice


@contextmanager
def _calling() -> Iterator[None]:
    """One thread at a time, and known to be on its way."""
    global _calls
    with _portaudio:
        with _counting:
            _calls += 1
        try:
            yield
        finally:
            with _counting:
                _calls -= 1


def list_inputs() -> list[InputDevice]:
    """Every input device.

    PortAudio looks for devices only when it starts, so it is started again to see what was plugged in since. While a stream is open
    anywhere in the process, which that would kill, another process looks instead.

    Raises
    ------
    DeviceError : PortAudio is missing or cannot start
    """
    sounddevice = load()
    if not (_open_streams or _abandoned):
        with _calling():
            if not (_open_streams or _abandoned):  # nobody has opened one while we waited
                return _listed_afresh(sounddevice)
    return [replace(device, index=NOT_LISTED) for device in fresh_inputs()]


def _listed_afresh(sounddevice: Any) -> list[InputDevice]:
    try:
        sounddevice._terminate()
        sounddevice._initialize()
        apis = sounddevice.query_hostapis()
        default = _default_index(sounddevice)
        return [
            InputDevice(
                index=device["index"],
                name=device["name"],
                host_api=apis[device["hostapi"]]["name"],
                channels=device["max_input_channels"],
                default_rate_hz=round(device["default_samplerate"]),
                is_default=device["index"] == default,
            )
            for device in sounddevice.query_devices()
            if device["max_input_channels"] > 0
        ]
    except sounddevice.PortAudioError as error:
        raise DeviceError("PortAudio", f"cannot list devices: {error}") from error


def _default_index(sounddevice: Any) -> int:
    try:
        return int(sounddevice.query_devices(kind="input")["index"])
    except sounddevice.PortAudioError:  # there is none
        return -1


def open_stream(device: InputDevice, rate_hz: int, channels: int, latency_s: float, callback: Callable[..., None]) -> Any:
    """Open and start a float32 input stream; `callback(samples, frames, time_info, status)` runs in PortAudio's thread.

    Raises
    ------
    DeviceError : the device does not record like that, is in use, or is gone
    """
    global _open_streams
    sounddevice = load()
    with _calling():
        try:
            stream = _opened(sounddevice, device, rate_hz, channels, latency_s, callback)
        except sounddevice.PortAudioError as error:
            raise DeviceError(device, _problem(error, device, rate_hz, channels)) from error
        with _counting:
            _open_streams += 1
        try:
            stream.start()
        except sounddevice.PortAudioError as error:
            close_stream(stream)
            raise DeviceError(device, _problem(error, device, rate_hz, channels)) from error
    return stream


def _opened(sounddevice: Any, device: InputDevice, rate_hz: int, channels: int, latency_s: float, callback: Callable[..., None]) -> Any:
    index = device.index
    listed = [(known["name"], known["hostapi"]) for known in sounddevice.query_devices()]
    apis = [api["name"] for api in sounddevice.query_hostapis()]
    # Another source may have listed the devices again since this one was chosen, and then numbers mean something else.
    if not 0 <= index < len(listed) or (device.name, device.host_api) != (listed[index][0], apis[listed[index][1]]):
        if device.host_api == _ALSA:
            return AlsaStream(sounddevice, alsa_name(device.name), rate_hz, channels, latency_s, callback)
        if device.host_api not in apis or (device.name, apis.index(device.host_api)) not in listed:
            raise DeviceError(device, "was plugged in after the start, and is found only while no other microphone is in use; restart")
        index = listed.index((device.name, apis.index(device.host_api)))
    sounddevice.check_input_settings(index, channels, "float32", samplerate=rate_hz)
    return sounddevice.InputStream(rate_hz, 0, index, channels, "float32", latency_s, callback=callback)


def close_stream(stream: Any) -> None:
    """Abort and close. A driver or sound server that hangs is left behind after `CLOSE_TIMEOUT_S`, with a warning."""
    global _open_streams, _abandoned

    def close() -> None:
        stream.abort(ignore_errors=True)
        with _portaudio:
            stream.close(ignore_errors=True)

    closer = threading.Thread(target=close, name="close-microphone", daemon=True)
    closer.start()
    closer.join(CLOSE_TIMEOUT_S)
    with _counting:
        _open_streams -= 1
        _abandoned = _abandoned or closer.is_alive()
    if closer.is_alive():
        _logger.warning("the sound device does not answer while it is closed; continuing without it")


def _skip_terminate() -> None:
    """Terminating PortAudio waits for a stream that was left behind, or a call that hangs: the process would never end."""
    if _abandoned or _calls:
        load()._initialized = 0  # sounddevice's exit handler, which runs after this one, terminates so many times


def _problem(error: Exception, device: InputDevice, rate_hz: int, channels: int) -> str:
    code = error.args[1] if len(error.args) > 1 else 0
    if code == -9997:
        return f"does not record at {rate_hz} Hz; remove rate_hz to use its own {device.default_rate_hz} Hz"
    if code == -9998:
        return f"does not record {channels} channels; it has {device.channels}"
    if code == -9985:
        return "in use by another program, or gone; see `fuser -v /dev/snd/*`"
    return f"cannot be opened: {error.args[0] if error.args else error}"
