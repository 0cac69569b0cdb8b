"""PaDiM and CFA on a synthesised machine, from recordings to windows."""

from __future__ import annotations

import subprocess
import sys
from datetime import datetime, timezone
from pathlib import Path

import msgspec
import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

pytest.importorskip("torch")
pytest.importorskip("onnx")

from calibrate.calibration import calibrate
from calibrate.fitters.cfa import CfaSettings
from calibrate.fitters.fitter import FitterSettings
from calibrate.fitters.padim import PadimSettings
from calibrate.settings import CalibrationSettings
from edge.bundles.bundle import Bundle, write_bundle
from edge.errors import BundleError
from edge.judgement.window import Window
from edge.model import Model
from edge.pipeline import Listener
from edge.scoring import score_file
from export.synthesis import MachineDesign, RotatingMachine, inject, knock_fault, tone_fault

RATE_HZ = 16000
FAULT_S = 8.0
NOON = datetime(2026, 1, 1, 12, tzinfo=timezone.utc)
DETECTORS: dict[str, FitterSettings] = {"padim": PadimSettings(dimensions=60), "cfa": CfaSettings(epochs=8, device="cpu")}


def write(path: Path, samples: NDArray[np.float32]) -> Path:
    path.parent.mkdir(exist_ok=True)
    soundfile.write(path, samples, RATE_HZ, subtype="PCM_16")
    return path


class Site:
    """A steady machine: normal recordings to learn from, later ones with and without a fault."""

    def __init__(self, folder: Path) -> None:
        machine = RotatingMachine(3, RATE_HZ, MachineDesign(load_hold_s=1e6))
        self.folder = folder
        self.normal = [write(folder / "normal" / f"{number}.wav", machine.render(12.0)) for number in range(6)]
        self.fresh = write(folder / "fresh.wav", machine.render(15.0))
        tone = tone_fault(RATE_HZ, 1, seconds=4.0, frequency_hz=3150.0, level_dbfs=-28.0)
        knock = knock_fault(RATE_HZ, 1, peak=0.7)
        self.faults = {
            fault.kind: write(folder / f"{fault.kind}.wav", inject(machine.render(15.0), fault.heard_through(machine.colour), FAULT_S))
            for fault in (tone, knock)
        }
        self.models = {name: Model.load(self.calibrated(name, name)) for name in DETECTORS}

    def calibrated(self, detector: str, name: str) -> Path:
        """A bundle of a detector."""
        settings = CalibrationSettings(fitting=DETECTORS[detector], created_at=NOON)
        return calibrate(self.normal, self.folder / f"{name}.auscult", settings).bundle


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    return Site(tmp_path_factory.mktemp("site"))


@pytest.mark.parametrize("detector", DETECTORS)
def test_calibrated_detector_hears_faults_and_takes_fresh_sound_for_normal(detector: str, site: Site) -> None:
    model = site.models[detector]
    assert score_file(model, site.fresh).score < 1.0
    for path in site.faults.values():
        result = score_file(model, path)
        assert result.score > 1.0
        own = max(result.windows, key=lambda window: window.score or 0.0).heads
        assert max(own, key=lambda head: own[head]).startswith(detector)


@pytest.mark.parametrize("detector", DETECTORS)
def test_calibrated_detector_draws_a_tone_where_it_is(detector: str, site: Site) -> None:
    worst = max(score_file(site.models[detector], site.faults["tone"]).windows, key=lambda window: window.score or 0.0)
    loudest = max(worst.localization.regions, key=lambda region: region.score)
    assert loudest.f_lo_hz < 3150.0 < loudest.f_hi_hz
    assert worst.t_start_s + loudest.t1_s > FAULT_S


