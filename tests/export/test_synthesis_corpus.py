"""The corpus: many machines, exactly as long as asked, the same for the same seed."""

from __future__ import annotations

import numpy as np
import pytest

from export.synthesis import machine_corpus
from export.synthesis.level import level_dbfs


@pytest.mark.parametrize("seconds", [1.0, 9.0, 12.0, 47.3])
def test_corpus_lasts_exactly_as_long_as_asked(seconds: float) -> None:
    clips = list(machine_corpus(seconds, 0, 16000))
    assert sum(len(clip) for clip in clips) == round(seconds * 16000)
    if seconds >= 10.0:
        assert all(5.0 <= len(clip) / 16000 <= 10.0 for clip in clips)


def test_corpus_clips_are_float32_finite_and_not_clipped() -> None:
    for clip in machine_corpus(400.0, 3, 16000):
        assert clip.dtype == np.float32
        assert np.all(np.isfinite(clip))
        assert 0.0 < np.max(np.abs(clip)) < 1.0


def test_corpus_levels_and_spectra_vary() -> None:
    clips = list(machine_corpus(200.0, 0, 16000))
    levels = [level_dbfs(clip) for clip in clips]
    assert max(levels) - min(levels) > 20.0
    centroids = []
    for clip in clips:
        power = np.abs(np.fft.rfft(clip)) ** 2
        centroids.append(np.average(np.linspace(0, 8000, len(power)), weights=power))
    assert max(centroids) > 3 * min(centroids)


def test_corpus_with_the_same_seed_is_the_same_and_a_longer_one_begins_alike() -> None:
    first, again = (list(machine_corpus(60.0, 1, 16000)) for _ in range(2))
    for one, other in zip(first, again, strict=True):
        np.testing.assert_array_equal(one, other)
    longer = list(machine_corpus(120.0, 1, 16000))
    for one, other in zip(first[:-2], longer, strict=False):
        np.testing.assert_array_equal(one, other)
    different = list(machine_corpus(60.0, 2, 16000))
    assert not np.array_equal(first[0][:16000], different[0][:16000])
