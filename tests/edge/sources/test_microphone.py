"""The microphone is PortAudio on ALSA on a real PulseAudio server: see tests/pulse.py."""

from __future__ import annotations

import math
import subprocess
import sys
import time
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from sounddevice import CallbackFlags

from edge import clock
from edge.audio.channels import Channel
from edge.audio.ring import Ring
from edge.errors import DeviceError
from edge.node.stream_clock import StreamClock
from edge.sources.inputs import choose_input
from edge.sources.live_source import RING_S
from edge.sources.microphone import Microphone
from edge.sources.portaudio import list_inputs
from tests.pulse import MICROPHONE, SINK_RATE_HZ, SPARE_MICROPHONE, PulseServer

TONE_HZ = 1000
AMPLITUDE = 0.25
RIGHT_AMPLITUDE = AMPLITUDE / 4
TIMEOUT_S = 10.0


def stereo_tone(seconds: float) -> NDArray[np.float32]:
    tone = np.sin(2 * np.pi * TONE_HZ * np.arange(round(seconds * SINK_RATE_HZ)) / SINK_RATE_HZ)
    return np.stack([AMPLITUDE * tone, RIGHT_AMPLITUDE * tone], axis=1).astype(np.float32)  # (samples, channels)


def hear(
    microphone: Microphone, seconds: float, heard: Callable[[NDArray[np.float32]], bool] = lambda samples: True, *, lost: bool = False
) -> NDArray[np.float32]:
    """The next `seconds` from the first block on that `heard` accepts; nothing of it may be `lost` unless that is said."""
    parts: list[NDArray[np.float32]] = []
    deadline = time.monotonic() + TIMEOUT_S
    while sum(map(len, parts)) < seconds * microphone.rate_hz:
        assert time.monotonic() < deadline, "the microphone heard nothing"
        block = microphone.read()
        if block is not None and (parts or heard(block.samples)):
            assert lost or block.lost_samples == 0
            parts.append(block.samples)
    return np.concatenate(parts)


