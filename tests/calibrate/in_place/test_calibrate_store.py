from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from calibrate.calibration import Calibration, calibrate
from calibrate.fitters.patchcore import PatchCoreSettings
from calibrate.in_place.calibrate_store import calibrate_store
from calibrate.in_place.learned_sound import LearnedSound
from calibrate.settings import CalibrationSettings
from edge.bundles.bundle import Bundle
from edge.console.cli import run_command
from edge.errors import BackboneError, StoreError, UserError
from edge.judgement.window import Window
from edge.learning.source_learner import SourceLearner
from edge.learning.store import Store
from edge.model import Model
from edge.pipeline import Listener
from export.synthesis import MachineDesign, RotatingMachine, inject, knock_fault, tone_fault
from tests.bundles import Float32

RATE_HZ = 16000
LEARNED_S = 230.0
QUICK = CalibrationSettings(fitting=PatchCoreSettings(coreset=60))
FEW_MINUTES = 120.0


@dataclass(frozen=True)
class Site:
    """A machine that changes its load; a bundle of its first half minute, and what was learned under that."""

    machine: RotatingMachine
    first: Path
    store: Path
    normal: Path  # a recording of the sound that was learned


def scores(model: Model, samples: Float32) -> list[float]:
    listener = Listener(model, RATE_HZ)
    results = [*listener.push(samples), *listener.finish()]
    return [result.score for result in results if isinstance(result, Window) and result.score is not None]


def made_site(folder: Path, learned_s: float, settings: CalibrationSettings) -> Site:
    machine = RotatingMachine(3, RATE_HZ, MachineDesign(load_hold_s=20.0, slip=0.004))
    first, normal = folder / "first.wav", folder / "normal.wav"
    soundfile.write(first, machine.render(60.0), RATE_HZ, subtype="PCM_24")
    learned = machine.render(learned_s)
    soundfile.write(normal, learned, RATE_HZ, subtype="PCM_24")
    bundle = folder / "first.auscult"
    calibrate([first], bundle, settings)
    listener = Listener(Model.load(bundle), RATE_HZ)
    listener.overhear(SourceLearner("pump1", folder / "learning" / "pump1", 7.0))
    for second in np.array_split(learned, round(learned_s)):
        listener.push(second)
    return Site(machine, bundle, folder / "learning" / "pump1", normal)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    return made_site(tmp_path_factory.mktemp("site"), LEARNED_S, QUICK)


@pytest.fixture(autouse=True)
def few_minutes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("calibrate.in_place.learned_sound.LEAST_S", FEW_MINUTES)


@pytest.fixture(scope="module")
def learned(site: Site, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Calibration]:
    output = tmp_path_factory.mktemp("learned") / "pump1.auscult"
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("calibrate.in_place.learned_sound.LEAST_S", FEW_MINUTES)
        return output, calibrate_store(site.store, output, QUICK)


def test_calibrate_store_makes_a_bundle_that_finds_new_sound_normal_and_faults_anomalous(
    site: Site, learned: tuple[Path, Calibration]
) -> None:
    model = Model.load(learned[0])
    assert max(scores(model, site.machine.render(30.0))) < 1.0
    tone = tone_fault(RATE_HZ, 1, seconds=4.0, frequency_hz=3150.0, level_dbfs=-36.0).heard_through(site.machine.colour)
    knock = knock_fault(RATE_HZ, 1, peak=0.7).heard_through(site.machine.colour)
    for fault in (tone, knock):
        assert max(scores(model, inject(site.machine.render(20.0), fault, 10.0))) > 1.0


def test_calibrate_store_tells_what_the_sound_vouches_for(site: Site, learned: tuple[Path, Calibration]) -> None:
    path, told = learned
    manifest = Bundle.read(path).manifest
    store = Store(site.store)
    assert manifest.data.seconds == told.seconds == pytest.approx(store.learned_s, abs=0.01)
    assert manifest.data.sources == ("pump1, learned in place",)
    unheard_s = 5.0 * sum(one.values.shape[0] for one in store.stretches() if one.values is not None)
    assert manifest.threshold.supported_false_alarms_per_week == pytest.approx(3 * 7 * 86_400 / unheard_s)
    assert set(manifest.detector.parameters["heads"]) == set(Bundle.read(site.first).manifest.detector.parameters["heads"])


def test_calibrate_store_is_the_same_each_time(site: Site, learned: tuple[Path, Calibration], tmp_path: Path) -> None:
    again, other = tmp_path / "again.auscult", tmp_path / "other.auscult"
    for output, seed in ((again, 0), (other, 1)):
        calibrate_store(site.store, output, replace(QUICK, fitting=PatchCoreSettings(coreset=60, seed=seed)))
    heads = [Bundle.read(path).manifest.detector.parameters["heads"] for path in (learned[0], again, other)]
    assert heads[0] == heads[1] != heads[2]


def test_calibrate_store_that_learned_for_too_short_says_how_much_is_needed(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("calibrate.in_place.learned_sound.LEAST_S", 600.0)
    with pytest.raises(StoreError, match="holds 4 min of normal sound; 10 min are the least"):
        calibrate_store(site.store, tmp_path / "pump1.auscult", QUICK)


def test_calibrate_store_where_there_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no store here"):
        calibrate_store(tmp_path, tmp_path / "pump1.auscult", QUICK)


def test_calibrate_store_of_a_backbone_that_is_another_here_is_refused(site: Site, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="was learned with another backbone"):
        calibrate_store(site.store, tmp_path / "pump1.auscult", replace(QUICK, backbone="cnn14-random"))
    with pytest.raises(BackboneError):
        calibrate_store(site.store, tmp_path / "pump1.auscult", replace(QUICK, backbone="none-of-that-name"))


def test_calibrate_store_in_clip_mode_is_refused(site: Site, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="leave these options out"):
        calibrate_store(site.store, tmp_path / "pump1.auscult", replace(QUICK, mode="clip"))


def test_learned_sound_has_folds_of_time(site: Site) -> None:
    sound = LearnedSound(site.store)
    folds = [one.fold for one in sound.columns]
    assert folds == sorted(folds)
    assert set(folds) == set(range(5))


def test_command_calibrate_store_prints_what_was_learned(site: Site, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = tmp_path / "pump1.auscult"
    arguments = ["--store", str(site.store), "--output", str(output), "--coreset", "60", "--format", "json"]
    assert run_command("calibrate.commands.calibrate", "auscult calibrate", arguments) == 0
    out, err = capsys.readouterr()
    assert json.loads(out)["bundle"] == str(output)
    assert "auscult: warning: threshold:" in err


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["--store", "x", "--recordings", "y", "--output", "z"], "--recordings does not go with --store"),
        (["--store", "x"], "required: --output"),
        (["--store", "x", "--manifest", "y", "--output-dir", "z"], "--store does not go with --manifest"),
    ],
)
def test_command_calibrate_store_with_options_that_do_not_go_with_it_exits_2(
    arguments: list[str], problem: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command("calibrate.commands.calibrate", "auscult calibrate", arguments) == 2
    assert problem in capsys.readouterr().err
