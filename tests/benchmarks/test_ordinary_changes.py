from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from benchmarks.ordinary_changes import (
    CHANGES,
    DOOR_DB,
    GAINS,
    HUM_DB,
    HUM_HZ,
    SPEECH_S,
    Float32,
    Float64,
    band_power,
    door,
    drift,
    equaliser,
    gain,
    hum,
    talk,
    within_full_scale,
)

RATE_HZ = 16000
SECONDS = 8.0


def machine(seconds: float = SECONDS, level: float = 0.05, rate_hz: int = RATE_HZ) -> Float32:
    return (level * np.random.default_rng(9).standard_normal(round(seconds * rate_hz))).astype(np.float32)


def random(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def response_db(before: Float32, after: Float32) -> tuple[Float64, Float64]:
    """Gain over frequency, smoothed: (bands,) middle in Hz, (bands,) dB, from 60 Hz to nearly half the rate."""
    edges_hz = np.geomspace(60.0, 0.45 * RATE_HZ, 25)
    gains = [
        10 * np.log10(band_power(after, RATE_HZ, (low, high)) / band_power(before, RATE_HZ, (low, high)))
        for low, high in pairwise(edges_hz)
    ]
    return np.sqrt(edges_hz[:-1] * edges_hz[1:]), np.array(gains)


@pytest.mark.parametrize("rate_hz", [8000, 48000])
@pytest.mark.parametrize("name", CHANGES)
def test_change_keeps_the_shape_leaves_the_recording_alone_and_repeats_itself(name: str, rate_hz: int) -> None:
    recording = machine(1.0, rate_hz=rate_hz)
    kept = recording.copy()
    changed, again = (CHANGES[name](recording, rate_hz, random(2)) for _ in range(2))
    assert changed.shape == recording.shape
    assert changed.dtype == np.float32
    assert np.array_equal(recording, kept)
    assert np.array_equal(changed, again)
    assert not np.allclose(changed, recording, atol=1e-3)


@pytest.mark.parametrize("name", [name for name in CHANGES if name not in GAINS])
def test_change_with_another_seed_is_another(name: str) -> None:
    recording = machine(1.0)
    assert len({CHANGES[name](recording, RATE_HZ, random(seed)).tobytes() for seed in range(8)}) > 1


def test_gains_are_twelve_and_six_decibels_down_and_up() -> None:
    recording = machine(1.0)
    heard = [20 * np.log10(np.std(change(recording, RATE_HZ, random())) / np.std(recording)) for change in GAINS.values()]
    assert list(GAINS) == ["gain -12 dB", "gain -6 dB", "gain +6 dB", "gain +12 dB"]
    assert heard == pytest.approx([-12.0, -6.0, 6.0, 12.0], abs=1e-3)


@pytest.mark.parametrize("seed", range(5))
def test_equaliser_is_smooth_and_as_far_as_six_decibels(seed: int) -> None:
    recording = machine()
    _, gains = response_db(recording, equaliser(recording, RATE_HZ, random(seed)))
    assert 4.5 < np.abs(gains).max() < 6.5
    assert abs(gains.mean()) < 1.5  # another colour, not another level
    assert np.abs(np.diff(gains)).max() < 3.0  # in a third of an octave


def test_equaliser_does_not_begin_with_a_step() -> None:
    recording = np.full(RATE_HZ, 0.5, np.float32)
    changed = equaliser(recording, RATE_HZ, random())
    assert changed[:100] == pytest.approx(changed[-100:], rel=1e-3)


def test_hum_is_harmonics_of_the_mains_ten_decibels_above_the_machine() -> None:
    recording = machine()
    added = hum(recording, RATE_HZ, random()) - recording
    assert 10 * np.log10(band_power(added, RATE_HZ, HUM_HZ) / band_power(recording, RATE_HZ, HUM_HZ)) == pytest.approx(HUM_DB, abs=0.05)
    harmonics = sum(band_power(added, RATE_HZ, (50.0 * k - 2.0, 50.0 * k + 2.0)) for k in range(1, 30))
    assert harmonics > 0.99 * np.var(added)


def test_hum_stays_as_far_above_a_soft_machine_as_above_a_loud_one() -> None:
    loud, soft = (hum(machine(level=level), RATE_HZ, random()) for level in (0.1, 0.001))
    assert soft == pytest.approx(0.01 * loud, rel=1e-3, abs=1e-7)


@pytest.mark.parametrize("seed", range(5))
def test_door_is_one_deep_blow_that_dies_away(seed: int) -> None:
    recording = machine()
    added = door(recording, RATE_HZ, random(seed)) - recording
    heard = np.flatnonzero(added)
    audible_s = (heard[-1] - heard[0] + 1) / RATE_HZ
    assert 0.1 < audible_s < 1.0
    power = np.mean(np.square(added[heard[0] : heard[-1] + 1], dtype=np.float64))
    around = np.var(recording[heard[0] : heard[-1] + 1], dtype=np.float64)
    assert 10 * np.log10(power / around) == pytest.approx(DOOR_DB, abs=0.5)
    assert band_power(added, RATE_HZ, (20.0, 500.0)) > 0.7 * np.var(added)
    assert np.argmax(np.abs(added)) - heard[0] < 0.1 * RATE_HZ
    late, early = (np.square(part).sum() for part in np.array_split(added[heard[0] : heard[-1] + 1], 2)[::-1])
    assert late < 0.1 * early


def test_speech_is_as_loud_as_the_machine_for_two_seconds() -> None:
    recording = machine()
    added = talk(recording, RATE_HZ, random()) - recording
    heard = np.flatnonzero(added)
    assert (heard[-1] - heard[0]) / RATE_HZ == pytest.approx(SPEECH_S, abs=0.15)
    there = slice(heard[0], heard[-1] + 1)
    assert 10 * np.log10(np.var(added[there]) / np.var(recording[there])) == pytest.approx(0.0, abs=0.3)


def test_speech_in_a_short_recording_leaves_half_of_it_as_it_was() -> None:
    recording = machine(1.0)
    assert np.count_nonzero(talk(recording, RATE_HZ, random()) - recording) <= RATE_HZ // 2


def test_drift_is_three_decibels_of_level_and_three_of_tilt_in_either_direction() -> None:
    recording = machine()
    slopes = set()
    for seed in range(8):
        frequency_hz, gains = response_db(recording, drift(recording, RATE_HZ, random(seed)))
        slope, level = np.polyfit(np.log(frequency_hz / np.sqrt(50.0 * RATE_HZ / 2)) / np.log(RATE_HZ / 2 / 50.0), gains, 1)
        assert level == pytest.approx(3.0, abs=0.15)
        assert abs(slope) == pytest.approx(3.0, abs=0.3)
        slopes.add(float(np.sign(slope)))
    assert slopes == {-1.0, 1.0}


def test_within_full_scale_turns_down_only_what_would_clip() -> None:
    soft = machine()
    loud = gain(machine(level=0.3), RATE_HZ, random(), gain_db=12.0)
    kept, none_db = within_full_scale(soft)
    fitted, by_db = within_full_scale(loud)
    assert within_full_scale(np.array([0.5, -1.01], np.float32))[1] == pytest.approx(20 * np.log10(1.01), abs=1e-5)
    assert within_full_scale(np.array([0.5, -1.0], np.float32))[1] == 0.0
    assert np.array_equal(kept, soft)
    assert none_db == 0.0
    assert np.abs(fitted).max() == pytest.approx(1.0)
    assert fitted == pytest.approx(loud * 10 ** (-by_db / 20), abs=1e-6)  # its shape is whole: nothing was cut off
    assert by_db == pytest.approx(20 * np.log10(np.abs(loud).max()))
