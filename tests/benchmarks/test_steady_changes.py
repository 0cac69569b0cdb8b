from __future__ import annotations

import numpy as np
import pytest

from benchmarks.clips import Clip
from benchmarks.ordinary_changes import band_power
from benchmarks.steady_changes import (
    BAND_DB,
    BROADBAND_DB,
    DEPTHS,
    KINDS,
    MODULATIONS_HZ,
    OCTAVES_HZ,
    Float32,
    Float64,
    SteadyChange,
    Usual,
    corners,
    octaves_of,
    steady_changes,
    usual_of,
)
from export.synthesis.level import level_dbfs

RATE_HZ = 16000


def machine(seconds: float = 4.0, rate_hz: int = RATE_HZ, seed: int = 9) -> Float32:
    return (0.05 * np.random.default_rng(seed).standard_normal(round(seconds * rate_hz))).astype(np.float32)


def draw(purpose: str) -> np.random.Generator:
    return np.random.default_rng(list(purpose.encode()))


def changes(kind: str, rate_hz: int = RATE_HZ) -> tuple[SteadyChange, ...]:
    return steady_changes(rate_hz, draw, [kind])


USUAL = usual_of([Clip(machine(seed=seed), RATE_HZ) for seed in range(3)])


def changed(change: SteadyChange, recording: Float32, rate_hz: int = RATE_HZ, seed: int = 0, usual: Usual = USUAL) -> Float32:
    return change.apply(recording, rate_hz, usual, np.random.default_rng(seed))


def gain_db(before: Float32, after: Float32, band_hz: tuple[float, float]) -> float:
    return 10.0 * float(np.log10(band_power(after, RATE_HZ, band_hz) / band_power(before, RATE_HZ, band_hz)))


@pytest.mark.parametrize("rate_hz", [8000, 16000, 44100])
@pytest.mark.parametrize("kind", KINDS)
def test_change_keeps_the_shape_leaves_the_recording_alone_and_repeats_itself(kind: str, rate_hz: int) -> None:
    recording = machine(0.5, rate_hz)
    kept = recording.copy()
    for change in changes(kind, rate_hz):
        first, again = (changed(change, recording, rate_hz) for _ in range(2))
        assert first.shape == recording.shape
        assert first.dtype == np.float32
        assert np.array_equal(first, again)
        assert not np.array_equal(first, recording)
        assert change.kind == kind
    assert np.array_equal(recording, kept)


def test_changes_are_those_of_one_machine_and_others_of_another() -> None:
    recording = machine(0.5)
    assert [change.what for change in steady_changes(RATE_HZ, draw)] == [change.what for change in steady_changes(RATE_HZ, draw)]
    others = steady_changes(RATE_HZ, lambda purpose: draw(f"another {purpose}"))
    for change, other in zip(steady_changes(RATE_HZ, draw), others, strict=True):
        assert (change.kind, change.size) == (other.kind, other.size)
        assert (change.what != other.what) == (change.kind in ("tone", "harmonics", "impulses"))
        alike = np.array_equal(changed(change, recording), changed(other, recording))
        assert alike == (change.what == other.what)


@pytest.mark.parametrize(("rate_hz", "highest_hz"), [(8000, 2000.0), (16000, 4000.0), (22050, 4000.0), (24000, 8000.0), (48000, 8000.0)])
def test_octaves_fit_below_half_the_rate(rate_hz: int, highest_hz: float) -> None:
    assert octaves_of(rate_hz) == tuple(middle for middle in OCTAVES_HZ if middle <= highest_hz)


def test_usual_is_the_mean_over_recordings_of_all_and_of_each_octave() -> None:
    recording = machine()
    usual = usual_of([Clip(recording, RATE_HZ), Clip(3.0 * recording, RATE_HZ)])
    assert usual.power == pytest.approx(5.0 * np.var(recording), rel=1e-4)
    assert usual.octaves[1000.0] == pytest.approx(5.0 * band_power(recording, RATE_HZ, corners(1000.0)), rel=1e-4)


def test_broadband_is_exactly_that_much_louder_or_softer() -> None:
    recording = machine()
    gains = [level_dbfs(changed(change, recording)) - level_dbfs(recording) for change in changes("broadband")]
    assert gains == pytest.approx(BROADBAND_DB, abs=1e-3)


def test_band_is_louder_or_softer_within_an_octave_and_as_it_was_elsewhere() -> None:
    recording = machine(8.0)
    assert [change.size for change in changes("band")] == list(BAND_DB) * len(octaves_of(RATE_HZ))
    for change in changes("band"):
        middle_hz = min(OCTAVES_HZ, key=lambda hz: abs(hz - float(change.what.split()[2])))
        after = changed(change, recording)
        low_hz, high_hz = corners(middle_hz)
        assert gain_db(recording, after, (1.07 * low_hz, high_hz / 1.07)) == pytest.approx(change.size, abs=0.1)
        assert gain_db(recording, after, (low_hz, high_hz)) == pytest.approx(change.size, abs=0.3)
        assert gain_db(recording, after, (1.07 * high_hz, RATE_HZ / 2)) == pytest.approx(0.0, abs=0.05)
        assert gain_db(recording, after, (0.0, low_hz / 1.07)) == pytest.approx(0.0, abs=0.05)


