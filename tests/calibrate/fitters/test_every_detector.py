"""What all detectors have in common: each is judged by its own map, by how loud each moment is, and by its average."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import soundfile

pytest.importorskip("torch", reason="four of the detectors are trained: that needs the extra [train]")
pytest.importorskip("onnx", reason="trained networks are written as ONNX: that needs the extra [train]")

from calibrate.calibration import calibrate
from calibrate.fitters import FITTERS
from calibrate.fitters.auddsr import AudDsrSettings
from calibrate.fitters.autoencoder import AutoencoderSettings
from calibrate.fitters.cfa import CfaSettings
from calibrate.fitters.fitter import FitterSettings
from calibrate.fitters.padim import PadimSettings
from calibrate.fitters.patchcore import PatchCoreSettings
from calibrate.fitters.stfpm import StfpmSettings
from calibrate.settings import CalibrationSettings
from edge.detectors.detector import EXCESS, LEVEL
from edge.judgement.evidence import ALIKE
from edge.judgement.head_names import head_names
from edge.judgement.steady import STEADY, STEADY_HEADS
from edge.judgement.window import Window
from edge.model import Model
from edge.scoring import FileScore, score_file
from export.synthesis import MachineDesign, RotatingMachine, inject, knock_fault
from tests.bundles import tampered

RATE_HZ = 32000
SMALL: dict[str, FitterSettings] = {
    "patchcore": PatchCoreSettings(coreset=20),
    "padim": PadimSettings(dimensions=10),
    "cfa": CfaSettings(centres=4, epochs=1, device="cpu"),
    "autoencoder": AutoencoderSettings(epochs=2, device="cpu"),
    "auddsr": AudDsrSettings(
        autoencoder_steps=2, autoencoder_batch=4, steps=2, batch=4, codes=8, channels=4, synthesised_minutes=0.0, device="cpu"
    ),
    "stfpm": StfpmSettings(steps=2, batch=2, device="cpu"),
}


@dataclass(frozen=True)
class Site:
    """A steady machine: normal recordings, and one with a knock."""

    folder: Path
    normal: list[Path]
    knock: Path

    def calibrated(self, detector: str, mode: Any) -> Path:
        settings = CalibrationSettings(fitting=SMALL[detector], mode=mode, created_at=datetime(2026, 1, 1, tzinfo=timezone.utc))
        return calibrate(self.normal, self.folder / f"{detector}-{mode}.auscult", settings).bundle


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    folder = tmp_path_factory.mktemp("site")
    machine = RotatingMachine(3, RATE_HZ, MachineDesign(load_hold_s=1e6))
    normal = [folder / f"{number}.wav" for number in range(3)]
    for path in normal:
        soundfile.write(path, machine.render(6.0), RATE_HZ)
    fault = knock_fault(RATE_HZ, 1, peak=0.7).heard_through(machine.colour)
    soundfile.write(folder / "knock.wav", inject(machine.render(14.0), fault, 7.0), RATE_HZ)
    return Site(folder, normal, folder / "knock.wav")


def have_a_level(manifest: dict[str, Any], arrays: dict[str, Any], blobs: object) -> None:
    """A bundle as it was when the level was a feature of cells, and there was no excess."""
    arrays[LEVEL] = {
        "bank_0": np.array([[-50.0], [-40.0]], np.float16),
        "folds": np.array([1, 1]),
        "mean": np.array([5.0], np.float32),
        "deviation": np.array([2.0], np.float32),
    }
    del arrays[EXCESS]


def be_earlier(manifest: dict[str, Any], arrays: dict[str, Any], blobs: object) -> None:
    """The same, with its heads."""
    have_a_level(manifest, arrays, blobs)
    parameters = manifest["detector"]["parameters"]
    heads = parameters["heads"]
    for name in [name for name in heads if name.startswith(EXCESS)]:
        del heads[name]
    if parameters.pop(STEADY, None) is not None:
        del arrays[STEADY]
        heads[LEVEL] = {"onset": 1.0, "scale": 1.0, "centre": 0.0, "cells": 250}


def said(result: FileScore) -> list[object]:
    """All that is said of a file, with its maps."""
    return [msgspec.json.encode((w.t_start_s, w.score, w.p_value, w.heads, w.localization.time_scores.tolist())) for w in result.windows]


def evidence(window: Window, model: Model) -> dict[str, float]:
    """What each head of cells made of a window, whatever the others did."""
    assert window.score is not None
    assert window.surprise is not None
    steady = () if model.steady is None else model.steady.heads
    shares = {head: share / window.score for head, share in window.heads.items() if head not in steady}
    whole = sum(shares.values())  # the square of the part of the cells, where the two kinds are at right angles
    together = ALIKE * np.log1p(window.surprise * np.sqrt(whole) * model.units.cells)
    return {head: float(share / whole * together) for head, share in shares.items()}


def test_small_settings_are_there_for_every_detector() -> None:
    assert set(SMALL) == set(FITTERS)


@pytest.mark.parametrize("detector", SMALL)
def test_settings_name_the_features_of_the_bundle_the_detectors_own_first(detector: str) -> None:
    *own, excess = SMALL[detector].features
    assert excess == EXCESS
    assert own == (["cnn14", "logmel"] if detector == "patchcore" else [detector])


@pytest.mark.parametrize("detector", SMALL)
def test_stream_is_judged_by_the_own_heads_the_excess_and_those_of_steady_sound(detector: str, site: Site) -> None:
    bundle = site.calibrated(detector, "stream")
    model = Model.load(bundle)
    assert tuple(model.detector.features) == SMALL[detector].features
    own = [head for head in head_names(model.detector.features) if head.startswith(SMALL[detector].features[:-1])]
    assert own[:2] == [f"{SMALL[detector].features[0]}_moment", f"{SMALL[detector].features[0]}_sustained"]
    windows = score_file(model, site.knock).windows
    assert windows
    assert all(list(window.heads) == [*own, "excess_moment", *STEADY_HEADS] for window in windows)
    knocked = max(evidence(window, model)["excess_moment"] for window in windows)
    assert knocked > 2.0 * max(evidence(window, model)["excess_moment"] for window in score_file(model, site.normal[2]).windows)

    before = Model.load(tampered(bundle, site.folder / "earlier.auscult", be_earlier))
    for window, earlier in zip(windows, score_file(before, site.knock).windows, strict=True):
        now, then = evidence(window, model), evidence(earlier, before)
        assert list(then) == [*own, LEVEL]
        assert {head: then[head] for head in own} == pytest.approx({head: now[head] for head in own}, rel=1e-6)


@pytest.mark.parametrize("detector", [name for name in SMALL if name not in ("cfa", "stfpm")])
def test_clips_are_scored_and_drawn_as_if_there_were_no_excess(detector: str, site: Site) -> None:
    bundle = site.calibrated(detector, "clip")
    result = score_file(Model.load(bundle), site.knock)
    for change in (have_a_level, be_earlier):
        before = score_file(Model.load(tampered(bundle, site.folder / "earlier.auscult", change)), site.knock)
        assert said(result) == said(before)
        assert result.score == before.score
