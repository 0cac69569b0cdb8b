from __future__ import annotations

import numpy as np
import pytest

from edge.judgement.seams import SEAM_CELLS, seams_of, within


def test_seams_are_the_cells_near_an_end_or_a_gap() -> None:
    known = np.ones(200, np.bool_)
    known[80:90] = False
    at = np.arange(200)
    near = [(at < SEAM_CELLS), (at >= 200 - SEAM_CELLS), (at >= 80 - SEAM_CELLS) & (at < 90 + SEAM_CELLS)]
    np.testing.assert_array_equal(seams_of(known), np.logical_or.reduce(near))


@pytest.mark.parametrize("cells", [0, 1, 2 * SEAM_CELLS])
def test_seams_of_a_short_recording_are_all_of_it(cells: int) -> None:
    assert seams_of(np.ones(cells, np.bool_)).tolist() == [True] * cells


def test_within_is_what_is_known_and_no_seam() -> None:
    known, seams = np.ones(100, np.bool_), np.arange(100) < 12
    known[50:60] = False
    assert np.flatnonzero(within(known, seams)).tolist() == [*range(12, 50), *range(60, 100)]


@pytest.mark.parametrize(("cells", "left"), [(73, 49), (72, 48), (71, 71), (25, 25)])
def test_within_a_clip_of_which_seams_leave_less_than_two_thirds_is_all_of_it(cells: int, left: int) -> None:
    known = np.ones(cells, np.bool_)
    assert np.count_nonzero(within(known, seams_of(known))) == left


def test_within_nothing_known_is_nothing() -> None:
    assert not within(np.zeros(40, np.bool_), np.ones(40, np.bool_)).any()
