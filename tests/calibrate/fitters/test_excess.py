from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from calibrate.embeddings import Recording
from calibrate.fitters.excess import LEAST_DEVIATION, fit_excess
from calibrate.fitters.loudness import loudness_store
from edge.features.feature_extractor import PlacedBlock, file_features
from edge.features.frontend import DCASE, PANNS, FrontEnd
from edge.features.logmel_backbone import LogMelBackbone
from tests.noise import noise_recordings

Float32 = NDArray[np.float32]

RATE_HZ = 32_000


def recording(path: Path, samples: np.ndarray) -> Recording:
    soundfile.write(path, samples.astype(np.float32), RATE_HZ, subtype="FLOAT")
    return Recording(path, 0, round(len(samples) / RATE_HZ / PANNS.cell_s))


def noise(seconds: float, seed: int = 0) -> np.ndarray:
    return 0.05 * np.random.default_rng(seed).standard_normal(round(seconds * RATE_HZ))


def fitted(recordings: list[Recording], front_end: FrontEnd = PANNS) -> tuple[dict[str, Float32], dict[int, Float32]]:
    return fit_excess(loudness_store(recordings, front_end, min(14000.0, front_end.sample_rate_hz / 2)), front_end.cell_s)


def test_fit_excess_deviations_are_the_loudness_of_the_loudest_mel_in_units_of_its_own_spread(tmp_path: Path) -> None:
    recordings = noise_recordings(tmp_path, 12.0, 12.0)
    arrays, maps = fitted(recordings)
    for one, deviations in zip(recordings, maps.values(), strict=True):
        heard = file_features(one.path, 0, LogMelBackbone(), 14000.0)
        frames = np.concatenate([h.block.log_mel[2:34].copy() for h in heard if isinstance(h, PlacedBlock) and h.block.first_cell >= 0])
        loudness = frames.reshape(len(frames) // 4, 4, 16, 4).mean(axis=1)[: len(deviations)]
        expected = ((loudness - arrays["mean"]) / arrays["deviation"]).max(axis=2) / arrays["unit"]
        np.testing.assert_allclose(deviations, expected[: len(deviations)], atol=0.1)  # patches are kept in half precision
    assert 0.9 < np.concatenate(list(maps.values())).std(axis=0).mean() < 1.1


def test_fit_excess_recordings_that_differ_in_loudness_are_no_spread(tmp_path: Path) -> None:
    """Two machines in one: the second is much softer, and neither varies."""
    same = [recording(tmp_path / f"{k}.wav", noise(8.0, k)) for k in range(2)]
    hiss = np.diff(noise(8.0, 3), prepend=0.0)  # 20 dB less in the lowest bands, and more in the highest
    other = [same[0], recording(tmp_path / "other.wav", hiss)]
    one, _ = fitted(same)
    two, _ = fitted(other)
    np.testing.assert_allclose(two["deviation"], one["deviation"], rtol=0.25)


@pytest.mark.parametrize("front_end", [PANNS, DCASE])
def test_fit_excess_what_changes_every_ten_seconds_is_no_spread(front_end: FrontEnd, tmp_path: Path) -> None:
    """Whatever the length of a cell: hiss and rumble in turn vary as little as hiss alone, but for what is heard of both in one piece."""
    hiss, rumble = np.diff(noise(40.0, 1), prepend=0.0), np.convolve(noise(40.0, 1), [0.5, 0.5], "same")
    in_turn = np.where(np.arange(len(hiss)) // (10 * RATE_HZ) % 2 == 0, hiss, rumble)
    plain, _ = fitted([recording(tmp_path / "hiss.wav", hiss)], front_end)
    changing, _ = fitted([recording(tmp_path / "turns.wav", in_turn)], front_end)
    faster, _ = fitted([recording(tmp_path / "fast.wav", np.where(np.arange(len(hiss)) // RATE_HZ % 2 == 0, hiss, rumble))], front_end)
    assert changing["deviation"][0].mean() < 0.5 * faster["deviation"][0].mean()
    assert changing["deviation"][0].mean() < 2.0 * plain["deviation"][0].mean()


def test_fit_excess_a_band_that_hardly_varies_has_the_least_deviation(tmp_path: Path) -> None:
    tones = np.sin(2 * np.pi * np.outer(np.geomspace(60.0, 13000.0, 64), np.arange(8 * RATE_HZ) / RATE_HZ)).mean(axis=0)
    arrays, _ = fitted([recording(tmp_path / "steady.wav", 0.3 * tones)])
    assert arrays["deviation"].min() == pytest.approx(LEAST_DEVIATION)


def test_fit_excess_of_what_holds_too_little_leaves_no_map(tmp_path: Path) -> None:
    silence = recording(tmp_path / "silence.wav", np.zeros(4 * RATE_HZ))
    _, maps = fitted([silence, recording(tmp_path / "noise.wav", noise(6.0))])
    assert list(maps) == [1]
    assert maps[1].shape == (150, 16)