def test_band_does_not_begin_with_a_step_nor_comes_late() -> None:
    offset = np.full(RATE_HZ, 0.5, np.float32)
    blow = np.zeros(RATE_HZ, np.float32)
    blow[RATE_HZ // 2] = 0.5
    for change in changes("band"):
        assert changed(change, offset) == pytest.approx(offset, abs=1e-5)
        assert np.argmax(np.abs(changed(change, blow))) == RATE_HZ // 2


def test_tone_is_a_sine_in_every_octave_as_loud_as_it_says_whatever_the_recording() -> None:
    loud = 4.0 * machine(8.0)
    found = changes("tone")
    assert len(found) == 5 * len(octaves_of(RATE_HZ))
    for number, change in enumerate(found):
        frequency_hz = float(change.what.removesuffix(" Hz"))
        middle_hz = octaves_of(RATE_HZ)[number // 5]
        assert corners(middle_hz)[0] - 1 <= frequency_hz <= corners(middle_hz)[1] + 1
        added = changed(change, loud) - loud
        power_db = 10.0 * np.log10(np.mean(np.square(added, dtype=np.float64)) / USUAL.octaves[middle_hz])
        assert power_db == pytest.approx(change.size, abs=0.1)
        assert band_power(added, RATE_HZ, (frequency_hz - 1.5, frequency_hz + 1.5)) > 0.98 * np.var(added)


def test_tone_of_another_recording_is_the_same_at_another_moment() -> None:
    silence = np.zeros(RATE_HZ, np.float32)
    change = changes("tone")[-1]
    first, other = (changed(change, silence, seed=seed) for seed in range(2))
    assert not np.allclose(first, other, atol=1e-3)
    assert np.argmax(np.abs(np.fft.rfft(first))) == np.argmax(np.abs(np.fft.rfft(other)))
    assert np.std(first) == pytest.approx(np.std(other), rel=1e-3)


def test_harmonics_are_multiples_of_a_shaft_that_fall_as_one_over_their_order() -> None:
    silence = np.zeros(8 * RATE_HZ, np.float32)
    for change in changes("harmonics"):
        shaft_hz = float(change.what.removeprefix("shaft at ").removesuffix(" Hz"))
        added = changed(change, silence)
        assert 20.0 <= shaft_hz <= 60.0
        assert 10.0 * np.log10(np.var(added, dtype=np.float64) / USUAL.power) == pytest.approx(change.size, abs=0.1)
        powers = np.array([band_power(added, RATE_HZ, ((k - 0.3) * shaft_hz, (k + 0.3) * shaft_hz)) for k in range(1, 9)])
        assert np.sqrt(powers / powers[0]) == pytest.approx(1.0 / np.arange(1, 9), rel=0.05)


def envelope(samples: Float32) -> tuple[Float64, Float64]:
    """What a band's power does over time: (frequency,) in Hz and its amplitude against the mean."""
    spectrum = np.fft.fft(samples.astype(np.float64))
    spectrum[len(samples) // 2 :] = 0.0
    power = np.square(np.abs(np.fft.ifft(2.0 * spectrum)))
    heights = 2.0 * np.abs(np.fft.rfft(power)) / (len(power) * power.mean())
    return np.fft.rfftfreq(len(power), 1.0 / RATE_HZ).astype(np.float64), heights.astype(np.float64)


def test_modulation_has_its_rate_and_depth_in_the_envelope_and_keeps_the_power() -> None:
    steady = np.sin(2.0 * np.pi * 1414.0 * np.arange(4 * RATE_HZ) / RATE_HZ).astype(np.float32) * np.float32(0.1)
    noise = machine(8.0)
    found = changes("modulation")
    assert [change.size for change in found] == list(DEPTHS) * len(MODULATIONS_HZ)
    for number, change in enumerate(found):
        frequency_hz, heights = envelope(changed(change, steady))
        strongest = 1 + int(np.argmax(heights[1:]))
        assert frequency_hz[strongest] == pytest.approx(MODULATIONS_HZ[number // len(DEPTHS)], abs=0.3)
        depth = change.size  # power is (1 + depth sin)^2: its first harmonic against its mean
        assert heights[strongest] == pytest.approx(2.0 * depth / (1.0 + depth**2 / 2.0), rel=0.02)
        assert level_dbfs(changed(change, steady)) == pytest.approx(level_dbfs(steady), abs=0.01)
        after = changed(change, noise)
        assert level_dbfs(after) == pytest.approx(level_dbfs(noise), abs=0.05)
        assert gain_db(noise, after, (800.0, 2500.0)) == pytest.approx(0.0, abs=0.15)
        assert gain_db(noise, after, (2500.0, 8000.0)) == pytest.approx(0.0, abs=0.01)
        assert gain_db(noise, after, (0.0, 800.0)) == pytest.approx(0.0, abs=0.01)


def test_impulses_ring_at_a_resonance_and_repeat_at_the_bearings_rate() -> None:
    silence = np.zeros(8 * RATE_HZ, np.float32)
    for change in changes("impulses"):
        defect_hz, resonance_hz = (float(word) for word in change.what.split() if word.isdigit())
        added = changed(change, silence)
        assert 2000.0 <= resonance_hz <= 6000.0
        assert level_dbfs(added) - 10.0 * np.log10(USUAL.power) == pytest.approx(change.size, abs=0.05)
        assert band_power(added, RATE_HZ, (0.8 * resonance_hz, 1.25 * resonance_hz)) > 0.6 * np.var(added)
        frequency_hz, heights = envelope(added)
        within = (frequency_hz > 0.5 * defect_hz) & (frequency_hz < 1.5 * defect_hz)
        assert frequency_hz[within][np.argmax(heights[within])] == pytest.approx(defect_hz, rel=0.03)
        assert not np.array_equal(added, changed(change, silence, seed=1))
