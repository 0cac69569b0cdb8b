from __future__ import annotations

from argparse import ArgumentParser
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from calibrate.detector_arguments import add_detector_arguments, fitter_settings
from calibrate.embeddings import Recording, heard_blocks
from calibrate.fitters.gaussians import RIDGE, Sums
from calibrate.fitters.padim import PadimFitter, PadimSettings
from edge.detectors.detector import Parts, real_cells
from edge.detectors.gaussians import Gaussians
from edge.detectors.padim import Padim
from edge.detectors.selection import Selection
from edge.errors import UserError
from edge.features.backbone import Backbone
from edge.features.frontend import mels_below
from edge.features.logmel_backbone import LogMelBackbone
from tests.noise import noise_recordings

SMALL = PadimSettings(dimensions=20)
BANDWIDTH_HZ = 8000.0


@pytest.fixture(scope="module")
def backbone() -> Backbone:
    return Backbone.load("cnn14-random")


def features(recording: Recording, backbone: Backbone, selection: Selection) -> NDArray[np.float64]:
    """What is selected of all cells of a recording, shape = (cell, band, dimension), in half precision."""
    parts = []
    for heard in heard_blocks(recording, backbone, BANDWIDTH_HZ):
        real = real_cells(heard.block.first_cell, heard.cells)
        parts.append(selection.of(heard.block.features)[real])
    return np.concatenate(parts).astype(np.float16).astype(np.float64)


def test_fit_judges_each_recording_by_the_gaussians_of_the_others(tmp_path: Path, backbone: Backbone) -> None:
    recordings = noise_recordings(tmp_path, 4.0, 3.0, 3.0)
    fitted = PadimFitter(backbone, BANDWIDTH_HZ, SMALL).fit(recordings)
    gaussians, standard = fitted.arrays["gaussians"], fitted.arrays["padim"]
    bands = fitted.features["padim"]
    assert fitted.features == {"padim": bands, "excess": bands}
    assert gaussians["centre"].shape == (3, 1, bands, 20)
    scale = gaussians["scale"].astype(np.float64)
    heard = [features(recording, backbone, Selection(gaussians["dimensions"], bands)) * scale for recording in recordings]
    for index, own in enumerate(heard):
        others = np.concatenate([other for place, other in enumerate(heard) if place != index])
        found = fitted.deviations[index]["padim"] * standard["deviation"].astype(np.float32) + standard["mean"].astype(np.float32)
        assert found.shape == (len(own), bands) == (len(fitted.deviations[index]["excess"]), bands)
        for band in range(bands):
            inverse = np.linalg.inv(np.cov(others[:, band].T, bias=True) + RIDGE * np.eye(20))
            apart = own[:, band] - others[:, band].mean(axis=0)
            np.testing.assert_allclose(found[:, band], np.sqrt(np.einsum("td,de,te->t", apart, inverse, apart)), rtol=5e-3)


@pytest.mark.parametrize("seconds", [(10.0,), (5.0, 5.0), (4.0, 3.0, 3.0, 2.0)])
def test_fit_gives_the_deviation_of_every_cell_and_new_sound_scores_the_same(
    seconds: tuple[float, ...], tmp_path: Path, backbone: Backbone
) -> None:
    *known, new = noise_recordings(tmp_path, *seconds, 8.0)
    fitted = PadimFitter(backbone, BANDWIDTH_HZ, SMALL).fit(known)
    assert fitted.unheard_share == 1.0
    for one, duration_s in zip(fitted.deviations, seconds, strict=True):
        assert {feature: values.shape for feature, values in one.items()} == {
            feature: (round(duration_s / 0.04), bands) for feature, bands in fitted.features.items()
        }
        assert all(np.isfinite(values).all() for values in one.values())
    pooled = np.concatenate([one["padim"] for one in fitted.deviations]).astype(np.float64)
    np.testing.assert_allclose(pooled.mean(axis=0), 0.0, atol=1e-4)
    np.testing.assert_allclose(pooled.std(axis=0), 1.0, rtol=1e-4)
    stream = Padim(fitted.arrays, fitted.features["padim"]).stream()
    said = [one.values for heard in heard_blocks(new, backbone, BANDWIDTH_HZ, 0) for one in stream.push(heard.block, heard.cells)[:1]]
    assert sum(map(len, said)) == 200
    assert np.concatenate(said).mean() == pytest.approx(0.0, abs=0.3)


