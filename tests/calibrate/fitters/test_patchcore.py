from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

import calibrate.fitters.banks as fitter
from calibrate.embeddings import Recording
from calibrate.fitters.patchcore import PatchCoreFitter, PatchCoreSettings
from edge.detectors import bank
from edge.detectors.patchcore import FEATURES, PatchCore
from edge.features.backbone import Backbone
from edge.features.feature_extractor import PlacedBlock, file_features
from edge.features.frontend import mels_below
from edge.features.logmel_backbone import LogMelBackbone
from tests.noise import noise_recordings

SMALL = PatchCoreSettings(coreset=50)
EVERYTHING = PatchCoreSettings(coreset=2000)  # of a few seconds


@pytest.fixture(scope="module")
def backbone() -> Backbone:
    return Backbone.load("cnn14-random")


@pytest.mark.parametrize("seconds", [(10.0,), (5.0, 5.0), (4.0, 3.0, 3.0), (1.0, 1.0, 1.0, 1.0, 1.0, 1.0)])
def test_fit_never_compares_sound_with_itself(
    seconds: tuple[float, ...], tmp_path: Path, backbone: Backbone, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No patch is thinned out here, so whatever is compared with its own fold has a distance of zero."""
    monkeypatch.setattr(fitter, "CANDIDATES_PER_PATCH", 100)
    monkeypatch.setattr(bank, "EASE", 0.0)
    fitted = PatchCoreFitter(backbone, 14000.0, EVERYTHING).fit(noise_recordings(tmp_path, *seconds))
    for feature in ("cnn14", "logmel"):
        mean, deviation = fitted.arrays[feature]["mean"], fitted.arrays[feature]["deviation"]
        distances = np.concatenate([one[feature] for one in fitted.deviations]) * deviation + mean
        assert distances.min() > 0.02 * np.median(distances), feature


def test_fit_gives_arrays_of_every_feature_and_band(tmp_path: Path, backbone: Backbone) -> None:
    bandwidth_hz = 8000.0
    bands = mels_below(backbone.front_end, bandwidth_hz) // 4
    fitted = PatchCoreFitter(backbone, bandwidth_hz, SMALL).fit(noise_recordings(tmp_path, 6.0, 6.0))
    detector = PatchCore(fitted.arrays)
    assert detector.bands == bands < 16
    assert fitted.features == dict(detector.features) == {"cnn14": bands, "logmel": bands, "excess": bands}
    for feature, count in fitted.features.items():
        shape = (count, 4) if feature == "excess" else (count,)
        assert fitted.arrays[feature]["mean"].shape == fitted.arrays[feature]["deviation"].shape == shape
        if feature == "excess":
            continue
        banks = [array for name, array in fitted.arrays[feature].items() if name.startswith("bank_")]
        assert [len(bank) for bank in banks] == [50] * count
        assert all(bank.dtype == np.float16 for bank in banks)


def test_fit_without_a_network_has_no_projection_and_no_cnn14(tmp_path: Path) -> None:
    fitted = PatchCoreFitter(LogMelBackbone(), 14000.0, SMALL).fit(noise_recordings(tmp_path, 6.0, 6.0))
    assert set(fitted.arrays) == {"logmel", "excess"}
    assert fitted.features == dict(PatchCore(fitted.arrays).features) == {"logmel": 16, "excess": 16}


def test_fit_with_a_shared_bank_gives_one_of_all_bands(tmp_path: Path, backbone: Backbone) -> None:
    settings = PatchCoreSettings(coreset=50, banks="shared")
    fitted = PatchCoreFitter(backbone, 14000.0, settings).fit(noise_recordings(tmp_path, 6.0, 6.0))
    assert [name for name in fitted.arrays["cnn14"] if name.startswith("bank_")] == ["bank_0"]
    assert len(fitted.arrays["cnn14"]["bank_0"]) == 50 * 16
    assert fitted.arrays["cnn14"]["mean"].shape == (16,)


def test_fit_tells_the_deviation_of_every_cell_of_every_recording(tmp_path: Path, backbone: Backbone) -> None:
    fitted = PatchCoreFitter(backbone, 14000.0, SMALL).fit(noise_recordings(tmp_path, 6.0, 4.0, 3.0))
    for feature, bands in fitted.features.items():
        assert [one[feature].shape for one in fitted.deviations] == [(150, bands), (100, bands), (75, bands)]
        assert all(np.isfinite(one[feature]).all() for one in fitted.deviations)


def test_fit_leaves_the_cells_of_a_gap_out(tmp_path: Path) -> None:
    rate_hz = 32000
    samples = 0.05 * np.random.default_rng(0).standard_normal(8 * rate_hz)
    samples[3 * rate_hz : 5 * rate_hz] = 0.0
    soundfile.write(tmp_path / "a.wav", samples, rate_hz)
    fitted = PatchCoreFitter(LogMelBackbone(), 14000.0, SMALL).fit([Recording(tmp_path / "a.wav", 0, 200)])
    (one,) = fitted.deviations
    unheard = np.isnan(one["logmel"]).any(axis=1)
    assert np.flatnonzero(unheard).tolist() == list(range(75, 125))
    np.testing.assert_array_equal(unheard, np.isnan(one["excess"]).all(axis=1))


def test_fit_brings_every_band_to_mean_zero_and_deviation_one(tmp_path: Path, backbone: Backbone) -> None:
    fitted = PatchCoreFitter(backbone, 14000.0, SMALL).fit(noise_recordings(tmp_path, 6.0, 4.0, 3.0))
    for feature in ("cnn14", "logmel"):
        pooled = np.concatenate([one[feature] for one in fitted.deviations]).astype(np.float64)
        np.testing.assert_allclose(pooled.mean(axis=0), 0.0, atol=1e-4)
        np.testing.assert_allclose(pooled.std(axis=0), 1.0, rtol=1e-4)


def test_fit_detector_hears_new_sound_as_the_fit_heard_what_it_left_out(tmp_path: Path, backbone: Backbone) -> None:
    """What the heads are fitted on, and what the detector says later, are on one scale."""
    *known, new = noise_recordings(tmp_path, 8.0, 8.0, 8.0, 8.0)
    detector = PatchCore(PatchCoreFitter(backbone, 14000.0, SMALL).fit(known).arrays)
    stream = detector.stream()
    said: dict[str, list[float]] = {feature: [] for feature in FEATURES}
    for heard in file_features(new.path, 0, backbone, 14000.0):
        assert isinstance(heard, PlacedBlock)
        for deviation in stream.push(heard.block, heard.cells):
            said[deviation.feature] += deviation.values.mean(axis=1).tolist()
    assert [len(values) for values in said.values()] == [200] * 3
    for feature in ("cnn14", "logmel"):
        assert np.mean(said[feature]) == pytest.approx(0.0, abs=0.3)


def test_fit_does_not_depend_on_what_is_cached(tmp_path: Path, backbone: Backbone, monkeypatch: pytest.MonkeyPatch) -> None:
    recordings = noise_recordings(tmp_path, 6.0, 4.0, 3.0)
    cached = PatchCoreFitter(backbone, 14000.0, SMALL).fit(recordings)
    monkeypatch.setattr("calibrate.embedding_store.CACHE_BYTES", 1)
    again = PatchCoreFitter(backbone, 14000.0, SMALL).fit(recordings)
    for member, arrays in cached.arrays.items():
        for name, array in arrays.items():
            assert np.array_equal(array, again.arrays[member][name]), (member, name)
    for one, other in zip(cached.deviations, again.deviations, strict=True):
        assert all(np.array_equal(one[feature], other[feature]) for feature in FEATURES)
