from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from edge.detectors.detector import Parts
from edge.detectors.gaussians import packed
from edge.detectors.padim import Padim
from edge.features.backbone import Features
from edge.features.feature_stream import FeatureBlock

BANDS = 3
CHOSEN = np.array([1, 127, 130, 390, 400])

Fitted = dict[str, dict[str, NDArray[Any]]]


def arrays(moments: int = 1) -> Fitted:
    rng = np.random.default_rng(0)
    size = len(CHOSEN)
    return {
        "gaussians": {
            "dimensions": CHOSEN.astype(np.int16),
            "scale": np.array([1.0, 2.0, 0.5, 3.0, 1.0], np.float32),
            "centre": rng.standard_normal((2, moments, BANDS, size)).astype(np.float32),
            "whitening": packed(np.tril(rng.standard_normal((2, moments, BANDS, size, size)))),
        },
        "padim": {"mean": 2.0 + np.arange(BANDS, dtype=np.float32), "deviation": np.full(BANDS, 0.5, np.float32)},
        "excess": {
            "mean": np.full((BANDS, 4), 3.0, np.float32),
            "deviation": np.full((BANDS, 4), 2.0, np.float32),
            "unit": np.ones(BANDS, np.float32),
        },
        "level": {
            "bank_0": np.array([[-30.0], [-20.0]], np.float16),
            "folds": np.array([1, 1]),
            "mean": np.array([5.0], np.float32),
            "deviation": np.array([2.0], np.float32),
        },
    }


def block(first_cell: int, seed: int = 1) -> FeatureBlock:
    rng = np.random.default_rng(seed)
    features = Features(*(rng.standard_normal(shape).astype(np.float32) for shape in ((8, 16, 128), (4, 8, 256), (2, 4, 512))))
    return FeatureBlock(first_cell, np.zeros((36, 64), np.float32), np.arange(-30.0, -22.0, dtype=np.float32), features)


@pytest.mark.parametrize(("moments", "first_cell"), [(1, 0), (50, 48)])
def test_padim_deviation_is_the_distance_of_chosen_features_from_the_gaussians_of_their_place(moments: int, first_cell: int) -> None:
    fitted = arrays(moments)
    heard = block(first_cell)
    own, excess, level = Padim(fitted, BANDS).stream().push(heard, 1000)
    assert (own.feature, excess.feature, level.feature) == ("padim", "excess", "level")
    assert (own.first_cell, excess.first_cell, level.first_cell) == (first_cell,) * 3
    np.testing.assert_array_equal(excess.values, np.full((8, BANDS), -1.5))
    gaussians = fitted["gaussians"]
    for t in range(8):
        for band in range(BANDS):
            features = heard.features
            whole = np.concatenate([features.block2[t, band], features.block3[t // 2, band // 2], features.block4[t // 4, band // 4]])
            x = whole[CHOSEN] * gaussians["scale"]
            distances = []
            for fold in range(2):
                place = fold, (first_cell + t) % moments, band
                factor = np.zeros((5, 5))
                factor[np.tril_indices(5)] = gaussians["whitening"][place]
                distances.append(np.linalg.norm(factor @ (x - gaussians["centre"][place])))
            assert own.values[t, band] == pytest.approx((np.mean(distances) - (2.0 + band)) / 0.5, rel=1e-4, abs=1e-4)
    # Each of two folds is left out once: the distances to -30 and to -20 dB, on average.
    expected = [((abs(db + 30.0) + abs(db + 20.0)) / 2 - 5.0) / 2.0 for db in heard.level_db]
    np.testing.assert_allclose(level.values[:, 0], expected, atol=1e-5)


def test_padim_stream_gives_all_features_for_the_same_real_cells_without_lag() -> None:
    stream = Padim(arrays(), BANDS).stream()
    said = [
        [(one.feature, one.first_cell, one.values.shape) for one in stream.push(block(first, first + 9), 13)] for first in (-8, 0, 8, 16)
    ]
    assert said[0] == said[3] == []
    assert said[1] == [("padim", 0, (8, BANDS)), ("excess", 0, (8, BANDS)), ("level", 0, (8, 1))]
    assert said[2] == [("padim", 8, (5, BANDS)), ("excess", 8, (5, BANDS)), ("level", 8, (5, 1))]


def test_padim_cell_does_not_depend_on_how_many_of_its_block_are_real() -> None:
    detector = Padim(arrays(50), BANDS)
    whole = detector.stream().push(block(8), 100)
    part = detector.stream().push(block(8), 11)
    for one, other in zip(part, whole, strict=True):
        np.testing.assert_array_equal(one.values, other.values[:3])


def test_padim_load_takes_the_bands_of_the_bundle() -> None:
    detector = Padim.load(Parts(arrays(), BANDS))
    assert (detector.bands, dict(detector.features)) == (BANDS, {"padim": BANDS, "excess": BANDS, "level": 1})


def lose(*path: str) -> Callable[[Fitted], None]:
    def damage(fitted: Fitted) -> None:
        holder: Any = fitted
        for name in path[:-1]:
            holder = holder[name]
        del holder[path[-1]]

    return damage


def put(member: str, name: str, array: NDArray[np.generic]) -> Callable[[Fitted], None]:
    def damage(fitted: Fitted) -> None:
        fitted[member][name] = array

    return damage


@pytest.mark.parametrize(
    "damage",
    [
        lose("gaussians"),
        lose("padim"),
        lose("gaussians", "scale"),
        lose("gaussians", "dimensions"),
        lose("padim", "mean"),
        put("gaussians", "dimensions", CHOSEN[:4]),
        put("gaussians", "dimensions", CHOSEN + 600),
        put("gaussians", "scale", np.full(5, np.nan, np.float32)),
        put("gaussians", "scale", np.ones(6, np.float32)),
        put("gaussians", "centre", np.zeros((2, 1, BANDS + 1, 5), np.float32)),
        put("padim", "deviation", np.zeros(BANDS, np.float32)),
        put("padim", "mean", np.zeros(BANDS + 1, np.float32)),
        put("level", "bank_0", np.zeros((2, 2), np.float16)),
    ],
)
def test_padim_arrays_that_do_not_belong_together_are_refused(damage: Callable[[Fitted], None]) -> None:
    fitted = arrays()
    damage(fitted)
    with pytest.raises((KeyError, ValueError)):
        Padim.load(Parts(fitted, BANDS))
