from __future__ import annotations

import numpy as np
import pytest

from calibrate.metrics.spectrogram import (
    cell_energy,
    cells_of,
    spectrogram_f1,
    spectrogram_roc_auc,
    spectrogram_truth,
)
from edge.errors import UserError
from edge.features.frontend import PANNS, band_edges_hz
from edge.features.logmel import offline_log_mel

pytest.importorskip("sklearn", reason="the figures need the extra [benchmark]")

# Five moments, two bands; the sound was added in moments 1 .. 3. Of its six cells the two strongest (9 and 8) exceed the 60th percentile,
# which lies at 5 of the sorted 1 2 4 5 8 9: exactly on the fourth.
ENERGY = np.array([[0.0, 0.0], [1.0, 9.0], [8.0, 2.0], [4.0, 5.0], [0.0, 7.0]])
TRUTH = np.array([[0, 0], [0, 1], [1, 0], [0, 0], [0, 0]], np.bool_)
MAP = np.array([[0.1, 0.2], [0.3, 0.9], [0.4, 0.5], [0.6, 0.2], [0.1, 0.1]], np.float32)


def slow_roc_auc(maps: list[np.ndarray], truths: list[np.ndarray]) -> float:
    """Count every pair of cells, whichever map they are of."""
    cells = [(float(v), bool(t)) for m, truth in zip(maps, truths, strict=True) for v, t in zip(m.flat, truth.flat, strict=True)]
    normal, anomalous = [v for v, t in cells if not t and v == v], [v for v, t in cells if t and v == v]
    return float(np.mean([(a > n) + 0.5 * (a == n) for a in anomalous for n in normal]))


def slow_f1(maps: list[np.ndarray], truths: list[np.ndarray]) -> float:
    hits = wrong = missed = 0
    for m, truth in zip(maps, truths, strict=True):
        threshold = np.percentile([v for v in m.flat if v == v], 40)
        for value, true in zip(m.flat, truth.flat, strict=True):
            if value == value:
                hits += value > threshold and true
                wrong += value > threshold and not true
                missed += value <= threshold and true
    return float(2 * hits / (2 * hits + wrong + missed))


def test_spectrogram_truth_of_hand_computed_case_is_the_strongest_cells_of_the_span() -> None:
    assert np.array_equal(spectrogram_truth(ENERGY, slice(1, 4)), TRUTH)


def slow_truth(energy: np.ndarray, added: slice) -> np.ndarray:
    """Rank the cells of the span by sorting; the quantile at 0.6 lies between two of them."""
    span = range(*added.indices(len(energy)))
    ordered = sorted(float(energy[t, b]) for t in span for b in range(energy.shape[1]))
    place = 0.6 * (len(ordered) - 1)
    below = int(place)
    threshold = ordered[below] + (place - below) * (ordered[min(below + 1, len(ordered) - 1)] - ordered[below])
    return np.array([[t in span and float(value) > threshold for value in row] for t, row in enumerate(energy)])


@pytest.mark.parametrize("seed", range(10))
def test_spectrogram_truth_of_random_energy_equals_slow_reference(seed: int) -> None:
    random = np.random.default_rng(seed)
    energy = random.exponential(size=(int(random.integers(10, 30)), 7))
    first = int(random.integers(0, 8))
    added = slice(first, first + int(random.integers(1, 20)))
    assert np.array_equal(spectrogram_truth(energy, added), slow_truth(energy, added))


def test_spectrogram_truth_of_a_span_without_cells_is_nothing() -> None:
    assert not spectrogram_truth(ENERGY, slice(5, 5)).any()


def test_spectrogram_truth_is_four_tenths_of_the_span_and_nothing_elsewhere() -> None:
    energy = np.random.default_rng(0).exponential(size=(100, 14))
    truth = spectrogram_truth(energy, slice(20, 70))
    assert truth[20:70].mean() == pytest.approx(0.4, abs=1e-9)
    assert not truth[:20].any()
    assert not truth[70:].any()
    assert energy[20:70][truth[20:70]].min() > energy[20:70][~truth[20:70]].max()


