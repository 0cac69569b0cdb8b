"""Eight sources on the eight channels of one device: PortAudio on ALSA on a real PulseAudio server, as in test_microphone.py."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import numpy as np
import pytest
from numpy.typing import NDArray
from sounddevice import CallbackFlags

from edge.errors import DeviceError
from edge.sources import shared_stream
from edge.sources.inputs import InputDevice
from edge.sources.microphone import Microphone
from tests.pulse import SINK_RATE_HZ, PulseServer

ARRAY = "array_microphone"
CHANNELS = 8
TONES_HZ = tuple(500 + 250 * channel for channel in range(CHANNELS))
RATE_HZ = 16000
TIMEOUT_S = 10.0


def tones(seconds: float) -> NDArray[np.float32]:
    at_s = np.arange(round(seconds * SINK_RATE_HZ)) / SINK_RATE_HZ
    return np.stack([0.1 * np.sin(2 * np.pi * tone_hz * at_s) for tone_hz in TONES_HZ], axis=1).astype(np.float32)  # (samples, channels)


def microphone(channel: int, rate_hz: int = RATE_HZ) -> Microphone:
    return Microphone(f"pump{channel}", ARRAY, rate_hz=rate_hz, channels=CHANNELS, channel=channel)


@pytest.fixture
def array(pulse: PulseServer) -> Iterator[list[Microphone]]:
    pulse.plug(ARRAY, channels=CHANNELS)
    microphones = [microphone(channel) for channel in range(CHANNELS)]
    yield microphones
    for one in microphones:
        one.close()
    assert not shared_stream._streams


def hear(one: Microphone, seconds: float, *, loud: bool = False, lost: bool = False) -> NDArray[np.float32]:
    """The next `seconds`, or those from the first loud block on."""
    parts: list[NDArray[np.float32]] = []
    deadline_s = time.monotonic() + TIMEOUT_S
    while sum(map(len, parts)) < seconds * one.rate_hz:
        assert time.monotonic() < deadline_s, "nothing was heard"
        block = one.read()
        if block is not None and (parts or not loud or np.abs(block.samples).max() > 0.01):
            assert lost or block.lost_samples == 0
            parts.append(block.samples)
    return np.concatenate(parts)


def frequency_hz(samples: NDArray[np.float32]) -> float:
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    return float(spectrum.argmax() * RATE_HZ / len(samples))


def test_shared_stream_each_of_eight_sources_hears_its_channel_of_a_device_that_is_open_once(
    pulse: PulseServer, array: list[Microphone]
) -> None:
    for one in array:
        one.open()
    assert pulse.streams(ARRAY) == 1
    pulse.play(tones(3.0), sink=ARRAY)
    for one, tone_hz in zip(array, TONES_HZ, strict=True):
        assert frequency_hz(hear(one, 0.7, loud=True)[-RATE_HZ // 2 :]) == pytest.approx(tone_hz, abs=4)


def test_shared_stream_that_is_joined_and_left_goes_on_for_the_others_without_a_gap(pulse: PulseServer, array: list[Microphone]) -> None:
    steady = array[0]
    steady.open()
    pulse.play(tones(4.0), sink=ARRAY)
    parts = [hear(steady, 0.3, loud=True)]
    for one in array[1:]:
        one.open()
        parts.append(hear(steady, 0.05))
    for one in array[1:]:
        one.close()
        parts.append(hear(steady, 0.05))
    assert pulse.streams(ARRAY) == 1
    parts.append(hear(steady, 0.3))
    heard = np.concatenate(parts)[RATE_HZ // 10 :]  # the resampler's start is left out
    # One tone without a break is what is left of a tone when the two samples around each are taken off it.
    rest = heard[2:] + heard[:-2] - 2 * np.cos(2 * np.pi * TONES_HZ[0] / RATE_HZ) * heard[1:-1]
    assert np.abs(rest).max() < 1e-3
    assert (steady.xruns, steady.stalled_s < 1.0) == (0, True)


def test_shared_stream_opened_by_all_at_once_is_one(pulse: PulseServer, array: list[Microphone]) -> None:
    threads = [threading.Thread(target=one.open) for one in array]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(TIMEOUT_S)
    for one in array:
        assert len(hear(one, 0.1))
    assert pulse.streams(ARRAY) == 1


def test_shared_stream_of_a_device_that_is_not_there_fails_for_all(pulse: PulseServer) -> None:
    gone = [Microphone(f"pump{channel}", "geophone", channel=channel) for channel in range(3)]
    for one in gone:
        with pytest.raises(DeviceError, match='"geophone": no such input device'):
            one.open()
    assert not shared_stream._streams


def test_shared_stream_loss_of_the_driver_is_counted_once_for_each_source_and_that_of_a_late_one_for_it_alone(
    pulse: PulseServer, array: list[Microphone]
) -> None:
    for one in array:
        one.open()
        hear(one, 0.05)
    (stream,) = shared_stream._streams.values()
    for one in array:
        one._heard_at_s -= 0.5  # the driver has called none of them for so long
    stream._hear(stream._run, np.zeros((160, CHANNELS), np.float32), 160, None, CallbackFlags(0x2))  # paInputOverflow
    late, *others = array
    late._ring.write(np.zeros(12 * RATE_HZ, np.float32))  # two seconds more than it keeps
    for one in array:
        assert one.xruns == 1
        block = one.read()
        assert block is not None
        assert block.lost_samples / RATE_HZ == pytest.approx(2.7 if one is late else 0.5, abs=0.3)
    late.skip(10 * RATE_HZ)
    for one in others:
        hear(one, 0.1)  # which asserts that nothing is lost


def test_shared_stream_pulled_out_stalls_for_all_and_comes_back_for_all(pulse: PulseServer, array: list[Microphone]) -> None:
    for one in array:
        one.open()
        hear(one, 0.05)
    pulse.unplug(ARRAY)
    pulled_s = time.monotonic()
    while not all(one.stalled_s > 0.5 for one in array):
        assert time.monotonic() - pulled_s < TIMEOUT_S
        for one in array:
            one.read()
    for one in array:
        one.close()
    with pytest.raises(DeviceError, match="no such input device"):
        array[0].open()
    pulse.plug(ARRAY, channels=CHANNELS)
    away_s = []
    for one in array:
        one.open()
        away_s.append(time.monotonic() - pulled_s)
    for one, expected_s in zip(array, away_s, strict=True):
        deadline_s = time.monotonic() + TIMEOUT_S
        while (block := one.read()) is None:
            assert time.monotonic() < deadline_s
        assert block.lost_samples / RATE_HZ == pytest.approx(expected_s, abs=0.7)
    assert pulse.streams(ARRAY) == 1


@pytest.mark.parametrize("limit", ["FLOWING_S", "SOUNDING_S"])
def test_shared_stream_that_is_dead_or_silent_is_opened_anew_for_all_who_hear_it(
    pulse: PulseServer, array: list[Microphone], monkeypatch: pytest.MonkeyPatch, limit: str
) -> None:
    first, second, *_ = array
    first.open()
    pulse.play(tones(4.0), sink=ARRAY)
    hear(first, 0.1, loud=True)
    (stream,) = shared_stream._streams.values()
    opened = stream._stream
    monkeypatch.setattr(shared_stream, limit, 0.0)
    second.open()
    assert list(shared_stream._streams.values()) == [stream]
    assert stream._stream is not opened
    stream._hear(stream._run - 1, np.ones((160, CHANNELS), np.float32), 160, None, CallbackFlags())  # the old one, awake again
    assert np.abs(hear(second, 0.1, loud=True, lost=True)).max() < 0.2
    lost = 0
    deadline_s = time.monotonic() + TIMEOUT_S
    while not lost and time.monotonic() < deadline_s:
        lost += block.lost_samples if (block := first.read()) is not None else 0
    assert 0 < lost < 2 * RATE_HZ
    assert first.xruns == 1
    hear(first, 0.3)
    assert pulse.streams(ARRAY) == 1


def test_shared_stream_that_is_dead_and_cannot_be_opened_is_searched_anew(
    pulse: PulseServer, array: list[Microphone], monkeypatch: pytest.MonkeyPatch
) -> None:
    array[0].open()
    monkeypatch.setattr(shared_stream, "FLOWING_S", 0.0)
    pulse.unplug(ARRAY)
    with pytest.raises(DeviceError, match="no such input device"):
        array[1].open()
    assert not shared_stream._streams
    array[0].close()


def test_shared_stream_of_another_rate_is_one_of_its_own_and_says_so_where_the_device_allows_one_only(
    pulse: PulseServer, array: list[Microphone], monkeypatch: pytest.MonkeyPatch
) -> None:
    array[0].open()
    other = microphone(1, rate_hz=48000)
    other.open()
    assert pulse.streams(ARRAY) == 2  # a sound server allows that
    other.close()
    assert len(hear(array[0], 0.1))

    def refuse(device: InputDevice, *_: object) -> None:  # as the hardware does
        raise DeviceError(device, "in use by another program, or gone")

    monkeypatch.setattr(shared_stream, "open_stream", refuse)
    with pytest.raises(DeviceError, match="open for another source at 16000 Hz with 8 channels; they need the same rate_hz and channels"):
        other.open()