@pytest.mark.parametrize("detector", DETECTORS)
def test_streamed_windows_are_those_of_the_file_whatever_the_pieces(detector: str, site: Site) -> None:
    model, path = site.models[detector], site.faults["knock"]
    samples = soundfile.read(path, dtype="float32")[0]
    expected = score_file(model, path).windows
    rng = np.random.default_rng(0)
    for sizes in (np.full(600, 997), rng.integers(1, 5000, 600), np.array([len(samples)])):
        listener = Listener(model, RATE_HZ)
        said = [result for part in np.split(samples, np.cumsum(sizes)[np.cumsum(sizes) < len(samples)]) for result in listener.push(part)]
        windows = [result for result in [*said, *listener.finish()] if isinstance(result, Window)]
        assert [(w.t_start_s, w.score, w.p_value, w.heads) for w in windows] == [
            (w.t_start_s, w.score, w.p_value, w.heads) for w in expected
        ]
        for one, other in zip(windows, expected, strict=True):
            np.testing.assert_array_equal(one.localization.time_scores, other.localization.time_scores)
            assert one.localization.regions == other.localization.regions


@pytest.mark.parametrize("detector", DETECTORS)
def test_same_seed_and_date_give_the_same_bytes(detector: str, site: Site) -> None:
    assert site.calibrated(detector, "again").read_bytes() == (site.folder / f"{detector}.auscult").read_bytes()


def test_manifest_counts_only_what_was_new_to_the_detector(site: Site) -> None:
    supported = {name: model.bundle.manifest.threshold.supported_false_alarms_per_week for name, model in site.models.items()}
    assert supported["padim"] == pytest.approx(3 * 7 * 86400 / 72)
    assert supported["cfa"] == pytest.approx(3 * 7 * 86400 / 12)  # of six recordings every fifth is kept from the training
    assert "12 s of recordings support" in site.models["cfa"].bundle.manifest.threshold.note
    assert "device" not in site.models["cfa"].bundle.manifest.detector.parameters


@pytest.mark.parametrize(("detector", "member"), [("padim", "gaussians"), ("cfa", "spheres")])
def test_bundle_without_a_member_of_the_detector_is_refused_in_one_line(detector: str, member: str, site: Site, tmp_path: Path) -> None:
    bundle = Bundle.read(site.folder / f"{detector}.auscult")
    manifest = msgspec.to_builtins(bundle.manifest)
    del manifest["members"]
    write_bundle(tmp_path / "b.auscult", manifest, {name: held for name, held in bundle.arrays.items() if name != member}, bundle.blobs)
    with pytest.raises(BundleError, match=f"its detector is incomplete \\('{member}'\\)") as refusal:
        Model.load(tmp_path / "b.auscult")
    assert "\n" not in str(refusal.value)


def test_padim_fits_and_scores_where_torch_is_not_installed(site: Site, tmp_path: Path) -> None:
    program = """
import sys
sys.modules.update(dict.fromkeys(("torch", "onnx", "sklearn"), None))
from pathlib import Path
from calibrate.calibration import calibrate
from calibrate.settings import CalibrationSettings
from calibrate.fitters import FITTERS
from edge.model import Model
from edge.scoring import score_file
paths = [Path(path) for path in sys.argv[2:]]
bundle = calibrate(paths, Path(sys.argv[1]), CalibrationSettings(fitting=FITTERS["padim"](dimensions=20))).bundle
print(score_file(Model.load(bundle), paths[0]).score)
"""
    command = [sys.executable, "-c", program, str(tmp_path / "b.auscult"), *map(str, site.normal[:3])]
    done = subprocess.run(command, cwd=Path(__file__).parents[3], capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stderr
    assert 0.0 < float(done.stdout) < 1.0


@pytest.mark.parametrize("detector", DETECTORS)
def test_clips_are_scored_by_the_largest_distance(detector: str, site: Site, tmp_path: Path) -> None:
    fitting: FitterSettings = PadimSettings(dimensions=20) if detector == "padim" else DETECTORS[detector]
    settings = CalibrationSettings(fitting=fitting, mode="clip")
    model = Model.load(calibrate(site.normal, tmp_path / "clip.auscult", settings).bundle)
    knock, fresh = (score_file(model, path) for path in (site.faults["knock"], site.fresh))
    assert all(set(window.heads) == {f"{detector}_largest"} for window in (*knock.windows, *fresh.windows))
    assert knock.score > fresh.score
