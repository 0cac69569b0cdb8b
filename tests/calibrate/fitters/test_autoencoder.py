from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path

import numpy as np
import pytest
import soundfile

pytest.importorskip("torch")
pytest.importorskip("onnx")

from calibrate.calibration import calibrate
from calibrate.fitters.autoencoder import AutoencoderSettings
from calibrate.settings import CalibrationSettings
from edge.bundles.bundle import Bundle
from edge.detectors.autoencoder import AUTOENCODER, MEMBER
from edge.errors import BundleError, UserError
from edge.judgement.steady import STEADY_HEADS
from edge.judgement.tail import SECONDS_PER_WEEK
from edge.model import Model
from edge.scoring import score_file
from export.synthesis import MachineDesign, RotatingMachine, inject, tone_fault
from tests.bundles import tampered

RATE_HZ = 16000
QUICK = CalibrationSettings(
    fitting=AutoencoderSettings(epochs=100, batch=256),
    false_alarms_per_week=1000.0,  # rarer ones are far beyond what ten seconds held out can tell
    created_at=datetime(2026, 1, 1, tzinfo=timezone.utc),
)


class Site:
    """A steady machine: normal recordings, a later one, and one with a tone in it."""

    def __init__(self, folder: Path) -> None:
        machine = RotatingMachine(3, RATE_HZ, MachineDesign(load_hold_s=1e6))
        self.normal = [self._write(folder / f"{number}.wav", machine.render(10.0)) for number in range(5)]
        self.fresh = self._write(folder / "fresh.wav", machine.render(15.0))
        fault = tone_fault(RATE_HZ, 1, 4.0, 3150.0, -33.0).heard_through(machine.colour)
        self.tone = self._write(folder / "tone.wav", inject(machine.render(15.0), fault, 8.0))
        self.bundle = folder / "machine.auscult"
        self.summary = calibrate(self.normal, self.bundle, QUICK)

    @staticmethod
    def _write(path: Path, samples: np.ndarray[tuple[int, ...], np.dtype[np.float32]]) -> Path:
        soundfile.write(path, samples, RATE_HZ)
        return path


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    return Site(tmp_path_factory.mktemp("site"))


def test_autoencoder_hears_a_tone_that_it_never_heard(site: Site) -> None:
    model = Model.load(site.bundle)
    fresh, tone = score_file(model, site.fresh), score_file(model, site.tone)
    assert tone.score > 1.0
    assert tone.score > 5 * fresh.score
    worst = max(tone.windows, key=lambda window: window.score or 0.0)
    assert worst.heads.keys() == {"autoencoder_moment", "autoencoder_sustained", "excess_moment", *STEADY_HEADS}
    assert max(worst.heads, key=lambda head: worst.heads[head]).startswith("autoencoder")
    loudest = max(worst.localization.regions, key=lambda region: region.score)
    assert loudest.f_lo_hz < 3150.0 < loudest.f_hi_hz
    assert worst.t_start_s + loudest.t0_s < 12.0
    assert worst.t_start_s + loudest.t1_s > 8.0


def test_autoencoder_bundle_is_supported_by_the_held_out_sound(site: Site) -> None:
    manifest = Bundle.read(site.bundle).manifest
    assert manifest.threshold.supported_false_alarms_per_week == pytest.approx(3 * SECONDS_PER_WEEK / 10.0)  # one of five recordings
    assert site.summary.supported_false_alarms_per_week == manifest.threshold.supported_false_alarms_per_week
    assert "10 s of recordings support" in site.summary.threshold_note
    assert manifest.detector.parameters["epochs"] == 100
    assert "device" not in manifest.detector.parameters


def test_autoencoder_same_seed_gives_the_same_bundle_byte_for_byte(site: Site, tmp_path: Path) -> None:
    again = calibrate(site.normal, tmp_path / "again.auscult", QUICK).bundle
    assert again.read_bytes() == site.bundle.read_bytes()


def test_autoencoder_clip_mode_scores_by_the_mean_of_its_map(site: Site, tmp_path: Path) -> None:
    settings = CalibrationSettings(fitting=AutoencoderSettings(epochs=5), mode="clip")
    model = Model.load(calibrate(site.normal, tmp_path / "clip.auscult", settings).bundle)
    result = score_file(model, site.tone)
    assert all(set(window.heads) == {"autoencoder_sustained"} for window in result.windows)
    assert result.score > score_file(model, site.fresh).score


def test_autoencoder_bundle_with_a_damaged_network_is_refused_in_one_line(site: Site, tmp_path: Path) -> None:
    def damage(manifest: object, arrays: object, blobs: dict[str, bytes]) -> None:
        blobs[MEMBER] = blobs[MEMBER][:1000]

    def lose(manifest: object, arrays: object, blobs: dict[str, bytes]) -> None:
        del blobs[MEMBER]

    with pytest.raises(BundleError, match=r"broken\.auscult: its network autoencoder\.onnx holds bytes that are not ONNX") as refusal:
        Model.load(tampered(site.bundle, tmp_path / "broken.auscult", damage))
    assert "\n" not in str(refusal.value)
    with pytest.raises(BundleError, match=r"its detector is incomplete \('autoencoder\.onnx'\)"):
        Model.load(tampered(site.bundle, tmp_path / "lost.auscult", lose))


def test_autoencoder_with_another_backbone_is_refused_before_the_work(site: Site, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=f"is not what {AUTOENCODER} takes; use logmel-16k"):
        calibrate(site.normal, tmp_path / "b.auscult", CalibrationSettings(fitting=AutoencoderSettings(), backbone="logmel"))
