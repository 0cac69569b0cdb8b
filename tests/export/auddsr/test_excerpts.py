from __future__ import annotations

import numpy as np
import pytest

from export.auddsr.excerpts import Excerpts


def ramp(frames: int, start: int = 0) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    return np.repeat(np.arange(start, start + frames, dtype=np.float32)[:, None], 2, axis=1)


def test_excerpts_continue_a_run_by_its_mirror_image() -> None:
    (excerpt,) = {tuple(one[:, 0]) for one in Excerpts([ramp(10)]).draw(np.random.default_rng(0), 1, 106)}
    assert np.abs(np.diff(excerpt)).tolist() == [1.0] * 105
    assert set(excerpt) == set(range(10))


def test_excerpts_of_a_long_run_come_from_all_of_it() -> None:
    drawn = Excerpts([ramp(1000)]).draw(np.random.default_rng(0), 200, 64)
    assert drawn.shape == (200, 64, 2)
    assert drawn.dtype == np.float32
    assert drawn.min() == 0.0
    assert drawn.max() == 999.0


def test_excerpts_are_drawn_from_runs_by_their_length() -> None:
    drawn = Excerpts([ramp(300), ramp(1500, 400)]).draw(np.random.default_rng(0), 300, 32)
    assert 0.6 < float((drawn[:, 0, 0] >= 400).mean()) < 0.9


def test_excerpts_depend_on_the_seed_alone() -> None:
    excerpts = Excerpts([ramp(300), ramp(500)])
    one, same, other = (excerpts.draw(np.random.default_rng(seed), 5, 256) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, same)
    assert not np.array_equal(one, other)


def test_excerpts_scale_is_mean_and_deviation() -> None:
    mean, deviation = Excerpts([np.tile(np.array([[-30.0, -10.0]], np.float32), (400, 1))]).scale()
    assert (mean, deviation) == pytest.approx((-20.0, 10.0))


def test_excerpts_digest_tells_other_sound() -> None:
    assert Excerpts([ramp(300)]).digest() == Excerpts([ramp(300)]).digest() != Excerpts([ramp(301)]).digest()
