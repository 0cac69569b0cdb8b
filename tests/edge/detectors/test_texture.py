from __future__ import annotations

import numpy as np

from edge.detectors.texture import Texture


def test_texture_is_the_mean_of_the_last_32_cells() -> None:
    cells = np.random.default_rng(0).standard_normal((80, 3, 5)).astype(np.float32)
    texture = Texture()
    for end in range(8, 81, 8):
        result = texture.push(cells[end - 8 : end], final=False)
        if end < 32:
            assert result is None
        else:
            assert result is not None
            mean, span = result
            assert span == 32
            assert mean.shape == (1, 3, 5)
            np.testing.assert_allclose(mean[0], cells[end - 32 : end].mean(axis=0), atol=1e-6)


def test_texture_first_one_may_lack_the_cell_that_the_lag_holds_back() -> None:
    texture = Texture()
    spans = [texture.push(np.ones((count, 2), np.float32), final=False) for count in (7, 8, 8, 8, 8)]
    assert [span and span[1] for span in spans] == [None, None, None, 31, 32]


def test_texture_segment_that_ends_early_has_one_of_its_own_length() -> None:
    texture = Texture()
    assert texture.push(np.full((7, 2), 1.0, np.float32), final=False) is None
    result = texture.push(np.full((3, 2), 2.0, np.float32), final=True)
    assert result is not None
    assert result[1] == 10
    np.testing.assert_allclose(result[0], np.full((1, 2), 1.3), rtol=1e-6)


def test_texture_end_of_a_long_segment_spans_what_is_left() -> None:
    texture = Texture()
    for _ in range(6):
        texture.push(np.zeros((8, 2), np.float32), final=False)
    result = texture.push(np.ones((2, 2), np.float32), final=True)
    assert result is not None
    assert result[1] == 26
    np.testing.assert_allclose(result[0], np.full((1, 2), 2 / 26), rtol=1e-6)


def test_texture_nothing_pushed_says_nothing() -> None:
    assert Texture().push(np.zeros((0, 2), np.float32), final=True) is None
