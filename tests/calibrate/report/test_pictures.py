from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from calibrate.report.pictures import Squeezed, map_picture, spectrogram
from edge.features.frontend import PANNS, mel_edges_hz
from tests.bundles import RATE_HZ, CalibratedMachine

pytest.importorskip("matplotlib", reason="pictures need the extra [report]")


def pixels(png: bytes) -> NDArray[np.uint8]:
    from PIL import Image

    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB"))


@pytest.mark.parametrize("rows", [1, 7, 20, 21, 39, 40, 41, 1000, 12_345])
def test_squeezed_keeps_the_peaks_of_any_length_in_few_columns(rows: int) -> None:
    values = np.random.default_rng(rows).standard_normal((rows, 3)).astype(np.float32)
    squeezed = Squeezed(10)
    for part in np.array_split(values, 5):
        squeezed.add(part)
    picture = squeezed.picture
    assert len(picture) <= 20
    assert len(picture) >= min(rows, 10)
    assert (picture.max(axis=0) == values.max(axis=0)).all()
    assert picture[0, 0] >= values[0, 0]


def test_squeezed_shows_unknown_only_where_all_is_unknown() -> None:
    values = np.ones((40, 1), np.float32)
    values[:11] = np.nan
    squeezed = Squeezed(10)
    squeezed.add(values)
    picture = squeezed.picture[:, 0]  # ten columns of four rows: the third has one row that is known
    assert np.isnan(picture).tolist() == [True] * 2 + [False] * 8
    assert (picture[2:] == 1.0).all()


def test_spectrogram_of_a_tone_is_a_bright_line_at_its_height(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    samples = 0.001 * rng.standard_normal(5 * RATE_HZ) + 0.5 * np.sin(2 * np.pi * 1000.0 / RATE_HZ * np.arange(5 * RATE_HZ))
    soundfile.write(tmp_path / "tone.wav", samples, RATE_HZ)
    picture = pixels(spectrogram(tmp_path / "tone.wav", PANNS)).sum(axis=2)  # (band from above, column)
    brightest = picture.mean(axis=1).argmax()
    edges_hz = mel_edges_hz(PANNS)
    band = PANNS.mel_bands - 1 - int(brightest)
    assert edges_hz[band] < 1000.0 < edges_hz[band + 2]
    assert 240 <= picture.shape[1] <= 480


def test_spectrogram_of_hours_is_as_small_as_of_seconds(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "long.wav", 0.1 * np.random.default_rng(0).standard_normal(300 * 8000), 8000)
    png = spectrogram(tmp_path / "long.wav", PANNS)
    assert pixels(png).shape[1] <= 480
    assert len(png) < 40_000


def test_map_picture_is_cold_on_normal_sound_and_warm_where_it_is_wrong(machine: CalibratedMachine, tmp_path: Path) -> None:
    samples = machine.samples[: 10 * RATE_HZ].copy()
    samples[5 * RATE_HZ :] += 0.3 * np.sin(2 * np.pi * 3300.0 / RATE_HZ * np.arange(5 * RATE_HZ)).astype(np.float32)
    soundfile.write(tmp_path / "fault.wav", samples, RATE_HZ)
    picture = pixels(map_picture(machine.model, tmp_path / "fault.wav")).astype(int)
    columns = picture.shape[1]
    warm: NDArray[np.bool_] = (picture[:, :, 0] > picture[:, :, 2]).max(axis=0)  # (column,) more red than blue
    assert not warm[columns // 8 : columns * 3 // 8].any()
    assert warm[columns * 5 // 8 : columns * 7 // 8].all()
