from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from edge.detectors.embedding import Embeddings
from edge.detectors.patchcore import HEADS, HeadInput, HeadInputs, PatchCore

BANDS = 3
DIMENSIONS = 6


def embeddings_of(cells: int, first: int) -> Embeddings:
    """Eight cells that say which they are."""
    numbers = (first + np.arange(8)).astype(np.float32)
    return Embeddings(
        first,
        np.broadcast_to(numbers[:, None, None], (8, BANDS, DIMENSIONS)).copy(),
        np.broadcast_to(numbers[:, None, None], (8, BANDS, 32)).copy(),
        numbers,
    )


def head_inputs(cells: int) -> list[HeadInput]:
    """All that a segment of so many cells gives, pushed as the feature stream does: three blocks of flush, cells known 8 by 8."""
    inputs = HeadInputs()
    pushed = []
    for first in range(-9, cells + 7, 8):
        known = min(cells, first + 25)  # the stream is ahead of the embeddings
        pushed += inputs.push(embeddings_of(cells, first), known)
    return pushed


@settings(max_examples=60, deadline=None)
@given(cells=st.integers(1, 120))
def test_head_inputs_hold_every_real_cell_once_and_no_mirrored_one(cells: int) -> None:
    pushed = head_inputs(cells)
    for head in ("cnn14_patch", "logmel_patch"):
        heard = np.concatenate([one.values[:, 0, 0] for one in pushed if one.head == head])
        np.testing.assert_array_equal(heard, np.arange(cells))
        starts = [one.first_cell for one in pushed if one.head == head]
        assert starts == [int(one.values[0, 0, 0]) for one in pushed if one.head == head]


@settings(max_examples=60, deadline=None)
@given(cells=st.integers(1, 120))
def test_head_inputs_textures_and_level_are_means_of_their_span(cells: int) -> None:
    pushed = head_inputs(cells)
    for head in ("cnn14_texture", "logmel_texture", "level"):
        own = [one for one in pushed if one.head == head]
        assert own[-1].first_cell == cells - 1  # the last texture reaches the end of the sound
        for one in own:
            assert len(one.values) == 1
            assert one.first_cell - one.span_cells + 1 >= 0
            assert 1 <= one.span_cells <= 32
            expected = np.arange(one.first_cell - one.span_cells + 1, one.first_cell + 1).mean()
            np.testing.assert_allclose(one.values, np.full(one.values.shape, expected), rtol=1e-5)


def arrays() -> dict[str, dict[str, NDArray[Any]]]:
    rng = np.random.default_rng(0)
    channels = {"block2": 128, "block3": 256, "block4": 512}
    fitted: dict[str, dict[str, NDArray[Any]]] = {
        "projection": {name: rng.standard_normal((count, DIMENSIONS)).astype(np.float32) for name, count in channels.items()}
    }
    for head in HEADS:
        bands = 1 if head == "level" else BANDS
        width = {"level": 1, "cnn14": DIMENSIONS, "logmel": 32}[head.split("_")[0]]
        fitted[head] = {f"bank_{band}": rng.standard_normal((10, width)).astype(np.float16) for band in range(bands)}
        fitted[head] |= {"offset": np.full(bands, 0.5, np.float32), "gain": np.full(bands, 2.0, np.float32)}
    return fitted


def test_patchcore_surprise_is_the_distance_on_the_head_s_scale() -> None:
    fitted = arrays()
    detector = PatchCore(fitted)
    assert detector.bands == BANDS
    rows = np.random.default_rng(1).standard_normal((4, BANDS, DIMENSIONS)).astype(np.float32)
    surprise = detector.surprise(HeadInput("cnn14_patch", 40, 1, rows))
    assert (surprise.head, surprise.first_cell, surprise.span_cells) == ("cnn14_patch", 40, 1)
    for t in range(4):
        for band in range(BANDS):
            bank = fitted["cnn14_patch"][f"bank_{band}"].astype(np.float32)
            distance = np.linalg.norm(bank - rows[t, band], axis=1).min()
            assert surprise.values[t, band] == pytest.approx((distance - 0.5) * 2.0, rel=1e-4)


def test_patchcore_takes_one_bank_for_all_bands() -> None:
    fitted = arrays()
    for head in HEADS:
        for band in (1, 2):
            fitted[head].pop(f"bank_{band}", None)
    assert PatchCore(fitted).bands == BANDS


def lose_member(fitted: dict[str, dict[str, NDArray[Any]]]) -> None:
    del fitted["logmel_texture"]


def lose_last_bank(fitted: dict[str, dict[str, NDArray[Any]]]) -> None:
    del fitted["cnn14_patch"]["bank_2"]


def lose_all_banks(fitted: dict[str, dict[str, NDArray[Any]]]) -> None:
    for band in range(BANDS):
        del fitted["cnn14_patch"][f"bank_{band}"]


def empty_bank(fitted: dict[str, dict[str, NDArray[Any]]]) -> None:
    fitted["level"]["bank_0"] = np.zeros((0, 1), np.float16)


def narrow_bank(fitted: dict[str, dict[str, NDArray[Any]]]) -> None:
    fitted["logmel_patch"]["bank_1"] = np.zeros((5, 31), np.float16)


def flat_bank(fitted: dict[str, dict[str, NDArray[Any]]]) -> None:
    fitted["logmel_patch"]["bank_1"] = np.zeros(32, np.float16)


def nan_in_bank(fitted: dict[str, dict[str, NDArray[Any]]]) -> None:
    fitted["cnn14_texture"]["bank_0"][3, 3] = np.nan


def infinite_gain(fitted: dict[str, dict[str, NDArray[Any]]]) -> None:
    fitted["level"]["gain"][0] = np.inf


def short_offset(fitted: dict[str, dict[str, NDArray[Any]]]) -> None:
    fitted["cnn14_texture"]["offset"] = np.zeros(2, np.float32)


def words(fitted: dict[str, dict[str, NDArray[Any]]]) -> None:
    fitted["level"]["offset"] = np.array(["loud"])


def other_projection(fitted: dict[str, dict[str, NDArray[Any]]]) -> None:
    fitted["projection"]["block3"] = np.zeros((256, DIMENSIONS + 1), np.float32)


def no_bands(fitted: dict[str, dict[str, NDArray[Any]]]) -> None:
    for head in HEADS[:-1]:
        fitted[head]["offset"] = fitted[head]["gain"] = np.zeros(0, np.float32)


@pytest.mark.parametrize(
    "damage",
    [
        lose_member,
        lose_last_bank,
        lose_all_banks,
        empty_bank,
        narrow_bank,
        flat_bank,
        nan_in_bank,
        infinite_gain,
        short_offset,
        words,
        other_projection,
        no_bands,
    ],
)
def test_patchcore_arrays_that_do_not_belong_together_are_refused(damage: Any) -> None:
    fitted = arrays()
    damage(fitted)
    with pytest.raises((KeyError, ValueError)):
        PatchCore(fitted)
