"""What a whole listener makes of steady sound: the same in a file, in any pieces, and after a gap."""

from __future__ import annotations

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from calibrate.calibration import calibrate
from calibrate.fitters.patchcore import PatchCoreSettings
from calibrate.settings import CalibrationSettings
from edge.judgement.steady import STEADY_HEADS
from edge.judgement.window import Window
from edge.model import Model
from edge.pipeline import Listener
from edge.scoring import score_file

Float32 = NDArray[np.float32]

RATE_HZ = 16000


def air(seconds: float, seed: int) -> Float32:
    """Noise that breathes."""
    rng = np.random.default_rng(seed)
    count = round(seconds * RATE_HZ)
    hertz = np.fft.rfftfreq(count, 1.0 / RATE_HZ)
    noise = np.fft.irfft(np.fft.rfft(rng.standard_normal(count)) / np.sqrt(1.0 + np.square(hertz / 400.0)), count)
    breath = 1.0 + 0.1 * np.sin(2.0 * np.pi * 0.9 * np.arange(count) / RATE_HZ + rng.uniform(0.0, 6.28))
    return np.asarray(0.1 * noise * breath * 10.0 ** (0.05 * rng.uniform(-0.3, 0.3)), np.float32)


@pytest.fixture(scope="module", params=["logmel", "logmel-16k"])
def model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Model:
    folder = tmp_path_factory.mktemp("air")
    for seed in range(6):
        soundfile.write(folder / f"{seed}.wav", air(8.0, seed), RATE_HZ, subtype="FLOAT")
    chosen = CalibrationSettings(backbone=request.param, fitting=PatchCoreSettings(coreset=40))
    return Model.load(calibrate(sorted(folder.glob("*.wav")), folder / "air.auscult", chosen).bundle)


@pytest.fixture(scope="module")
def clip() -> Float32:
    """Eleven seconds of which an octave is a little louder."""
    sound = np.fft.rfft(air(11.0, 99))
    hertz = np.fft.rfftfreq(11 * RATE_HZ, 1.0 / RATE_HZ)
    sound[(hertz > 707.0) & (hertz < 1414.0)] *= 1.4
    return np.asarray(np.fft.irfft(sound, 11 * RATE_HZ), np.float32)


def listened(model: Model, steps: list[Float32 | int]) -> list[Window]:
    listener = Listener(model, RATE_HZ)
    results = []
    for step in steps:
        results += listener.lose(step) if isinstance(step, int) else listener.push(step)
    return [result for result in results + listener.finish() if isinstance(result, Window)]


def scores(windows: list[Window]) -> list[float]:
    return [float("nan") if window.score is None else window.score for window in windows]


@settings(max_examples=12, deadline=None)
@given(cuts=st.lists(st.integers(0, 11 * RATE_HZ), max_size=40))
def test_listener_score_of_sound_in_pieces_is_that_of_the_file(
    model: Model, clip: Float32, cuts: list[int], tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.getbasetemp() / "clip.wav"
    if not path.exists():
        soundfile.write(path, clip, RATE_HZ, subtype="FLOAT")
    expected = list(score_file(model, path).windows)
    found = listened(model, list(np.split(clip, sorted(cuts))))
    assert scores(found) == pytest.approx(scores(expected), abs=1e-4)
    for one, other in zip(found, expected, strict=True):
        assert one.heads == pytest.approx(other.heads, abs=1e-4)
        assert set(one.heads) > set(STEADY_HEADS)
    assert max(max(window.heads[head] for head in STEADY_HEADS) for window in found) > 0.1


@pytest.mark.parametrize("before_s", [0.5, 3.0])
def test_listener_score_after_a_gap_is_that_of_the_sound_alone(model: Model, before_s: float) -> None:
    """The gap ends where a window begins; each stretch of sound is averaged by itself."""
    window_cells, cell = model.window_cells, model.front_end.cell_s
    window_s = window_cells * cell
    sound = air(10.5, 77)[: round(window_s * RATE_HZ)]
    (alone,) = listened(model, [sound])
    lost = round(window_s * RATE_HZ) - round(before_s * RATE_HZ)
    after = listened(model, [air(5.0, 78)[: round(before_s * RATE_HZ)], lost, sound])[-1]
    assert after.lost_s == 0.0
    assert alone.score is not None
    assert after.score == pytest.approx(alone.score, abs=1e-4)
    assert after.heads == pytest.approx(alone.heads, abs=1e-4)


def test_listener_window_with_a_gap_is_judged_by_what_was_heard_of_it(model: Model) -> None:
    sound = air(10.0, 55)
    whole = listened(model, [sound])[-1]
    for lost_s in (0.5, 2.0, 4.5):
        lost = round(lost_s * RATE_HZ)
        holed = listened(model, [sound[: 5 * RATE_HZ], lost, sound[5 * RATE_HZ + lost :]])[-1]
        assert holed.score is not None
        assert whole.score is not None
        assert holed.score < 1.0
        assert holed.score == pytest.approx(whole.score, abs=0.35)
        assert set(holed.heads) == set(whole.heads)


@pytest.mark.parametrize("length_s", [0.3, 0.7, 1.0, 3.0])
def test_listener_short_normal_sound_is_no_alarm(model: Model, length_s: float) -> None:
    for seed in range(200, 206):
        (window,) = listened(model, [air(length_s, seed)])
        assert window.score is not None
        assert window.score < 1.0
