"""STFPM as a bundle's detector. Its teacher and its student are the two built-in backbones: two networks that disagree."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import msgspec
import numpy as np
import pytest
from numpy.typing import NDArray

from edge.detectors.detector import EXCESS, LEVEL, Parts
from edge.detectors.pyramid import LAG_CELLS, PyramidStream
from edge.detectors.stfpm import CARD_MEMBER, STFPM, STUDENT_MEMBER, Stfpm
from edge.errors import BundleError
from edge.features.backbone import BUILT_IN, DEFAULT_BACKBONE, Backbone
from edge.features.feature_stream import FeatureStream

Float32 = NDArray[np.float32]

BANDS = 12
BANDWIDTH_HZ = 8000.0
STUDENT = "cnn14-random"


@pytest.fixture(scope="module")
def teacher() -> Backbone:
    return Backbone.load(DEFAULT_BACKBONE)


def parts() -> Parts:
    """What the bundle of a fitted STFPM holds."""
    return Parts(
        arrays={
            STFPM: {"mean": np.linspace(0.2, 0.4, BANDS, dtype=np.float32), "deviation": np.full(BANDS, 0.05, np.float32)},
            EXCESS: {
                "mean": np.full((BANDS, 4), -20.0, np.float32),
                "deviation": np.full((BANDS, 4), 4.0, np.float32),
                "unit": np.ones(BANDS, np.float32),
            },
            LEVEL: {
                "bank_0": np.array([[-40.0], [-30.0]], np.float16),
                "folds": np.array([1, 1]),
                "mean": np.zeros(1, np.float32),
                "deviation": np.ones(1, np.float32),
            },
        },
        bands=BANDS,
        blobs={
            STUDENT_MEMBER: (BUILT_IN / f"{STUDENT}.onnx").read_bytes(),
            CARD_MEMBER: (BUILT_IN / f"{STUDENT}.json").read_bytes(),
        },
        subject="pump1.auscult",
    )


def test_stfpm_tells_of_every_real_cell_once_what_map_and_loudness_are(teacher: Backbone) -> None:
    fitted = parts()
    detector = Stfpm.load(fitted)
    assert dict(detector.features) == {STFPM: BANDS, EXCESS: BANDS, LEVEL: 1}
    assert detector.bands == BANDS
    stream, pyramid = detector.stream(), PyramidStream(Backbone.load(STUDENT))
    features = FeatureStream(teacher, BANDWIDTH_HZ)
    samples = 0.05 * np.random.default_rng(0).standard_normal(32000 * 3 + 777).astype(np.float32)
    said: dict[str, list[Float32]] = {STFPM: [], EXCESS: [], LEVEL: []}
    maps: list[Float32] = []
    levels: list[Float32] = []
    frames: list[Float32] = []
    for pushed in (features.push(samples), features.finish()):
        for block in pushed:
            maps.append(pyramid.push(block))
            levels.append(block.level_db.copy())
            frames.append(block.log_mel[2:34].copy())
            deviations = stream.push(block, features.cells)
            assert [one.feature for one in deviations] in ([], [STFPM, EXCESS, LEVEL])
            for one in deviations:
                assert one.first_cell == sum(map(len, said[one.feature]))
                said[one.feature].append(one.values)
    assert [len(np.concatenate(values)) for values in said.values()] == [features.cells] * 3
    cells = np.concatenate(maps)[8 + LAG_CELLS :][: features.cells, :BANDS]
    expected = (cells - np.linspace(0.2, 0.4, BANDS, dtype=np.float32)) / 0.05
    np.testing.assert_allclose(np.concatenate(said[STFPM]), expected, rtol=1e-5, atol=1e-5)
    level = np.concatenate(levels)[8:][: features.cells]
    apart = (np.abs(level + 40.0) + np.abs(level + 30.0)) / 2  # of two folds with one level each
    np.testing.assert_allclose(np.concatenate(said[LEVEL])[:, 0], apart, rtol=1e-4)
    loudness = np.concatenate(frames).reshape(-1, 4, 16, 4).mean(axis=1).max(axis=2)[8:][: features.cells, :BANDS]
    np.testing.assert_allclose(np.concatenate(said[EXCESS]), (loudness + 20.0) / 4.0, atol=1e-4)


def test_stfpm_streams_do_not_disturb_each_other(teacher: Backbone) -> None:
    detector = Stfpm.load(parts())
    samples = 0.05 * np.random.default_rng(1).standard_normal(32000 * 2).astype(np.float32)

    def first_words(others: int) -> Float32:
        features, stream = FeatureStream(teacher, BANDWIDTH_HZ), detector.stream()
        distractions = [detector.stream() for _ in range(others)]
        values = []
        for block in features.push(samples):
            values += [one.values for one in stream.push(block, features.cells) if one.feature == STFPM]
            for other in distractions:
                other.push(replace(block, ahead=block.ahead + np.float32(9.0)), features.cells)
        return np.concatenate(values)

    np.testing.assert_array_equal(first_words(0), first_words(2))


Arrays = dict[str, Any]


def no_deviation(arrays: Arrays) -> None:
    arrays[STFPM]["deviation"][3] = 0.0


def short_mean(arrays: Arrays) -> None:
    arrays[STFPM]["mean"] = arrays[STFPM]["mean"][:-1]


def nan_mean(arrays: Arrays) -> None:
    arrays[STFPM]["mean"][0] = np.nan


@pytest.mark.parametrize("member", [STUDENT_MEMBER, CARD_MEMBER])
def test_stfpm_without_a_member_says_which(member: str) -> None:
    whole = parts()
    with pytest.raises(KeyError, match=member):
        Stfpm.load(replace(whole, blobs={name: blob for name, blob in whole.blobs.items() if name != member}))


@pytest.mark.parametrize("damage", [no_deviation, short_mean, nan_mean, lambda arrays: arrays.pop(STFPM)])
def test_stfpm_arrays_that_do_not_belong_together_are_refused(damage: Callable[[Arrays], object]) -> None:
    whole = parts()
    arrays = {member: {name: array.copy() for name, array in fitted.items()} for member, fitted in whole.arrays.items()}
    damage(arrays)
    with pytest.raises((KeyError, ValueError)):
        Stfpm.load(replace(whole, arrays=arrays))


def card_with(**fields: object) -> bytes:
    return msgspec.json.encode(msgspec.json.decode((BUILT_IN / f"{STUDENT}.json").read_bytes()) | fields)


@pytest.mark.parametrize(
    ("blobs", "said"),
    [
        ({STUDENT_MEMBER: b"nothing of the kind"}, "its student.onnx does not match the sha256 on its card"),
        ({STUDENT_MEMBER: (BUILT_IN / f"{DEFAULT_BACKBONE}.onnx").read_bytes()}, "its student.onnx does not match the sha256 on its card"),
        ({CARD_MEMBER: b"[]"}, "its student.json is not a backbone's card"),
        ({CARD_MEMBER: card_with(schema=7)}, "its student.json has card schema 7"),
        ({CARD_MEMBER: card_with(front_end="clap-44k")}, "its student takes the front end clap-44k"),
        ({CARD_MEMBER: card_with(front_end="vggish")}, "its student.onnx needs the unknown front end 'vggish'"),
    ],
)
def test_stfpm_damaged_or_foreign_student_is_refused_in_one_line(blobs: dict[str, bytes], said: str) -> None:
    whole = parts()
    with pytest.raises(BundleError) as caught:
        Stfpm.load(replace(whole, blobs={**whole.blobs, **blobs}))
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_stfpm_beside_a_backbone_without_a_network_is_refused() -> None:
    with pytest.raises(BundleError, match=r"pump1\.auscult: .* no backbone with a network"):
        Stfpm.load(replace(parts(), has_network=False))
