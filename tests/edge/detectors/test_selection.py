from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from edge.detectors.selection import CHANNELS, Selection
from edge.features.backbone import Features

BANDS = 13


def features() -> Features:
    rng = np.random.default_rng(0)
    return Features(*(rng.standard_normal(shape).astype(np.float32) for shape in ((8, 16, 128), (4, 8, 256), (2, 4, 512))))


def test_selection_is_the_chosen_channels_of_the_cells_that_hold_each_cell() -> None:
    heard = features()
    chosen = np.array([0, 5, 127, 128, 200, 383, 384, 895])
    selection = Selection(chosen, BANDS)
    found = selection.of(heard)
    assert (selection.count, selection.sizes) == (8, [3, 3, 2])
    assert found.shape == (8, BANDS, 8)
    for t in range(8):
        for band in range(BANDS):
            whole = np.concatenate([heard.block2[t, band], heard.block3[t // 2, band // 2], heard.block4[t // 4, band // 4]])
            assert len(whole) == CHANNELS
            np.testing.assert_array_equal(found[t, band], whole[chosen])


def test_selection_may_leave_a_block_out() -> None:
    assert Selection(np.array([300, 301]), 4).of(features()).shape == (8, 4, 2)


@pytest.mark.parametrize(
    "chosen",
    [
        np.zeros(0, np.int64),
        np.array([3, 2]),
        np.array([2, 2]),
        np.array([-1, 4]),
        np.array([895, 896]),
        np.array([0.0, 1.0]),
        np.array([[0, 1]]),
        np.array(["a"]),
    ],
)
def test_selection_of_what_is_no_choice_is_refused(chosen: NDArray[np.generic]) -> None:
    with pytest.raises(ValueError, match="choice of dimensions"):
        Selection(chosen, BANDS)
