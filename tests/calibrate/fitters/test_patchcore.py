from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

import calibrate.fitters.patchcore as fitter
from calibrate.fitters.patchcore import PatchCoreFitter, PatchCoreSettings
from calibrate.head_scale import HeadScale, fit_head_scale
from edge.detectors.patchcore import HEADS, PatchCore
from edge.features.backbone import Backbone
from edge.features.frontend import mels_below
from tests.noise import noise_recordings

SMALL = PatchCoreSettings(coreset=50, texture_coreset=20)
EVERYTHING = PatchCoreSettings(coreset=2000, texture_coreset=2000)  # of a few seconds


@pytest.fixture(scope="module")
def backbone() -> Backbone:
    return Backbone.load("cnn14-random")


@pytest.mark.parametrize("seconds", [(10.0,), (5.0, 5.0), (4.0, 3.0, 3.0), (1.0, 1.0, 1.0, 1.0, 1.0, 1.0)])
def test_fit_never_compares_sound_with_itself(
    seconds: tuple[float, ...], tmp_path: Path, backbone: Backbone, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No patch is thinned out here, so whatever is compared with its own fold has a distance of zero."""
    measured: list[NDArray[np.float32]] = []

    def noted(distances: NDArray[np.float32], blocks: NDArray[np.int64], count: int, least: float) -> tuple[HeadScale, NDArray[np.float64]]:
        measured.append(distances)
        return fit_head_scale(distances, blocks, count, least)

    monkeypatch.setattr(fitter, "CANDIDATES_PER_PATCH", 100)
    monkeypatch.setattr(fitter, "fit_head_scale", noted)
    PatchCoreFitter(backbone, 14000.0, EVERYTHING).fit(noise_recordings(tmp_path, *seconds))
    for head, distances in zip(HEADS, measured, strict=True):
        if head != "level":  # one number per block: two may be the same by chance
            assert distances.min() > 0.02 * np.median(distances), head


def test_fit_gives_arrays_of_every_head_and_band(tmp_path: Path, backbone: Backbone) -> None:
    bandwidth_hz = 8000.0
    bands = mels_below(backbone.front_end, bandwidth_hz) // 4
    fitted = PatchCoreFitter(backbone, bandwidth_hz, SMALL).fit(noise_recordings(tmp_path, 6.0, 6.0))
    detector = PatchCore(fitted.arrays)
    assert detector.bands == bands < 16
    for head, size in (("cnn14_patch", 50), ("logmel_patch", 50), ("cnn14_texture", 20), ("logmel_texture", 20)):
        banks = [array for name, array in fitted.arrays[head].items() if name.startswith("bank_")]
        assert len(banks) == bands
        assert all(len(bank) <= size for bank in banks)
        assert all(bank.dtype == np.float16 for bank in banks)
        assert fitted.arrays[head]["offset"].shape == (bands,)
    assert all(len(bank) == 50 for name, bank in fitted.arrays["cnn14_patch"].items() if name.startswith("bank_"))


def test_fit_with_a_shared_bank_gives_one_of_all_bands(tmp_path: Path, backbone: Backbone) -> None:
    settings = PatchCoreSettings(coreset=50, texture_coreset=20, banks="shared")
    fitted = PatchCoreFitter(backbone, 14000.0, settings).fit(noise_recordings(tmp_path, 6.0, 6.0))
    assert [name for name in fitted.arrays["cnn14_patch"] if name.startswith("bank_")] == ["bank_0"]
    assert len(fitted.arrays["cnn14_patch"]["bank_0"]) == 50 * 16
    assert fitted.arrays["cnn14_patch"]["offset"].shape == (16,)


def test_fit_tells_the_surprise_of_every_block_of_every_recording(tmp_path: Path, backbone: Backbone) -> None:
    fitted = PatchCoreFitter(backbone, 14000.0, SMALL).fit(noise_recordings(tmp_path, 6.0, 4.0, 3.0))
    assert [len(series) for series in fitted.surprise] == pytest.approx([6.0 / 0.32, 4.0 / 0.32, 3.0 / 0.32], abs=2)
    assert np.isfinite(np.concatenate(fitted.surprise)).all()


def test_fit_does_not_depend_on_what_is_cached(tmp_path: Path, backbone: Backbone, monkeypatch: pytest.MonkeyPatch) -> None:
    recordings = noise_recordings(tmp_path, 6.0, 4.0, 3.0)
    cached = PatchCoreFitter(backbone, 14000.0, SMALL).fit(recordings)
    monkeypatch.setattr("calibrate.embeddings.CACHE_BYTES", 1)
    again = PatchCoreFitter(backbone, 14000.0, SMALL).fit(recordings)
    for member, arrays in cached.arrays.items():
        for name, array in arrays.items():
            assert np.array_equal(array, again.arrays[member][name]), (member, name)
