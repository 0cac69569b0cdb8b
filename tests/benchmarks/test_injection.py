from __future__ import annotations

import numpy as np
import pytest

from benchmarks.clips import Clip
from benchmarks.injection import audible_part, place
from edge.errors import AudioError

RATE_HZ = 16000


def noise(seconds: float, level: float, seed: int = 0) -> Clip:
    samples = np.random.default_rng(seed).standard_normal(round(seconds * RATE_HZ)) * level
    return Clip(samples.astype(np.float32), RATE_HZ)


def bark(before_s: float = 0.5, seconds: float = 0.3, after_s: float = 1.0) -> Clip:
    """A loud half second in a quiet recording."""
    parts = [noise(before_s, 1e-4, 1), noise(seconds, 0.3, 2), noise(after_s, 1e-4, 3)]
    return Clip(np.concatenate([part.samples for part in parts]), RATE_HZ)


def test_audible_part_of_a_bark_in_silence_is_the_bark_at_unit_power() -> None:
    part = audible_part(bark(), 2 * RATE_HZ)
    assert len(part) == pytest.approx(0.3 * RATE_HZ, abs=0.02 * RATE_HZ)
    assert np.var(part) == pytest.approx(1.0, rel=1e-3)
    assert abs(float(part[0])) < 0.1  # faded


def test_audible_part_of_a_long_sound_is_its_loudest_stretch() -> None:
    sound = Clip(np.concatenate([noise(3.0, 0.05).samples, noise(1.0, 0.2).samples, noise(3.0, 0.05).samples]), RATE_HZ)
    part = audible_part(sound, RATE_HZ)
    assert len(part) == RATE_HZ
    middle = sound.samples[3 * RATE_HZ : 4 * RATE_HZ]
    assert np.corrcoef(part, middle)[0, 1] > 0.99


@pytest.mark.parametrize("samples", [np.zeros(RATE_HZ), np.ones(RATE_HZ), np.ones(10), np.zeros(0)])
def test_audible_part_of_nothing_is_refused(samples: np.ndarray) -> None:
    with pytest.raises(AudioError, match="silent or too short"):
        audible_part(Clip(samples.astype(np.float32), RATE_HZ), RATE_HZ)


@pytest.mark.parametrize("snr_db", [6.0, 0.0, -6.0])
def test_injection_has_the_ratio_that_was_asked_for_while_it_lasts_and_leaves_the_rest(snr_db: float) -> None:
    recording = Clip(noise(4.0, 0.05).samples * np.linspace(0.1, 2.0, 4 * RATE_HZ, dtype=np.float32), RATE_HZ)  # grows louder
    injection = place(bark(), recording, np.random.default_rng(1))
    mixture = injection.into(recording, snr_db)
    added = mixture.samples - recording.samples
    span = slice(injection.first_sample, injection.last_sample)
    assert 10 * np.log10(np.var(added[span]) / np.var(recording.samples[span])) == pytest.approx(snr_db, abs=0.01)
    assert np.count_nonzero(np.delete(added, np.r_[span])) == 0
    assert added == pytest.approx(injection.alone(len(added)) * np.std(added[span]), abs=1e-5)


@pytest.mark.parametrize("snr_db", [6.0, -6.0])
def test_injection_over_the_clip_has_the_ratio_over_all_of_it_and_is_louder_while_it_lasts(snr_db: float) -> None:
    recording = noise(4.0, 0.05)
    injection = place(bark(), recording, np.random.default_rng(1))
    added = injection.into(recording, snr_db, over="clip").samples - recording.samples
    assert 10 * np.log10(np.mean(np.square(added)) / recording.power) == pytest.approx(snr_db, abs=0.01)
    usual = injection.into(recording, snr_db).samples - recording.samples
    assert np.var(added) / np.var(usual) == pytest.approx(len(added) / len(injection.sound), rel=0.1)


def test_injection_into_a_silent_moment_stays_at_a_ratio_to_the_recording() -> None:
    recording = noise(4.0, 0.1)
    silent = Clip(recording.samples * np.r_[np.ones(RATE_HZ), np.zeros(2 * RATE_HZ), np.ones(RATE_HZ)].astype(np.float32), RATE_HZ)
    injection = next(
        found
        for found in (place(bark(), silent, np.random.default_rng(seed)) for seed in range(100))
        if found.first_sample > RATE_HZ and found.last_sample < 3 * RATE_HZ
    )
    added = injection.into(silent, 0.0).samples[injection.first_sample : injection.last_sample]
    assert 10 * np.log10(np.var(added) / silent.power) == pytest.approx(-30.0, abs=0.1)


def test_place_is_seeded_and_every_place_within_the_recording_is_reached() -> None:
    recording = noise(1.0, 0.1)
    places = [place(bark(), recording, np.random.default_rng(seed)).first_sample for seed in range(200)]
    room = RATE_HZ - len(place(bark(), recording, np.random.default_rng(0)).sound)
    assert places[7] == place(bark(), recording, np.random.default_rng(7)).first_sample
    assert 0 <= min(places) < 0.1 * room
    assert 0.9 * room < max(places) <= room


def test_place_of_a_sound_longer_than_the_recording_leaves_half_of_it() -> None:
    injection = place(noise(5.0, 0.1), noise(4.0, 0.1), np.random.default_rng(0))
    assert len(injection.sound) == 2 * RATE_HZ