def test_spectrogram_roc_auc_of_hand_computed_case_is_exact() -> None:
    # Anomalous cells: 0.9 beats all eight others; 0.4 beats 0.1 0.2 0.3 0.2 0.1 0.1 and loses to 0.5 and 0.6.
    assert spectrogram_roc_auc([MAP], [TRUTH]) == pytest.approx((8 + 6) / 16)


def test_spectrogram_f1_of_hand_computed_case_is_exact() -> None:
    # The 40th percentile of 0.1 0.1 0.1 0.2 0.2 0.3 ... is 0.2: five cells lie above it, both true ones among them.
    assert spectrogram_f1([MAP], [TRUTH]) == pytest.approx(2 * 2 / (5 + 2))


@pytest.mark.parametrize("seed", range(10))
def test_figures_of_random_maps_equal_slow_reference(seed: int) -> None:
    random = np.random.default_rng(seed)
    maps = [np.round(random.random((int(random.integers(6, 20)), 7)), 1).astype(np.float32) for _ in range(3)]
    truths = [random.random(m.shape) < 0.2 for m in maps]
    maps[1][2] = np.nan  # not heard
    assert spectrogram_roc_auc(maps, truths) == pytest.approx(slow_roc_auc(maps, truths))
    assert spectrogram_f1(maps, truths) == pytest.approx(slow_f1(maps, truths))


def test_figures_leave_out_a_map_of_which_nothing_was_heard() -> None:
    maps, truths = [MAP, np.full_like(MAP, np.nan)], [TRUTH, TRUTH]
    assert spectrogram_roc_auc(maps, truths) == spectrogram_roc_auc([MAP], [TRUTH])
    assert spectrogram_f1(maps, truths) == spectrogram_f1([MAP], [TRUTH])


def test_spectrogram_f1_takes_the_percentile_of_each_map_by_itself() -> None:
    # Ten times louder and the same otherwise: with one threshold for both, more of the one and less of the other would be called.
    assert spectrogram_f1([MAP, 10 * MAP], [TRUTH, TRUTH]) == pytest.approx(spectrogram_f1([MAP], [TRUTH]))


def test_spectrogram_roc_auc_without_true_cells_is_refused() -> None:
    with pytest.raises(UserError, match="anomalous"):
        spectrogram_roc_auc([MAP], [np.zeros_like(TRUTH)])


def test_figures_of_a_map_that_shows_the_truth_are_the_best() -> None:
    assert spectrogram_roc_auc([TRUTH.astype(np.float32)], [TRUTH]) == 1.0
    assert spectrogram_f1([TRUTH.astype(np.float32)], [TRUTH]) == 1.0


def test_cells_of_span_are_those_with_a_frame_centred_in_it() -> None:
    def slow(first: int, last: int) -> set[int]:
        return {frame // 4 for frame in range(1000) if first <= 320 * frame < last}

    for first, last in ((0, 1), (1, 1281), (0, 1280), (1280, 2560), (5000, 20000), (961, 1282)):
        assert set(range(*cells_of(first, last, PANNS).indices(10000))) == slow(first, last)


def test_cell_energy_is_the_mean_power_of_four_frames_and_four_mels() -> None:
    samples = np.random.default_rng(0).standard_normal(16000).astype(np.float32) * np.float32(0.1)
    log_mel = offline_log_mel(samples, PANNS)
    energy = cell_energy(samples, PANNS, bands=14)
    assert energy.shape == (len(log_mel) // 4, 14)
    slow = np.mean([10 ** (float(log_mel[t, m]) / 10) for t in range(8, 12) for m in range(20, 24)])
    assert energy[2, 5] == pytest.approx(slow, rel=1e-5)


def test_cell_energy_of_a_short_tone_is_where_and_when_it_sounds() -> None:
    samples = np.zeros(64000, np.float32)
    samples[32000:48000] = np.sin(2 * np.pi * 1000.0 * np.arange(16000) / 32000)
    energy = cell_energy(samples, PANNS, bands=16)
    truth = spectrogram_truth(energy, cells_of(32000, 48000, PANNS))
    low_hz, high_hz = band_edges_hz(PANNS, int(energy[30].argmax()), int(energy[30].argmax()))
    assert low_hz < 1000.0 < high_hz
    assert set(np.flatnonzero(truth.any(axis=1))) <= set(range(25, 38))
    assert truth[26:37, energy[30].argmax()].all()
