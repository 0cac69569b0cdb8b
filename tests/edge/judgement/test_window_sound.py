from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from edge.features.cell_averages import AverageLayout, AverageStream
from edge.features.feature_stream import FeatureBlock
from edge.features.frontend import CLAP, DCASE, FLOOR_POWER, PANNS, FrontEnd, mel_edges_hz, mels_below
from edge.features.logmel_backbone import NOTHING
from edge.features.low_bands import low_edges_hz
from edge.judgement.window_sound import WindowSound

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]

BLOCKS = 6
FRONT_ENDS = (PANNS, CLAP, DCASE)


def layout_of(front_end: FrontEnd, bandwidth_hz: float = 8000.0) -> AverageLayout:
    return AverageLayout(front_end, mels_below(front_end, bandwidth_hz))


class Sound:
    """Frames of noise that swell, and low bands, of some blocks."""

    def __init__(self, front_end: FrontEnd, blocks: int = BLOCKS, seed: int = 0) -> None:
        rng = np.random.default_rng(seed)
        self.layout = layout_of(front_end)
        slope = -30.0 - 20.0 * np.linspace(0.0, 1.0, front_end.mel_bands)
        self.frames = rng.normal(slope, 4.0, (32 * blocks, front_end.mel_bands)) + 3.0 * rng.standard_normal((32 * blocks, 1))
        self.low = rng.normal(-20.0, 3.0, (blocks, len(low_edges_hz(front_end)) - 1))

    def rows(self) -> Float32:
        stream = AverageStream(self.layout)
        blocks = []
        for place in range(len(self.low)):
            own = self.frames[32 * place : 32 * place + 32].astype(np.float32)
            nothing = np.zeros((36, 64), np.float32), np.zeros(8, np.float32), NOTHING
            block = FeatureBlock(8 * place, *nothing, sound_db=own, low_db=self.low[place].astype(np.float32))
            blocks.append(stream.push(block, 8 * len(self.low)))
        return np.concatenate(blocks)

    def banded(self) -> Float64:
        """Shape = (frame, band) dB."""
        wide, layout = self.frames[:, : self.layout.mels], self.layout
        if layout.mels_per_band == 1:
            return wide
        pairs = 10.0 ** (0.1 * wide[:, : 2 * layout.bands])
        return 10.0 * np.log10(0.5 * (pairs[:, 0::2] + pairs[:, 1::2]))


def window(sound: Sound, *, relative: bool = False) -> dict[str, Float64]:
    judged = WindowSound(sound.layout, relative=relative)
    return judged.of_mean(judged.mean(sound.rows()))


@pytest.mark.parametrize("front_end", FRONT_ENDS, ids=lambda front_end: front_end.name)
def test_vectors_of_a_window_are_those_of_its_frames(front_end: FrontEnd) -> None:
    sound = Sound(front_end)
    layout, found, frames = sound.layout, window(sound), sound.banded()
    power = 10.0 ** (0.1 * frames)
    edges = mel_edges_hz(front_end)
    widths = np.array([sum(0.5 * (edges[m + 2] - edges[m]) for m in _mels(layout, band)) for band in range(layout.bands)])
    level_db = 10.0 * np.log10((power.mean(axis=0) * widths).sum() / widths.sum())
    np.testing.assert_allclose(found["level"], [level_db, frames.mean()], atol=1e-3)
    harmonic, arithmetic = -10.0 * np.log10((1.0 / power).mean(axis=0)), 10.0 * np.log10(power.mean(axis=0))
    np.testing.assert_allclose(found["profile"], np.concatenate([harmonic, frames.mean(axis=0), arithmetic]), atol=1e-3)
    np.testing.assert_allclose(found["shape"], frames.mean(axis=0) - level_db, atol=1e-3)
    np.testing.assert_allclose(found["low"], sound.low.mean(axis=0), atol=1e-4)
    bands, groups = layout.bands, layout.groups
    deviation, flux, slow, modulation = np.split(found["dynamics"], [bands, 2 * bands, 2 * bands + groups])
    np.testing.assert_allclose(deviation, frames.std(axis=0), atol=1e-2)
    steps = np.abs(np.diff(frames, axis=0, prepend=frames[:1]))
    np.testing.assert_allclose(flux, steps.mean(axis=0), atol=1e-3)
    grouped = frames[:, : 4 * groups].reshape(BLOCKS, 32, groups, 4).mean(axis=(1, 3))
    np.testing.assert_allclose(slow, grouped.std(axis=0), atol=1e-2)
    assert len(modulation) == 5 * groups
    assert {name: len(vector) for name, vector in found.items()} == WindowSound(layout).dimensions


def _mels(layout: AverageLayout, band: int) -> range:
    return range(layout.mels_per_band * band, layout.mels_per_band * (band + 1))


