from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("onnx")

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.detectors.autoencoder import AUTOENCODER, MEMBER, Autoencoder, over_cells, over_stacks, stacked
from edge.detectors.detector import EXCESS, LEVEL, Parts
from edge.errors import BundleError
from tests.networks import RATE_HZ, autoencoder_network, frames_of, parts_of, said, sound


@pytest.fixture(scope="module")
def detector() -> Autoencoder:
    return Autoencoder.load(parts_of(AUTOENCODER, 32))


def test_stacked_is_five_neighbouring_frames_in_a_row_the_earliest_first() -> None:
    frames = np.array([[10 * t, 10 * t + 1] for t in range(7)], np.float32)
    np.testing.assert_array_equal(
        stacked(frames),
        [[0, 1, 10, 11, 20, 21, 30, 31, 40, 41], [10, 11, 20, 21, 30, 31, 40, 41, 50, 51], [20, 21, 30, 31, 40, 41, 50, 51, 60, 61]],
    )


def test_over_stacks_is_the_mean_of_what_five_stacks_say_of_a_frame() -> None:
    """Six stacks of one mel; errors are written by hand. Only frames 4 and 5 are in five of them."""
    errors = np.zeros((6, 5, 1), np.float32)
    errors[0, 4] = 5.0  # frame 4 in the first stack, where it is the last
    errors[4, 0] = 10.0  # frame 4 in the fifth, where it is the first
    errors[3, 2] = 20.0  # frame 5 in the fourth
    errors[0, 0] = 1000.0  # frame 0, which is left out
    np.testing.assert_array_equal(over_stacks(errors)[:, 0], [3.0, 4.0])


def test_over_cells_is_the_mean_of_four_frames_and_four_mels() -> None:
    errors = np.zeros((8, 8), np.float32)
    errors[:4, 4:] = 1.0
    errors[7, 0] = 32.0
    np.testing.assert_array_equal(over_cells(errors), [[0.0, 1.0], [2.0, 0.0]])


def test_autoencoder_map_equals_the_slow_way(detector: Autoencoder) -> None:
    """Stack by stack through torch, and each frame's errors looked up; away from the ends, where there is a mirror image."""
    samples = sound(4.0)
    frames = frames_of(samples)
    network = autoencoder_network(32)
    squares = np.full((len(frames), 5, 128), np.nan)
    for first in range(len(frames) - 4):
        stack = frames[first : first + 5].reshape(1, -1)
        with torch.inference_mode():
            restored = network(torch.from_numpy(stack)).numpy()
        for place, square in enumerate(((restored - stack) ** 2).reshape(5, 128)):
            squares[first + place, place] = square
    of_frames = squares.mean(axis=1)  # (frame, mel), NaN where fewer than five stacks hold a frame
    slow = np.array([[of_frames[4 * c : 4 * c + 4, 4 * b : 4 * b + 4].mean() for b in range(32)] for c in range(len(frames) // 4)])
    fast = said(detector, samples, [1000])[AUTOENCODER]
    assert fast.shape == slow.shape
    np.testing.assert_allclose(fast[1:-1], slow[1:-1], rtol=1e-4)


@settings(max_examples=12, deadline=None)
@given(pieces=st.lists(st.integers(1, 40000), min_size=1, max_size=4), seconds=st.sampled_from([0.3, 1.0, 2.9, 4.2]))
def test_autoencoder_map_is_the_same_for_any_sizes_of_the_pushes(detector: Autoencoder, pieces: list[int], seconds: float) -> None:
    pieces = [max(size, 200) for size in pieces]
    whole = said(detector, sound(seconds), [round(seconds * RATE_HZ)])
    again = said(detector, sound(seconds), pieces)
    cells = (round(seconds * RATE_HZ) // 512 + 1) // 4
    assert whole[AUTOENCODER].shape == (cells, 32)
    assert whole[EXCESS].shape == (cells, 32)
    assert whole[LEVEL].shape == (cells, 1)
    for feature in whole:
        np.testing.assert_array_equal(again[feature], whole[feature])


def test_autoencoder_bands_without_sound_are_no_part_of_it() -> None:
    narrow = Autoencoder.load(parts_of(AUTOENCODER, 20))
    values = said(narrow, sound(2.0), [16000], bandwidth_hz=3000.0)[AUTOENCODER]
    assert values.shape == (15, 20)
    assert dict(narrow.features) == {AUTOENCODER: 20, EXCESS: 20, LEVEL: 1}


def test_autoencoder_level_is_that_of_the_same_cells(detector: Autoencoder) -> None:
    samples = np.concatenate([0.1 * sound(2.048), sound(2.048)])  # from cell 16 on 20 dB louder
    found = said(detector, samples, [777])
    far = np.abs(np.diff(found[LEVEL][:, 0]))
    assert far[14:17].max() > 5.0
    assert len(found[LEVEL]) == len(found[AUTOENCODER])


def test_autoencoder_excess_is_the_loudness_of_the_same_cells(detector: Autoencoder) -> None:
    samples = sound(4.0)
    frames = frames_of(samples)
    loudness = frames.reshape(-1, 4, frames.shape[1] // 4, 4).mean(axis=1).max(axis=2)
    np.testing.assert_allclose(said(detector, samples, [777])[EXCESS], loudness, rtol=1e-5)


@pytest.mark.parametrize("member", [AUTOENCODER])
def test_autoencoder_without_an_array_is_refused(member: str) -> None:
    whole = parts_of(AUTOENCODER, 32)
    with pytest.raises(KeyError):
        Autoencoder.load(Parts({name: one for name, one in whole.arrays.items() if name != member}, 32, whole.blobs))


def test_autoencoder_of_another_bandwidth_is_refused() -> None:
    whole, other = parts_of(AUTOENCODER, 32), parts_of(AUTOENCODER, 20)
    with pytest.raises(BundleError, match=f"its network {MEMBER} does not take"):
        Autoencoder.load(Parts(other.arrays, 20, whole.blobs))