def test_fit_leaves_the_cells_of_a_gap_out(tmp_path: Path, backbone: Backbone) -> None:
    samples = 0.05 * np.random.default_rng(0).standard_normal(8 * 32000)
    samples[3 * 32000 : 5 * 32000] = 0.0
    soundfile.write(tmp_path / "a.wav", samples, 32000)
    (one,) = PadimFitter(backbone, BANDWIDTH_HZ, SMALL).fit([Recording(tmp_path / "a.wav", 0, 200)]).deviations
    unheard = np.isnan(one["padim"]).any(axis=1)
    assert np.flatnonzero(unheard).tolist() == list(range(75, 125))
    np.testing.assert_array_equal(unheard, np.isnan(one["excess"]).all(axis=1))


def test_fit_of_clips_has_a_gaussian_for_each_cell_and_one_scale_for_all(tmp_path: Path, backbone: Backbone) -> None:
    *clips, longer = noise_recordings(tmp_path, 1.0, 1.0, 1.0, 1.0, 2.6)
    fitted = PadimFitter(backbone, BANDWIDTH_HZ, SMALL, "clip").fit([*clips, longer])
    bands = fitted.features["padim"]
    assert fitted.arrays["gaussians"]["centre"].shape == (1, 25, bands, 20)  # the middle recording has 25 cells
    assert fitted.arrays["gaussians"]["whitening"].dtype == np.float16
    assert len(set(fitted.arrays["padim"]["mean"].tolist())) == len(set(fitted.arrays["padim"]["deviation"].tolist())) == 1
    assert [one["padim"].shape for one in fitted.deviations] == [(25, bands)] * 4 + [(65, bands)]


