from __future__ import annotations

import math

import numpy as np
import pytest

from calibrate.metrics.faithfulness import (
    Domain,
    Faithfulness,
    faithfulness,
    faithfulness_metrics,
    kept,
    normalized_maps,
    replaced,
    upsampled,
)
from edge.errors import UserError
from edge.features.frontend import PANNS
from edge.features.logmel import offline_log_mel

# Two frames, two mels. Background of power 1 everywhere; a sound of power 99 was added in the first cell, and the mask half sees it.
LOG_MEL = np.array([[20.0, 0.0], [0.0, 0.0]], np.float32)
BACKGROUND = np.zeros((2, 2), np.float32)
MASK = np.array([[0.5, 0.0], [0.1, 1.0]], np.float32)


def total_power(log_mel: np.ndarray) -> float:
    return float(np.sum(10.0 ** (log_mel.astype(np.float64) / 10.0)))


def largest_db(log_mel: np.ndarray) -> float:
    return float(log_mel.max())


def slow_kept(log_mel: np.ndarray, mask: np.ndarray, domain: Domain) -> np.ndarray:
    """Cell by cell; in power a factor is a gain in decibels, and the floor is -100 dB."""
    out = np.zeros(log_mel.shape)
    for cell in np.ndindex(log_mel.shape):
        x, m = float(log_mel[cell]), float(mask[cell])
        if domain == "decibel":
            out[cell] = x * m
        else:
            out[cell] = max(x + 10 * math.log10(m), -100.0) if m > 0 else -100.0
    return out


def slow_replaced(log_mel: np.ndarray, mask: np.ndarray, background: np.ndarray, domain: Domain) -> np.ndarray:
    out = np.zeros(log_mel.shape)
    for cell in np.ndindex(log_mel.shape):
        x, m, bg = float(log_mel[cell]), float(mask[cell]), float(background[cell])
        if domain == "decibel":
            out[cell] = x - m * (x - bg)
        else:
            out[cell] = max(10 * math.log10(10 ** (x / 10) * (1 - m) + 10 ** (bg / 10) * m), -100.0)
    return out


