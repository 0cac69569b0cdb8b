"""The backbone `logmel`, from normal recordings to an alarm, with no network anywhere."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
from numpy.typing import NDArray

from calibrate.calibration import calibrate
from calibrate.fitters.patchcore import PatchCoreSettings
from calibrate.settings import CalibrationSettings
from edge.bundles.bundle import Bundle
from edge.console.cli import run_command
from edge.errors import BackboneError, BundleError
from edge.features.any_backbone import load_backbone
from edge.features.backbone import Backbone
from edge.features.logmel_backbone import LOGMEL, LogMelBackbone
from edge.judgement.event import Event
from edge.judgement.steady import STEADY_HEADS
from edge.judgement.window import Window
from edge.model import Model
from edge.pipeline import Listener
from edge.scoring import score_file
from export.synthesis import inject, tone_fault
from tests.bundles import RATE_HZ, CalibratedMachine, tampered


@pytest.fixture(scope="module", autouse=True)
def _no_session(machine: CalibratedMachine) -> Iterator[None]:
    """Whoever opens an ONNX session in here fails; the machine's own bundle, which has a network, is there by then."""

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("opened an ONNX session")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(onnxruntime, "InferenceSession", refuse)
        yield


@pytest.fixture(scope="module")
def bundle(machine: CalibratedMachine, tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("logmel") / "machine.auscult"
    calibrate(list(machine.recordings), output, CalibrationSettings(backbone=LOGMEL, fitting=PatchCoreSettings(coreset=64)))
    return output


@pytest.fixture(scope="module")
def faulty(machine: CalibratedMachine) -> NDArray[np.float32]:
    return inject(machine.samples[: 13 * RATE_HZ], tone_fault(RATE_HZ, 1, 3.0, 5200.0, -30.0), 4.0)


def test_sessions_cannot_be_opened_in_these_tests() -> None:
    with pytest.raises(BackboneError, match="opened an ONNX session"):
        Backbone.load("cnn14-random")


def test_load_backbone_knows_those_without_a_network_and_tells_of_it_where_a_name_is_wrong() -> None:
    backbone = load_backbone(LOGMEL)
    assert isinstance(backbone, LogMelBackbone)
    assert (backbone.name, backbone.precision, backbone.has_network) == ("logmel", "fp32", False)
    with pytest.raises(BackboneError, match=r"built in are: .*cnn14-random, logmel, logmel-16k;"):
        load_backbone("logmle")


def test_logmel_backbone_gives_features_without_channels() -> None:
    features = LogMelBackbone().stream().push(np.zeros((32, 64), np.float32))
    assert [block.shape for block in (features.block2, features.block3, features.block4)] == [(8, 16, 0), (4, 8, 0), (2, 4, 0)]


def test_logmel_bundle_holds_no_network_and_nothing_of_it(bundle: Path) -> None:
    written = Bundle.read(bundle)
    assert set(written.arrays) == {"logmel", "excess", "steady", "probe"}
    assert written.blobs == {}
    assert (written.manifest.backbone.name, written.manifest.backbone.precision) == ("logmel", "fp32")
    assert set(written.manifest.detector.parameters["heads"]) == {
        *("logmel_sustained", "excess_moment"),
        *("logmel_cell", "logmel_second", "excess_cell", "excess_second"),
    }


def test_logmel_bundle_scores_a_fault_and_new_normal_sound(machine: CalibratedMachine, bundle: Path, faulty: NDArray[np.float32]) -> None:
    model = Model.load(bundle)
    assert not model.backbone.has_network
    assert max(score_file(model, path).score for path in machine.recordings) < 1.0
    for samples, found in ((machine.samples[: 20 * RATE_HZ], False), (faulty, True)):
        listener = Listener(model, RATE_HZ)
        results = [*listener.push(samples), *listener.finish()]
        windows = [result for result in results if isinstance(result, Window)]
        assert all(set(window.heads) == {"logmel_sustained", "excess_moment", *STEADY_HEADS} for window in windows)
        assert all(window.anomalous == found for window in windows)
        events = [result for result in results if isinstance(result, Event)]
        assert len({event.id for event in events}) == found
        if found:
            assert events[-1].t_start_s == pytest.approx(4.0, abs=0.5)
            assert events[-1].regions[0].f_lo_hz < 5200.0 < events[-1].regions[0].f_hi_hz


def test_logmel_bundle_is_made_and_scored_from_the_command_line(
    machine: CalibratedMachine, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recordings, output = str(machine.recordings[0].parent), str(tmp_path / "b.auscult")
    options = ["--recordings", recordings, "--output", output, "--backbone", "logmel", "--coreset", "50"]
    assert run_command("calibrate.commands.calibrate", "auscult calibrate", options) == 0
    capsys.readouterr()
    assert run_command("edge.commands.score", "auscult score", ["--bundle", output, str(machine.recordings[0])]) == 0
    assert json.loads(capsys.readouterr().out)["score"] < 1.0


def test_logmel_bundle_whose_log_mel_comes_out_differently_is_refused(bundle: Path, tmp_path: Path) -> None:
    """The probe is of what there is: log-mel itself."""
    cells = Bundle.read(bundle).arrays["probe"]["cells"]
    assert cells.shape[1] == 64
    assert len(cells) > 150

    def other(manifest: dict[str, Any], arrays: dict[str, dict[str, NDArray[Any]]], blobs: dict[str, bytes]) -> None:
        arrays["probe"]["cells"] = arrays["probe"]["cells"] * np.float16(1.1)

    with pytest.raises(BundleError, match=r"computes the backbone logmel \(fp32\) differently"):
        Model.load(tampered(bundle, tmp_path / "b.auscult", other))


def test_logmel_bundle_that_names_other_weights_is_refused(bundle: Path, tmp_path: Path) -> None:
    def other(manifest: dict[str, Any], arrays: dict[str, dict[str, NDArray[Any]]], blobs: dict[str, bytes]) -> None:
        manifest["backbone"]["sha256"] = "0" * 64

    with pytest.raises(BundleError, match="another backbone"):
        Model.load(tampered(bundle, tmp_path / "b.auscult", other))


def test_load_backbone_knows_the_finer_bands_of_the_published_networks() -> None:
    backbone = load_backbone("logmel-16k")
    assert isinstance(backbone, LogMelBackbone)
    assert (backbone.name, backbone.front_end.name, backbone.front_end.bands) == ("logmel-16k", "dcase-16k", 32)
    assert backbone.front_end.cell_s == pytest.approx(0.128)
