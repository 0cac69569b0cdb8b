from __future__ import annotations

import numpy as np

from edge.detectors.detector import Deviation
from edge.judgement.peaks import Peaks


def block(feature: str, height: float, bands: int = 6) -> Deviation:
    values = np.zeros((8, bands), np.float32)
    values[3] = height
    return Deviation(feature, 0, values)


def test_peaks_a_block_rises_when_it_is_higher_than_all_of_the_window_before() -> None:
    peaks = Peaks({"cnn14": 6}, blocks=3)
    heights = [1.0, 2.0, 2.0, 1.5, 3.0, 1.0, 1.0, 1.0, 2.0]
    assert [peaks.rise([block("cnn14", height)]) for height in heights] == [True, True, False, False, True, False, False, False, True]


def test_peaks_one_feature_is_enough_and_those_without_bands_do_not_count() -> None:
    peaks = Peaks({"cnn14": 6, "excess": 6, "level": 1}, blocks=3)
    peaks.rise([block("cnn14", 5.0), block("excess", 1.0), block("level", 1.0, bands=1)])
    assert peaks.rise([block("cnn14", 4.0), block("excess", 2.0), block("level", 0.0, bands=1)])
    assert not peaks.rise([block("cnn14", 5.0), block("excess", 2.0), block("level", 9.0, bands=1)])


def test_peaks_a_block_without_deviations_changes_nothing() -> None:
    peaks = Peaks({"cnn14": 6}, blocks=2)
    assert peaks.rise([block("cnn14", 2.0)])
    assert not any(peaks.rise([]) for _ in range(5))
    assert not peaks.rise([block("cnn14", 1.0)])
