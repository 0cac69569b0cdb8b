from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from edge.detectors.detector import real_cells
from edge.detectors.embedding import Embeddings
from edge.detectors.patchcore import PatchCore
from edge.features.backbone import Features
from edge.features.feature_stream import FeatureBlock
from edge.features.logmel_backbone import NOTHING

BANDS = 3
DIMENSIONS = 6
WIDTHS = {"cnn14": DIMENSIONS, "logmel": 32, "level": 1}

Fitted = dict[str, dict[str, NDArray[Any]]]


def embeddings_of(first: int) -> Embeddings:
    """Eight cells that say which they are."""
    numbers = (first + np.arange(8)).astype(np.float32)[:, None, None]
    shapes = ((BANDS, DIMENSIONS), (BANDS, 32), (BANDS, 1), (1, 1))
    return Embeddings(first, *(np.broadcast_to(numbers, (8, *shape)).copy() for shape in shapes))


@settings(max_examples=60, deadline=None)
@given(cells=st.integers(1, 120))
def test_real_cells_hold_every_cell_of_a_segment_once_and_no_mirrored_one(cells: int) -> None:
    """Pushed as the feature stream does: nine cells of mirror before, some after, and the length known 8 by 8."""
    heard = []
    for first in range(-9, cells + 7, 8):
        embeddings = embeddings_of(first)
        real = real_cells(embeddings.first_cell, min(cells, first + 25))  # the stream is ahead of the embeddings
        heard += embeddings.level[real, 0, 0].tolist()
    assert heard == list(range(cells))


def arrays(*, network: bool = True) -> Fitted:
    rng = np.random.default_rng(0)
    fitted: Fitted = {}
    if network:
        channels = {"block2": 128, "block3": 256, "block4": 512}
        fitted["projection"] = {name: rng.standard_normal((count, DIMENSIONS)).astype(np.float32) for name, count in channels.items()}
    for feature, width in WIDTHS.items():
        if network or feature != "cnn14":
            bands = 1 if feature == "level" else BANDS
            fitted[feature] = {f"bank_{band}": rng.standard_normal((10, width)).astype(np.float16) for band in range(bands)}
            fitted[feature] |= {
                "folds": np.array([4, 6]),
                "mean": 0.5 + np.arange(bands, dtype=np.float32),
                "deviation": np.full(bands, 0.25, np.float32),
            }
    return fitted


@pytest.mark.parametrize("feature", WIDTHS)
def test_patchcore_deviation_is_the_distance_in_standard_deviations_of_its_band(feature: str) -> None:
    fitted = arrays()
    detector = PatchCore(fitted)
    bands = 1 if feature == "level" else BANDS
    embeddings = embeddings_of(40)
    rows = np.random.default_rng(1).standard_normal((8, bands, WIDTHS[feature])).astype(np.float32)
    embeddings.of(feature)[:] = rows
    (found,) = (one for one in detector.deviations(embeddings, slice(2, 6)) if one.feature == feature)
    assert (found.first_cell, found.values.shape) == (42, (4, bands))
    assert found.values.dtype == np.float32
    for t in range(4):
        for band in range(bands):
            bank = fitted[feature][f"bank_{band}"].astype(np.float32)
            apart = np.linalg.norm(bank - rows[2 + t, band], axis=1)
            distance = (apart[:4].min() + apart[4:].min()) / 2  # two folds: each is left out once
            assert found.values[t, band] == pytest.approx((distance - (0.5 + band)) / 0.25, rel=1e-4, abs=1e-4)


def test_patchcore_knows_its_features_and_their_bands() -> None:
    assert dict(PatchCore(arrays()).features) == {"cnn14": BANDS, "logmel": BANDS, "level": 1}
    assert PatchCore(arrays()).bands == BANDS


def test_patchcore_with_an_excess_judges_by_it_and_by_all_else_as_before() -> None:
    unit = np.array([1.0, 2.0, 4.0], np.float32)
    scale: dict[str, NDArray[Any]] = {
        "mean": np.full((BANDS, 4), 40.0, np.float32),
        "deviation": np.ones((BANDS, 4), np.float32),
        "unit": unit,
    }
    detector, earlier = PatchCore({**arrays(), "excess": scale}), PatchCore(arrays())
    assert list(detector.features.items()) == [("cnn14", BANDS), ("logmel", BANDS), ("excess", BANDS), ("level", 1)]
    said = detector.deviations(embeddings_of(40), slice(1, 8))
    assert [one.feature for one in said] == list(detector.features)
    np.testing.assert_array_equal(said[2].values, np.arange(1, 8)[:, None] / [1.0, 2.0, 4.0])
    for one, before in zip(said[:2] + said[3:], earlier.deviations(embeddings_of(40), slice(1, 8)), strict=True):
        assert (one.feature, one.first_cell) == (before.feature, before.first_cell)
        np.testing.assert_array_equal(one.values, before.values)