def test_fit_of_clips_knows_a_knock_where_it_always_is_and_nowhere_else(tmp_path: Path, backbone: Backbone) -> None:
    rate_hz = 32000
    knock = np.zeros(rate_hz)
    knock[round(0.5 * rate_hz) : round(0.5 * rate_hz) + 640] = 0.5
    recordings = []
    for index in range(8):
        noise = 0.02 * np.random.default_rng(index).standard_normal(rate_hz)
        moved = np.roll(knock, rate_hz // 4) if index == 7 else knock
        soundfile.write(tmp_path / f"{index}.wav", noise + moved, rate_hz)
        recordings.append(Recording(tmp_path / f"{index}.wav", 0, 25))
    fitted = PadimFitter(backbone, BANDWIDTH_HZ, SMALL, "clip").fit(recordings[:7])
    detector = Padim(fitted.arrays, fitted.features["padim"])
    highest = []
    for recording in recordings[6:]:
        stream = detector.stream()
        heard = [one for block in heard_blocks(recording, backbone, BANDWIDTH_HZ, 0) for one in stream.push(block.block, block.cells)[:1]]
        highest.append(np.concatenate([one.values for one in heard]).max())
    assert highest[1] > 1.5 * highest[0]


def test_fit_of_clips_after_a_gap_starts_at_the_first_moment_as_the_detector_does(
    tmp_path: Path, backbone: Backbone, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Blocks are added, and judged, at the cell that `FeatureBlock.first_cell` says, which starts at 0 after every gap."""
    added: list[int] = []
    judged: list[int] = []

    class WatchedSums(Sums):
        def add(self, first_cell: int, cells: NDArray[np.floating]) -> None:
            added.append(first_cell)
            super().add(first_cell, cells)

    class WatchedGaussians(Gaussians):
        def distances(self, first_cell: int, cells: NDArray[np.float32]) -> NDArray[np.float32]:
            judged.append(first_cell)
            return super().distances(first_cell, cells)

    monkeypatch.setattr("calibrate.fitters.padim.Sums", WatchedSums)
    monkeypatch.setattr("calibrate.fitters.padim.Gaussians", WatchedGaussians)
    noise = 0.05 * np.random.default_rng(7).standard_normal(3 * 32000)
    noise[32000 // 2 : 32000] = 0.0
    soundfile.write(tmp_path / "gap.wav", noise, 32000)
    with_gap = Recording(tmp_path / "gap.wav", 0, 75)
    PadimFitter(backbone, BANDWIDTH_HZ, SMALL, "clip").fit([with_gap])
    heard = [one.block.first_cell for one in heard_blocks(with_gap, backbone, BANDWIDTH_HZ, 0) if 0 <= one.block.first_cell < one.cells]
    assert heard.count(0) == 2
    assert added == judged == heard


def test_fit_of_clips_with_too_many_dimensions_is_refused_in_one_line(tmp_path: Path, backbone: Backbone) -> None:
    with pytest.raises(UserError, match=r"^--padim-dimensions 550: are too many for a Gaussian per cell of a clip; 300 are not$"):
        PadimFitter(backbone, 14000.0, PadimSettings(550), "clip").fit(noise_recordings(tmp_path, 1.0, 1.0, 1.0))


@pytest.mark.parametrize(("most", "moments"), [(99, 50), (50, 50), (49, 34), (25, 25)])
def test_fit_of_long_recordings_as_clips_takes_each_as_several_of_equal_length(
    most: int, moments: int, tmp_path: Path, backbone: Backbone, monkeypatch: pytest.MonkeyPatch
) -> None:
    bands = mels_below(backbone.front_end, BANDWIDTH_HZ) // 4
    monkeypatch.setattr("calibrate.fitters.padim.SUMS_BYTES", (3 + 1) * bands * 210 * 4 * most)  # three folds and all, of 20 dimensions
    fitted = PadimFitter(backbone, BANDWIDTH_HZ, SMALL, "clip").fit(noise_recordings(tmp_path, 4.0, 4.0, 4.0))
    assert fitted.arrays["gaussians"]["centre"].shape == (1, moments, bands, 20)


def test_fit_does_not_depend_on_what_is_cached_and_the_seed_chooses_the_dimensions(
    tmp_path: Path, backbone: Backbone, monkeypatch: pytest.MonkeyPatch
) -> None:
    recordings = noise_recordings(tmp_path, 3.0, 3.0, 3.0)
    cached = PadimFitter(backbone, BANDWIDTH_HZ, SMALL).fit(recordings)
    monkeypatch.setattr("calibrate.embedding_store.CACHE_BYTES", 1)
    again = PadimFitter(backbone, BANDWIDTH_HZ, SMALL).fit(recordings)
    for member, arrays in cached.arrays.items():
        for name, array in arrays.items():
            np.testing.assert_array_equal(array, again.arrays[member][name])
    other = PadimFitter(backbone, BANDWIDTH_HZ, replace(SMALL, seed=1)).fit(recordings)
    assert not np.array_equal(other.arrays["gaussians"]["dimensions"], cached.arrays["gaussians"]["dimensions"])


def test_fitted_arrays_load_as_a_bundle_gives_them(tmp_path: Path, backbone: Backbone) -> None:
    fitted = PadimFitter(backbone, BANDWIDTH_HZ, SMALL).fit(noise_recordings(tmp_path, 2.0, 2.0, 2.0))
    detector = Padim.load(Parts(fitted.arrays, fitted.features["padim"]))
    assert dict(detector.features) == fitted.features


def test_settings_refuse_a_backbone_without_a_network_in_one_line() -> None:
    with pytest.raises(UserError, match=r"^--backbone logmel: has no features for padim; leave it out to use cnn14-distilled$"):
        SMALL.fitter(LogMelBackbone(), BANDWIDTH_HZ, "stream")


def test_settings_come_from_their_options() -> None:
    parser = ArgumentParser()
    parser.add_argument("--seed", type=int, default=0)
    add_detector_arguments(parser)
    assert fitter_settings(parser.parse_args(["--detector", "padim"])) == PadimSettings()
    chosen = parser.parse_args(["--detector", "padim", "--padim-dimensions", "50", "--seed", "3"])
    assert fitter_settings(chosen) == PadimSettings(dimensions=50, seed=3)
