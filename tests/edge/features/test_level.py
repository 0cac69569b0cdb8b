from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from edge.features.frontend import PANNS, mels_below
from edge.features.level import MASKED_DB, REFERENCE_DB, LevelTracker, normalise_offline
from edge.features.logmel import offline_log_mel

Float32 = NDArray[np.float32]


def log_mel_of_noise(seconds: float, gain_db: float = 0.0) -> Float32:
    samples = 0.02 * np.random.default_rng(1).standard_normal(round(seconds * 32000)) * 10 ** (gain_db / 20)
    return offline_log_mel(samples.astype(np.float32), PANNS)


def tracked(log_mel: Float32, mels: int = 64) -> list[Float32]:
    tracker = LevelTracker(PANNS, mels, log_mel[:96])
    return [tracker.push(block)[0] for block in log_mel[: len(log_mel) // 32 * 32].reshape(-1, 32, 64)]


def test_level_louder_sound_gives_the_same_features() -> None:
    np.testing.assert_allclose(
        normalise_offline(log_mel_of_noise(8, gain_db=12.0), PANNS, 64), normalise_offline(log_mel_of_noise(8), PANNS, 64), atol=1e-3
    )


def test_level_of_steady_sound_is_the_reference_from_the_start() -> None:
    for block in tracked(log_mel_of_noise(8)):
        assert block.mean() == pytest.approx(REFERENCE_DB, abs=0.5)


def test_level_tracker_is_causal() -> None:
    log_mel = log_mel_of_noise(8)
    changed = log_mel.copy()
    changed[320:] += 20.0
    before, after = tracked(log_mel), tracked(changed)
    for block in range(10):
        np.testing.assert_array_equal(before[block], after[block])
    assert after[10].mean() > before[10].mean() + 15.0  # and slow: a jump is heard as one


def test_level_tracker_follows_a_lasting_change_within_its_time_constant() -> None:
    log_mel = log_mel_of_noise(60)
    log_mel[2000:] += 12.0
    shift_db = np.array([block.mean() - REFERENCE_DB for block in tracked(log_mel)])  # (block,)
    at = 2000 // 32 + 1
    assert shift_db[at] == pytest.approx(12.0, abs=1.0)
    assert shift_db[at + 31] == pytest.approx(12.0 / np.e, abs=0.7)  # 10 s later
    assert abs(shift_db[-1]) < 0.7


def test_level_tracker_hears_a_tone_as_no_change_of_level() -> None:
    log_mel = log_mel_of_noise(8)
    with_tone = log_mel.copy()
    with_tone[:, 30:32] += 30.0
    np.testing.assert_allclose(tracked(with_tone)[-1][:, 40:], tracked(log_mel)[-1][:, 40:], atol=1.0)


def test_level_masked_bands_are_constant_and_do_not_count() -> None:
    mels = mels_below(PANNS, 8000.0)
    assert 0 < mels < 64
    log_mel = log_mel_of_noise(8)
    wild = log_mel.copy()
    wild[:, mels:] = np.random.default_rng(2).uniform(-100, 40, wild[:, mels:].shape)
    for quiet, loud in zip(tracked(log_mel, mels), tracked(wild, mels), strict=True):
        np.testing.assert_array_equal(quiet, loud)
        assert (quiet[:, mels:] == MASKED_DB).all()


def test_level_of_cells_is_absolute() -> None:
    log_mel = log_mel_of_noise(2)
    tracker = LevelTracker(PANNS, 64, log_mel[:96])
    levels_db = tracker.push(log_mel[:32])[1]
    np.testing.assert_allclose(levels_db, log_mel[:32].reshape(8, 4 * 64).mean(axis=1), atol=1e-4)


def test_level_of_silence_stays_finite() -> None:
    for block in tracked(np.full((320, 64), -100.0, np.float32)):
        np.testing.assert_allclose(block, REFERENCE_DB)