def test_patchcore_without_a_network_has_no_such_feature() -> None:
    assert dict(PatchCore(arrays(network=False)).features) == {"logmel": BANDS, "level": 1}


@pytest.mark.parametrize("network", [True, False])
def test_patchcore_stream_gives_every_feature_for_the_same_real_cells(network: bool) -> None:
    detector = PatchCore(arrays(network=network))
    stream = detector.stream()
    rng = np.random.default_rng(2)
    shapes = ((8, 16, 128), (4, 8, 256), (2, 4, 512))
    said = []
    for first in (-8, 0, 8, 16, 24):
        features = Features(*(rng.standard_normal(shape).astype(np.float32) for shape in shapes)) if network else NOTHING
        block = FeatureBlock(first, rng.standard_normal((36, 64)).astype(np.float32), np.zeros(8, np.float32), features)
        said.append([(one.feature, one.first_cell, one.values.shape) for one in stream.push(block, cells=17)])
    assert said[0] == []  # all of it is before the segment
    for one, (first_cell, cells) in zip(said[1:], ((0, 7), (7, 8), (15, 2)), strict=False):
        assert one == [(feature, first_cell, (cells, bands)) for feature, bands in detector.features.items()]
    assert said[4] == []


def test_patchcore_takes_one_bank_for_all_bands() -> None:
    fitted = arrays()
    for feature in ("cnn14", "logmel"):
        for band in (1, 2):
            del fitted[feature][f"bank_{band}"]
    assert PatchCore(fitted).bands == BANDS


def lose_member(fitted: Fitted) -> None:
    del fitted["logmel"]


def lose_last_bank(fitted: Fitted) -> None:
    del fitted["cnn14"]["bank_2"]


def lose_all_banks(fitted: Fitted) -> None:
    for band in range(BANDS):
        del fitted["cnn14"][f"bank_{band}"]


def lose_projection(fitted: Fitted) -> None:
    del fitted["projection"]


def empty_bank(fitted: Fitted) -> None:
    fitted["level"]["bank_0"] = np.zeros((0, 1), np.float16)


def narrow_bank(fitted: Fitted) -> None:
    fitted["logmel"]["bank_1"] = np.zeros((5, 31), np.float16)


def flat_bank(fitted: Fitted) -> None:
    fitted["logmel"]["bank_1"] = np.zeros(32, np.float16)


def nan_in_bank(fitted: Fitted) -> None:
    fitted["cnn14"]["bank_0"][3, 3] = np.nan


def infinite_mean(fitted: Fitted) -> None:
    fitted["level"]["mean"][0] = np.inf


def no_deviation(fitted: Fitted) -> None:
    fitted["logmel"]["deviation"][1] = 0.0


def negative_deviation(fitted: Fitted) -> None:
    fitted["level"]["deviation"][0] = -1.0


def short_mean(fitted: Fitted) -> None:
    fitted["cnn14"]["mean"] = np.zeros(2, np.float32)


def words(fitted: Fitted) -> None:
    fitted["level"]["mean"] = np.array(["loud"])


def other_projection(fitted: Fitted) -> None:
    fitted["projection"]["block3"] = np.zeros((256, DIMENSIONS + 1), np.float32)


def no_bands(fitted: Fitted) -> None:
    for feature in ("cnn14", "logmel"):
        fitted[feature]["mean"] = fitted[feature]["deviation"] = np.zeros(0, np.float32)


@pytest.mark.parametrize(
    "damage",
    [
        lose_member,
        lose_last_bank,
        lose_all_banks,
        lose_projection,
        empty_bank,
        narrow_bank,
        flat_bank,
        nan_in_bank,
        infinite_mean,
        no_deviation,
        negative_deviation,
        short_mean,
        words,
        other_projection,
        no_bands,
    ],
)
def test_patchcore_arrays_that_do_not_belong_together_are_refused(damage: Callable[[Fitted], None]) -> None:
    fitted = arrays()
    damage(fitted)
    with pytest.raises((KeyError, ValueError)):
        PatchCore(fitted)