def test_modulation_of_a_window_is_that_of_swelling_in_decibels() -> None:
    """A group of bands that swells four times a second by 2 dB up and down, half of whose square is its power."""
    sound = Sound(PANNS)
    sound.frames[:] = -40.0
    swelling = 2.0 * np.sin(2.0 * np.pi * (4 / 0.64) * 0.01 * np.arange(32 * BLOCKS))
    sound.frames[:, 8:12] += swelling[:, None]
    groups = sound.layout.groups
    modulation = window(sound)["dynamics"][-5 * groups :].reshape(5, groups)
    assert divmod(int(np.argmax(modulation)), groups) == (2, 2)
    # A sine of amplitude a is a^2 / 4 of so many frames in all lines of one side; a third of it is in the line below, and 1 / 6 beside it.
    assert 10.0 ** (0.1 * modulation[2, 2]) == pytest.approx(64 * 2.0**2 / 4 * (2 / 3 + 1 / 6) / 4, rel=0.02)
    assert np.delete(modulation, 2, axis=1) == pytest.approx(-20.0)  # the least that is told


@pytest.mark.parametrize("front_end", FRONT_ENDS, ids=lambda front_end: front_end.name)
@pytest.mark.parametrize("relative", [False, True])
@pytest.mark.parametrize("band_hz", [(177.0, 354.0), (707.0, 1414.0), (0.0, 1e5)])
@pytest.mark.parametrize("by_db", [-2.5, 0.0, 6.0])
def test_louder_is_the_window_of_sound_that_was_made_louder(
    front_end: FrontEnd, relative: bool, band_hz: tuple[float, float], by_db: float
) -> None:
    plain, loud = Sound(front_end), Sound(front_end)
    layout = plain.layout
    within = (layout.centres_hz >= band_hz[0]) & (layout.centres_hz < band_hz[1])
    loud.frames[:, : layout.bands * layout.mels_per_band] += by_db * np.repeat(within, layout.mels_per_band)
    loud.low += by_db * ((layout.low_centres_hz >= band_hz[0]) & (layout.low_centres_hz < band_hz[1]))
    judged = WindowSound(layout, relative=relative)
    found = judged.of_mean(judged.louder(judged.mean(plain.rows()), band_hz, by_db))
    for name, expected in judged.of_mean(judged.mean(loud.rows())).items():
        np.testing.assert_allclose(found[name], expected, atol=2e-2, err_msg=name)
    assert within.any()


def test_louder_leaves_what_it_was_given_as_it_was() -> None:
    judged = WindowSound(layout_of(PANNS))
    mean = judged.mean(Sound(PANNS).rows())
    before = mean.copy()
    judged.louder(mean, (707.0, 1414.0), 6.0)
    np.testing.assert_array_equal(mean, before)


@pytest.mark.parametrize("relative", [False, True])
def test_gain_moves_the_level_and_all_spectra_with_it_unless_these_are_relative(relative: bool) -> None:
    plain, loud = Sound(PANNS), Sound(PANNS)
    loud.frames += 6.0
    loud.low += 6.0
    before, after = window(plain, relative=relative), window(loud, relative=relative)
    for name in before:
        moved = 6.0 if name == "level" or (name in ("profile", "low") and not relative) else 0.0
        np.testing.assert_allclose(after[name] - before[name], moved, atol=1e-2, err_msg=name)


def test_mean_of_rows_is_of_those_that_were_heard_column_by_column() -> None:
    judged, rows = WindowSound(layout_of(PANNS)), Sound(PANNS).rows()
    rows[10:15] = np.nan  # a gap
    mean = judged.mean(rows)
    heard = np.delete(rows, range(10, 15), axis=0).astype(np.float64)
    modulation = judged.layout.columns["modulation"]
    np.testing.assert_allclose(np.delete(mean, np.r_[modulation]), np.delete(heard, np.r_[modulation], axis=1).mean(axis=0), rtol=1e-6)
    np.testing.assert_allclose(mean[modulation], heard[8:, modulation].mean(axis=0), rtol=1e-6)  # unknown in the first block


def test_window_too_short_for_the_modulation_has_no_dynamics_and_one_of_less_than_a_block_no_low_bands() -> None:
    judged, rows = WindowSound(layout_of(PANNS)), Sound(PANNS).rows()
    assert set(judged.of_mean(judged.mean(rows[:8]))) == {"level", "profile", "shape", "low"}
    for name in ("slow", "low"):
        rows[:, judged.layout.columns[name]] = np.nan
    assert set(judged.of_mean(judged.mean(rows))) == {"level", "profile", "shape"}
    rows[:] = np.nan
    assert judged.of_mean(judged.mean(rows)) == {}


def test_window_of_silence_is_the_floor_and_finite() -> None:
    sound = Sound(PANNS)
    sound.frames[:] = sound.low[:] = -100.0
    found = window(sound)
    assert all(np.isfinite(vector).all() for vector in found.values())
    np.testing.assert_allclose(found["level"], 10.0 * np.log10(FLOOR_POWER), atol=1e-3)
    np.testing.assert_allclose(found["dynamics"][: 2 * sound.layout.bands], 0.0, atol=1e-6)