def hear_tone(microphone: Microphone) -> NDArray[np.float32]:
    """Half a second of the tone, well inside it."""
    return hear(microphone, 0.7, lambda samples: bool(np.abs(samples).max() > 0.01))[-microphone.rate_hz // 2 :]


def amplitude(samples: NDArray[np.float32]) -> float:
    return float(np.sqrt(2 * np.mean(samples.astype(np.float64) ** 2)))


def frequency_hz(samples: NDArray[np.float32], rate_hz: int) -> float:
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    return float(spectrum.argmax() * rate_hz / len(samples))


@pytest.mark.parametrize(
    ("rate_hz", "channel", "expected"),
    [(None, "mix", (AMPLITUDE + RIGHT_AMPLITUDE) / 2), (48000, 0, AMPLITUDE), (16000, 1, RIGHT_AMPLITUDE)],
)
def test_microphone_hears_what_is_played(pulse: PulseServer, rate_hz: int | None, channel: Channel, expected: float) -> None:
    microphone = Microphone("pump1", "auscult", rate_hz=rate_hz, channel=channel)
    microphone.open()
    try:
        assert microphone.device == f"{MICROPHONE} (ALSA)"
        assert microphone.rate_hz == (rate_hz or 44100)
        assert microphone.live
        pulse.play(stereo_tone(3.0))
        samples = hear_tone(microphone)
        assert frequency_hz(samples, microphone.rate_hz) == pytest.approx(TONE_HZ, abs=2)
        assert amplitude(samples) == pytest.approx(expected, rel=0.01)
        assert microphone.stalled_s < 1
        assert not microphone.finished
    finally:
        microphone.close()
    assert microphone.stalled_s == 0


def test_microphone_samples_come_at_the_rate_of_the_clock(pulse: PulseServer) -> None:
    microphone = Microphone("pump1", MICROPHONE, rate_hz=16000)
    microphone.open()
    try:
        hear(microphone, 0.2)
        off_s = []
        for _ in range(3):  # a busy machine may be late for once
            started_s = time.monotonic()
            off_s.append(len(hear(microphone, 1.0)) / 16000 - (time.monotonic() - started_s))
        assert min(map(abs, off_s)) < 0.25, off_s
    finally:
        microphone.close()


def test_microphone_two_at_once_hear_their_own(pulse: PulseServer) -> None:
    loud = Microphone("pump1", MICROPHONE)
    silent = Microphone("pump2", SPARE_MICROPHONE)
    loud.open()
    silent.open()  # lists devices again, which must not kill the stream that is open
    try:
        pulse.play(stereo_tone(3.0))
        assert amplitude(hear_tone(loud)) > 0.1
        assert amplitude(hear(silent, 0.5)) == 0
    finally:
        loud.close()
        silent.close()


def test_microphone_unknown_or_ambiguous_name_is_one_line(pulse: PulseServer) -> None:
    with pytest.raises(DeviceError, match=rf'"geophone": no such input device; .*"{MICROPHONE}"'):
        Microphone("pump1", "geophone").open()
    with pytest.raises(DeviceError, match=rf'fits 2 input devices: "{MICROPHONE}" \(ALSA\), "{SPARE_MICROPHONE}"'):
        Microphone("pump1", "_microphone").open()


def test_microphone_channel_beyond_its_channels_is_refused(pulse: PulseServer) -> None:
    with pytest.raises(DeviceError, match="no channel 2"):
        Microphone("pump1", "auscult", channels=2, channel=2).open()
    with pytest.raises(DeviceError, match=f"does not record 200 channels; it has {choose_input(list_inputs(), 'auscult').channels}"):
        Microphone("pump1", "auscult", channels=200).open()


@pytest.mark.parametrize(
    ("channel", "channels", "problem"), [(99, None, "has 32 channels, so there is no channel 99"), (0, 200, "does not record 200 channels")]
)
def test_microphone_more_channels_than_there_are_is_one_line(
    pulse: PulseServer, capfd: pytest.CaptureFixture[str], channel: int, channels: int | None, problem: str
) -> None:
    with pytest.raises(DeviceError, match=problem):
        Microphone("pump1", "auscult", channel=channel, channels=channels).open()
    assert "Expression" not in capfd.readouterr().err  # what PortAudio prints


def test_microphone_late_reader_gets_the_newest_and_the_count_of_the_rest(pulse: PulseServer) -> None:
    microphone = Microphone("pump1", "auscult", rate_hz=16000)
    microphone.open()
    try:
        hear(microphone, 0.1)
        # As many callbacks as a reader misses that is away for longer than the ring is.
        microphone._ring.write(np.zeros(round((RING_S + 2) * 16000), np.float32))
        block = microphone.read()
        assert block is not None
        assert block.lost_samples >= 2 * 16000
        assert len(block.samples) == 8000
    finally:
        microphone.close()


def test_microphone_overflow_of_the_driver_is_counted_as_lost(pulse: PulseServer) -> None:
    import sounddevice

    microphone = Microphone("pump1", "auscult", rate_hz=16000)
    microphone.open()
    try:
        hear(microphone, 0.1)
        microphone._heard_at_s -= 0.5  # the callback was not called for so long
        microphone._called(microphone._ring, np.zeros((160, 2), np.float32), 160, None, sounddevice.CallbackFlags(0x2))  # paInputOverflow
        block = microphone.read()
        assert block is not None
        assert microphone.xruns == 1
        assert block.lost_samples / 16000 == pytest.approx(0.5, abs=0.2)
        hear(microphone, 0.1)  # which asserts that nothing more is lost
        microphone._called(Ring(1), np.zeros((160, 2), np.float32), 160, None, sounddevice.CallbackFlags(0x2))
        assert microphone.xruns == 1  # a stream that was left behind is not heard
    finally:
        microphone.close()


def test_microphone_pulled_out_stalls_and_comes_back_with_the_loss_counted(pulse: PulseServer) -> None:
    microphone = Microphone("pump1", "auscult", rate_hz=16000)
    microphone.open()
    hear(microphone, 0.2)
    pulse.stop()
    pulled_s = time.monotonic()
    while microphone.stalled_s < 0.5:
        assert time.monotonic() - pulled_s < TIMEOUT_S
        microphone.read()
    assert microphone.read() is None
    assert not microphone.finished
    microphone.close()
    with pytest.raises(DeviceError):  # gone: listed again, and not there
        microphone.open()
    pulse.start()
    microphone.open()
    try:
        deadline = time.monotonic() + TIMEOUT_S
        while (block := microphone.read()) is None:
            assert time.monotonic() < deadline
        assert block.lost_samples / 16000 == pytest.approx(time.monotonic() - pulled_s, abs=1.0)
        hear(microphone, 0.2)
        assert microphone.stalled_s < 0.5
    finally:
        microphone.close()


def test_microphone_plugged_in_while_another_listens_is_found_by_its_name_wherever_it_is(pulse: PulseServer) -> None:
    steady = Microphone("pump1", MICROPHONE, rate_hz=16000)
    late = Microphone("pump2", "usb_microphone", channel=0)
    steady.open()
    try:
        hear(steady, 0.1)
        for times in range(2):  # PortAudio itself has never listed it: it does so only when it starts
            with pytest.raises(DeviceError, match=rf'"usb_microphone": no such input device; available: "{MICROPHONE}"'):
                late.open()
            pulse.plug("usb_microphone")
            late.open()
            assert late.device == "usb_microphone (ALSA)"
            player = pulse.play(stereo_tone(1.5), sink="usb_microphone")
            samples = hear(late, 0.7, lambda samples: bool(np.abs(samples).max() > 0.01), lost=times > 0)[-late.rate_hz // 2 :]
            assert frequency_hz(samples, late.rate_hz) == pytest.approx(TONE_HZ, abs=2)
            assert amplitude(samples) == pytest.approx(AMPLITUDE, rel=0.01)
            player.wait(TIMEOUT_S)
            pulse.unplug("usb_microphone")
            late.close()
        hear(steady, 0.5)  # which asserts that it has lost nothing
        assert steady.xruns == 0
        pulse.plug("usb_microphone")
        with pytest.raises(DeviceError, match="does not record 200 channels"):
            Microphone("pump2", "usb_microphone", channels=200).open()
    finally:
        late.close()
        steady.close()


def test_microphone_block_tells_when_it_was_heard_and_what_waits_can_be_thrown_away(pulse: PulseServer) -> None:
    microphone = Microphone("pump1", "auscult", rate_hz=16000)
    microphone.open()
    try:
        hear(microphone, 0.1)
        microphone._called(microphone._ring, np.zeros((3 * 16000, 2), np.float32), 3 * 16000, None, CallbackFlags())
        now_s = clock.now_s()
        assert microphone.waiting_s >= 3.0
        assert microphone.ready
        block = microphone.read()
        assert block is not None
        assert block.heard_at_s is not None
        assert 2.0 < now_s - block.heard_at_s < 3.0  # what came last was heard now, and this is half a second into three
        assert microphone.skip(2 * 16000) == 2 * 16000
        assert microphone.waiting_s < 1.5
        block = microphone.read()
        assert block is not None
        assert block.lost_samples == 0  # whoever throws away counts it
    finally:
        microphone.close()
    assert not microphone.ready


@pytest.mark.slow  # a minute of real time
def test_microphone_rate_is_measured_against_our_clock(pulse: PulseServer) -> None:
    microphone = Microphone("pump1", "auscult", rate_hz=16000)
    stream_clock = StreamClock(live=True)
    microphone.open()
    try:
        heard = 0
        while stream_clock.drift is None:
            if (block := microphone.read()) is not None:
                heard += block.lost_samples + len(block.samples)
                stream_clock.arrived(heard / 16000, block.heard_at_s)
        assert abs(stream_clock.drift) < 0.001  # the null sink goes by the clock of the system
        assert stream_clock.behind_s(heard / 16000) < 0.5
    finally:
        microphone.close()


def test_microphone_frozen_driver_does_not_hold_the_process(pulse: PulseServer) -> None:
    program = """
import sys, time
from edge.sources.microphone import Microphone
microphone = Microphone("pump1", "auscult")
microphone.open()
while microphone.read() is None: pass
print("listening", flush=True)
sys.stdin.readline()
while microphone.stalled_s < 0.3: microphone.read()
microphone.close()
print("closed", flush=True)
"""
    process = subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout
        assert process.stdout.readline() == "listening\n"
        pulse.freeze()
        output, _ = process.communicate("\n", timeout=TIMEOUT_S)
        assert output == "closed\n"
        assert process.returncode == 0
    finally:
        pulse.thaw()
        process.kill()
        process.wait()


def test_microphone_without_portaudio_says_what_to_install() -> None:
    program = """
import ctypes.util, ctypes
ctypes.util.find_library = lambda name: None
from edge.sources.microphone import Microphone
from edge.errors import DeviceError
from edge.audio.ring import Ring
try:
    Microphone("pump1", "default").open()
except DeviceError as error:
    print(error)
"""
    output = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert output.startswith("PortAudio: ")
    assert "sudo apt install libportaudio2" in output
    assert output.count("\n") == 1


def test_microphone_level_of_a_full_scale_tone_is_minus_three_dbfs(pulse: PulseServer) -> None:
    from edge.audio.level_meter import LevelMeter

    microphone = Microphone("pump1", "auscult", rate_hz=48000, channel=0)
    microphone.open()
    try:
        pulse.play(stereo_tone(3.0)[:, :1] / AMPLITUDE * 0.999)
        (level,) = LevelMeter(24000).push(hear_tone(microphone)[:24000])
        assert level.dbfs == pytest.approx(20 * math.log10(0.999 / math.sqrt(2)), abs=0.05)
        assert not level.dead
    finally:
        microphone.close()
