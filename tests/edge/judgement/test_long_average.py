from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from edge.features.frontend import BLOCK_CELLS
from edge.judgement.long_average import SPARE_BLOCKS, WINDOWS, LongAverage

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]
Blocks = list[tuple[int, Float32]]  # the first cell of each, and its rows

WINDOW_CELLS = 50
LONG_CELLS = WINDOWS * WINDOW_CELLS
COLUMNS = 3


def blocks(places: list[int], seed: int = 0, unknown: float = 0.0) -> Blocks:
    """Whole blocks of random averages, some of which are not known."""
    rng = np.random.default_rng(seed)
    found = []
    for place in places:
        rows = rng.normal(-30.0, 5.0, (BLOCK_CELLS, COLUMNS)).astype(np.float32)
        rows[rng.random(rows.shape) < unknown] = np.nan
        found.append((BLOCK_CELLS * place, rows))
    return found


def heard(put: Blocks) -> LongAverage:
    average = LongAverage(COLUMNS, WINDOW_CELLS)
    for first, rows in put:
        average.put(rows, first)
    return average


def direct(put: Blocks, last_cell: int) -> tuple[Float64, int]:
    """The plain mean over the blocks that end by a cell, no longer before it than the long window is long."""
    kept = [rows for first, rows in put if last_cell - LONG_CELLS < first + len(rows) <= last_cell]
    cells = np.concatenate(kept) if kept else np.full((0, COLUMNS), np.nan, np.float32)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # nothing known
        return np.nanmean(cells, axis=0, dtype=np.float64), len(cells)


@settings(max_examples=60, deadline=None)
@example(count=28, gap=0, late=60, unknown=0.0, cut=1)  # the first block still counts, and a cut one is a block too
@given(
    count=st.integers(0, 60),
    gap=st.integers(0, 40),
    late=st.integers(0, SPARE_BLOCKS * BLOCK_CELLS),
    unknown=st.sampled_from([0.0, 0.3]),
    cut=st.integers(1, BLOCK_CELLS),
)
def test_mean_is_that_of_the_cells_of_the_last_half_minute_however_late_it_is_asked_for(
    count: int, gap: int, late: int, unknown: float, cut: int
) -> None:
    """The ring holds 28 blocks, so of 60 it has overwritten the first; a gap lies in the midst, and the last block is cut off."""
    put = blocks([*range(count // 2), *range(count // 2 + gap, count + gap)], count, unknown)
    put = [*put[:-1], *((first, rows[:cut]) for first, rows in put[-1:])]
    last_cell = max(0, put[-1][0] + cut - late) if put else 0
    (means, cells), (expected, number) = heard(put).mean(last_cell), direct(put, last_cell)
    assert cells == number
    np.testing.assert_allclose(means, expected, rtol=1e-5)


def test_mean_leaves_out_blocks_that_end_behind_the_window() -> None:
    """A detector that lags is judged later than the averages are heard."""
    put = blocks(list(range(12)))
    average = heard(put)
    before = average.mean(8 * BLOCK_CELLS)
    loud = [(12 * BLOCK_CELLS, np.full((BLOCK_CELLS, COLUMNS), 1e3, np.float32))]
    average.put(loud[0][1], loud[0][0])
    for last_cell in (8 * BLOCK_CELLS, 9 * BLOCK_CELLS - 1):
        means, cells = average.mean(last_cell)
        np.testing.assert_array_equal(means, before[0])
        assert cells == before[1] == 8 * BLOCK_CELLS
    assert average.mean(9 * BLOCK_CELLS)[1] == 9 * BLOCK_CELLS
    assert average.mean(13 * BLOCK_CELLS)[0].max() > 0.0


def test_mean_of_a_long_stream_forgets_what_lies_before_the_long_window() -> None:
    loud = [(first, rows + np.float32(100.0)) for first, rows in blocks(list(range(200)))]
    quiet = blocks(list(range(200, 200 + LONG_CELLS // BLOCK_CELLS + 1)))
    means, cells = heard([*loud, *quiet]).mean(quiet[-1][0] + BLOCK_CELLS)
    assert means.max() < 0.0
    assert LONG_CELLS - BLOCK_CELLS < cells <= LONG_CELLS + BLOCK_CELLS


@pytest.mark.parametrize("gap_blocks", [3, LONG_CELLS // BLOCK_CELLS - 2, LONG_CELLS // BLOCK_CELLS + 1, 10_000])
def test_mean_after_a_gap_holds_what_was_heard_before_it_only_while_that_is_recent(gap_blocks: int) -> None:
    before, after = blocks(list(range(4))), blocks([4 + gap_blocks], seed=1)
    means, cells = heard([*before, *after]).mean(after[0][0] + BLOCK_CELLS)
    remembered = {3: 4, LONG_CELLS // BLOCK_CELLS - 2: 2}.get(gap_blocks, 0)
    assert cells == BLOCK_CELLS * (1 + remembered)
    kept = [rows for _, rows in before[len(before) - remembered :]]
    np.testing.assert_allclose(means, np.concatenate([*kept, after[0][1]]).mean(axis=0), rtol=1e-5)


def test_mean_of_a_column_that_was_never_known_is_unknown_and_the_others_are_their_own() -> None:
    """The fine bands are not known of a last block that is cut off."""
    put = blocks([0, 1, 2])
    put[1][1][:, 1] = np.nan
    for _, rows in put:
        rows[:, 2] = np.nan
    means, cells = heard(put).mean(3 * BLOCK_CELLS)
    assert cells == 3 * BLOCK_CELLS
    assert means[1] == pytest.approx(np.concatenate([put[0][1], put[2][1]])[:, 1].mean())
    assert np.isnan(means).tolist() == [False, False, True]


def test_mean_of_nothing_is_of_no_cells() -> None:
    means, cells = LongAverage(COLUMNS, WINDOW_CELLS).mean(10 * WINDOW_CELLS)
    assert cells == 0
    assert np.isnan(means).all()
    assert heard(blocks([5])).mean(3 * BLOCK_CELLS)[1] == 0