def random_spectrograms(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    log_mel, background = (random.uniform(-100, 30, (9, 8)).astype(np.float32) for _ in range(2))
    mask = random.random((9, 8)).astype(np.float32)
    mask[0], mask[1] = 0.0, 1.0
    return log_mel, mask, background


def test_faithfulness_of_hand_computed_case_in_power_is_exact() -> None:
    # Before: 100 + 1 + 1 + 1 = 103. Kept: 50 + 0 + 0.1 + 1 = 51.1. Replaced: 50 + 0.5 + 1 + 1 + 1 = 53.5.
    found = faithfulness(total_power, LOG_MEL, MASK, BACKGROUND)
    assert found.v1 == pytest.approx(103 - 51.1, rel=1e-6)
    assert found.v2 == pytest.approx(103 - 53.5, rel=1e-6)


def test_faithfulness_of_hand_computed_case_in_decibels_is_exact() -> None:
    # 20 dB x 0.5, and 20 dB x 0.5 + 0 dB x 0.5: 10 dB, which is power 10; the rest stays at 0 dB, which is power 1.
    found = faithfulness(total_power, LOG_MEL, MASK, BACKGROUND, domain="decibel")
    assert found == pytest.approx((90.0, 90.0), rel=1e-6)


@pytest.mark.parametrize("domain", ["power", "decibel"])
@pytest.mark.parametrize("seed", range(5))
def test_faithfulness_of_random_spectrograms_equals_slow_reference(seed: int, domain: Domain) -> None:
    log_mel, mask, background = random_spectrograms(seed)
    expected_kept, expected_replaced = slow_kept(log_mel, mask, domain), slow_replaced(log_mel, mask, background, domain)
    assert kept(log_mel, mask, domain=domain) == pytest.approx(expected_kept, abs=1e-5)
    assert replaced(log_mel, mask, background, domain=domain) == pytest.approx(expected_replaced, abs=1e-4)
    found = faithfulness(largest_db, log_mel, mask, background, domain=domain)
    assert found.v1 == pytest.approx(log_mel.max() - expected_kept.max(), abs=1e-4)
    assert found.v2 == pytest.approx(log_mel.max() - expected_replaced.max(), abs=1e-4)


def test_faithfulness_of_a_mask_of_nothing_silences_v1_and_leaves_v2_alone() -> None:
    log_mel, mask, background = random_spectrograms(0)
    nothing = np.zeros_like(mask)
    assert (kept(log_mel, nothing) == -100.0).all()
    assert np.array_equal(replaced(log_mel, nothing, background), log_mel)
    found = faithfulness(largest_db, log_mel, nothing, background)
    assert found.v1 == pytest.approx(log_mel.max() + 100.0)
    assert found.v2 == 0.0


def test_faithfulness_of_a_mask_of_all_leaves_v1_alone_and_puts_the_background_in_v2() -> None:
    log_mel, mask, background = random_spectrograms(0)
    all_of_it = np.ones_like(mask)
    assert np.array_equal(kept(log_mel, all_of_it), log_mel)
    assert np.array_equal(replaced(log_mel, all_of_it, background), background)
    assert faithfulness(largest_db, log_mel, all_of_it, background) == (0.0, log_mel.max() - background.max())


def test_faithfulness_asks_the_detector_for_float32_log_mel_three_times() -> None:
    asked = []

    def score(log_mel: np.ndarray) -> float:
        asked.append((log_mel.shape, log_mel.dtype))
        return 0.0

    faithfulness(score, LOG_MEL, MASK, BACKGROUND)
    assert asked == [((2, 2), np.dtype(np.float32))] * 3


def test_faithfulness_of_a_map_at_the_right_place_is_higher_than_at_a_wrong_one() -> None:
    """A detector that hears how far the loudest mel stands above the background, and a tone added for half a second."""
    random = np.random.default_rng(0)
    noise = 0.1 * random.standard_normal(64000).astype(np.float32)
    tone = np.zeros(64000, np.float32)
    tone[16000:32000] = 0.5 * np.sin(2 * np.pi * 2000.0 * np.arange(16000) / 32000)
    background, log_mel, alone = (offline_log_mel(samples, PANNS) for samples in (noise, noise + tone, tone))
    usual_db = background.max(axis=0)
    right = np.zeros((len(log_mel) // 4, 16), np.float32)
    right[50 // 4 : 100 // 4 + 1, :] = alone[75].reshape(16, 4).max(axis=1) > -20
    wrong = right[:, ::-1].copy()

    def score(log_mel: np.ndarray) -> float:
        return float((log_mel - usual_db).max())

    hit, missed = (faithfulness(score, log_mel, upsampled(m, len(log_mel), 64), background) for m in (right, wrong))
    assert score(log_mel) > 5
    assert hit.v2 > 5
    assert missed.v2 == pytest.approx(0.0, abs=1e-3)
    assert hit.v1 == pytest.approx(0.0, abs=1e-3)  # by the formula as printed: the tone is what is kept
    assert missed.v1 > 5


@pytest.mark.parametrize("bad", [-0.1, 1.1, float("nan")])
def test_faithfulness_of_a_mask_outside_zero_to_one_is_refused(bad: float) -> None:
    mask = MASK.copy()
    mask[0, 1] = bad
    with pytest.raises(ValueError, match="from 0 to 1"):
        faithfulness(total_power, LOG_MEL, mask, BACKGROUND)


def test_faithfulness_of_shapes_that_differ_is_refused() -> None:
    with pytest.raises(ValueError, match="mask of shape"):
        faithfulness(total_power, LOG_MEL, MASK[:1], BACKGROUND)
    with pytest.raises(ValueError, match="background of shape"):
        faithfulness(total_power, LOG_MEL, MASK, BACKGROUND[:1])


def test_faithfulness_metrics_of_hand_computed_case_are_mean_and_deviation() -> None:
    metrics = faithfulness_metrics([Faithfulness(0.1, 1.0), Faithfulness(0.3, 1.0), Faithfulness(-0.1, 4.0)])
    assert metrics.v1 == pytest.approx((0.1, math.sqrt(0.08 / 3)))
    assert metrics.v2 == pytest.approx((2.0, math.sqrt(2.0)))
    assert metrics.recordings == 3


@pytest.mark.parametrize("recordings", [[], [Faithfulness(0.0, 0.0), Faithfulness(float("nan"), 0.0)]])
def test_faithfulness_metrics_of_scores_that_cannot_be_judged_are_refused(recordings: list[Faithfulness]) -> None:
    with pytest.raises(UserError, match="faithfulness: "):
        faithfulness_metrics(recordings)


def test_normalized_maps_of_hand_computed_case_share_one_scale() -> None:
    maps = [np.array([[1.0, 3.0]], np.float32), np.array([[2.0, np.nan], [5.0, 1.5]], np.float32)]
    first, second = normalized_maps(maps)
    assert first.tolist() == [[0.0, 0.5]]
    assert second.tolist() == [[0.25, 0.0], [1.0, 0.125]]


def test_normalized_maps_that_point_nowhere_or_were_not_heard_are_zero() -> None:
    assert [m.tolist() for m in normalized_maps([np.full((1, 2), 7.0, np.float32)])] == [[[0.0, 0.0]]]
    assert [m.tolist() for m in normalized_maps([np.full((1, 2), np.nan, np.float32)])] == [[[0.0, 0.0]]]


def test_normalized_maps_of_random_maps_never_leave_zero_to_one() -> None:
    random = np.random.default_rng(0)
    for scale in (1e-6, 1.0, 1e6):
        (normalized,) = normalized_maps([(scale * random.standard_normal((50, 16)) + 3).astype(np.float32)])
        assert (normalized.min(), normalized.max()) == (0.0, 1.0)


def test_upsampled_map_equals_slow_reference_and_is_zero_where_no_cell_is() -> None:
    cells = np.random.default_rng(0).random((3, 14)).astype(np.float32)
    mask = upsampled(cells, 15, 64)
    assert mask.shape == (15, 64)
    for frame, mel in np.ndindex(mask.shape):
        assert mask[frame, mel] == (cells[frame // 4, mel // 4] if frame < 12 and mel < 56 else 0.0)


@pytest.mark.parametrize("shape", [(2, 16), (4, 16), (3, 17)])
def test_upsampled_map_that_does_not_fit_is_refused(shape: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="does not fit"):
        upsampled(np.zeros(shape, np.float32), 15, 64)
