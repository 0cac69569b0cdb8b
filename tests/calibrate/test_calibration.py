from __future__ import annotations

import os
import shutil
from datetime import datetime, timezone
from pathlib import Path

import msgspec
import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

import calibrate.workers_here as calibrate_workers
from calibrate.calibration import calibrate
from calibrate.fitters.padim import PadimSettings
from calibrate.fitters.patchcore import PatchCoreSettings
from calibrate.settings import CalibrationSettings
from calibrate.threshold_note import FARTHEST_BEYOND
from edge.bundles.bundle import Bundle
from edge.errors import AudioError, UserError
from edge.features.backbone import BUILT_IN
from edge.judgement.event import Event
from edge.model import Model
from edge.pipeline import Listener
from edge.scoring import listen, score_file
from export.synthesis import Fault, MachineDesign, RotatingMachine, inject, knock_fault, tone_fault

RATE_HZ = 16000
SMALL = PatchCoreSettings(coreset=60)
QUICK = CalibrationSettings(fitting=SMALL)
STEADY = MachineDesign(load_hold_s=1e6)
FAULT_S = 12.0


def write(path: Path, samples: NDArray[np.float32], rate_hz: int = RATE_HZ, subtype: str = "PCM_16") -> Path:
    path.parent.mkdir(exist_ok=True)
    soundfile.write(path, samples, rate_hz, subtype=subtype)
    return path


def noise(seconds: float, seed: int = 0, rate_hz: int = RATE_HZ) -> NDArray[np.float32]:
    return (0.05 * np.random.default_rng(seed).standard_normal(round(seconds * rate_hz))).astype(np.float32)


class Site:
    """A steady machine: normal recordings to learn from, later ones with and without a fault, and the bundle."""

    def __init__(self, folder: Path) -> None:
        machine = RotatingMachine(3, RATE_HZ, STEADY)
        self.normal = [write(folder / "normal" / f"{number}.wav", machine.render(15.0)) for number in range(6)]
        self.fresh = [write(folder / "fresh" / f"{number}.wav", machine.render(20.0)) for number in range(3)]
        # The machine is at -26 dBFS.
        tone = tone_fault(RATE_HZ, 1, seconds=4.0, frequency_hz=3150.0, level_dbfs=-38.0)
        knock = knock_fault(RATE_HZ, 1, peak=0.7)
        self.tone, self.knock = (self._with(fault, machine, folder / f"{fault.kind}.wav") for fault in (tone, knock))
        self.bundle = folder / "pump1.auscult"
        self.summary = calibrate(self.normal, self.bundle, QUICK)
        self.model = Model.load(self.bundle)

    @staticmethod
    def _with(fault: Fault, machine: RotatingMachine, path: Path) -> Path:
        return write(path, inject(machine.render(25.0), fault.heard_through(machine.colour), FAULT_S))


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    return Site(tmp_path_factory.mktemp("site"))


def test_calibrate_normal_recordings_gives_a_bundle_that_scores_new_ones_below_the_threshold(site: Site) -> None:
    scores = [score_file(site.model, path).score for path in site.fresh]
    assert max(scores) < 1.0
    assert min(scores) > 0.0


@pytest.mark.parametrize(("kind", "heads"), [("tone", ("sustained", "profile")), ("knock", ("moment",))])
def test_calibrate_steady_machine_hears_a_fault_while_it_lasts(site: Site, kind: str, heads: tuple[str, ...]) -> None:
    result = score_file(site.model, getattr(site, kind))
    assert result.score > 1.0
    worst = max(result.windows, key=lambda window: window.score or 0.0)
    loudest = max(worst.heads, key=lambda name: worst.heads[name])
    assert loudest.endswith(heads)
    assert all((window.score or 0.0) < 1.0 for window in result.windows if window.t_end_s < FAULT_S)
    events = [event for event in listen(Listener(site.model, RATE_HZ), getattr(site, kind)) if isinstance(event, Event)]
    assert len({event.id for event in events}) == 1


def test_calibrate_steady_machine_forgives_the_drift_of_a_microphone_but_not_a_louder_machine(site: Site, tmp_path: Path) -> None:
    """Its level stood within a few hundredths of a decibel while it was recorded."""
    heard = soundfile.read(site.fresh[0], dtype="float32")[0]
    scores = {
        gain_db: score_file(site.model, write(tmp_path / "f.wav", heard * np.float32(10 ** (gain_db / 20)))).score
        for gain_db in (-0.5, 0.5, 6.0)
    }
    assert scores[-0.5] < 1.0
    assert scores[0.5] < 1.0
    assert scores[6.0] > 1.0


def test_calibrate_summary_and_manifest_say_what_was_learned_from(site: Site) -> None:
    manifest = site.model.bundle.manifest
    assert (site.summary.recordings, site.summary.seconds) == (6, 90.0)
    assert (site.summary.bandwidth_hz, manifest.bandwidth_hz) == (8000.0, 8000.0)
    assert site.summary.bytes == site.bundle.stat().st_size
    assert manifest.data.sources == tuple(f"{number}.wav" for number in range(6))
    assert manifest.data.seconds == 90.0
    assert manifest.detector.parameters["coreset"] == 60
    assert manifest.threshold.supported_false_alarms_per_week == pytest.approx(3 * 7 * 86400 / 90)
    assert manifest.threshold.supported_false_alarms_per_week == site.summary.supported_false_alarms_per_week
    assert site.summary.seconds_needed == 3 * 7 * 86400
    assert manifest.threshold.note == site.summary.threshold_note != ""
    assert manifest.threshold.false_alarms_per_week == 1.0
    assert manifest.threshold.set_for == pytest.approx(3 * 7 * 86400 / 90 / FARTHEST_BEYOND)
    assert manifest.threshold.score_scale == pytest.approx(site.model.tail.surprise_at(manifest.threshold.set_for))
    assert site.model.threshold.surprise == pytest.approx(manifest.threshold.score_scale)


@pytest.mark.parametrize(("heads", "kind"), [(("logmel_moment",), "knock"), (("cnn14_sustained", "profile"), "tone")])
def test_calibrate_with_some_heads_gives_a_bundle_that_scores_by_these(
    heads: tuple[str, ...], kind: str, site: Site, tmp_path: Path
) -> None:
    settings = CalibrationSettings(fitting=SMALL, heads=heads, false_alarms_per_week=1000.0)  # one head hears less than all
    model = Model.load(calibrate(site.normal, tmp_path / "b.auscult", settings).bundle)
    result = score_file(model, getattr(site, kind))
    assert all(set(window.heads) == set(heads) for window in result.windows)
    assert score_file(model, site.fresh[0]).score < 1.0 < result.score


def test_calibrate_with_a_head_that_there_is_not_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"^cnn14_patch: no such head; there are cnn14_moment, .*, level, profile, dynamics$"):
        calibrate(
            [write(tmp_path / "a.wav", noise(12.0))], tmp_path / "b.auscult", CalibrationSettings(fitting=SMALL, heads=("cnn14_patch",))
        )
    assert not (tmp_path / "b.auscult").exists()


def test_calibrate_with_the_same_seed_gives_the_same_bundle_but_for_its_date(site: Site, tmp_path: Path) -> None:
    again = Bundle.read(calibrate(site.normal, tmp_path / "again.auscult", QUICK).bundle)
    first = site.model.bundle
    assert msgspec.structs.replace(again.manifest, created_at="") == msgspec.structs.replace(first.manifest, created_at="")
    assert again.manifest.members == first.manifest.members  # the digests of everything else


@pytest.mark.parametrize("detector", ["patchcore", "padim"])
def test_calibrate_on_two_processes_and_from_the_disk_gives_the_same_bundle_byte_for_byte(
    detector: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recordings = [write(tmp_path / f"{number}.wav", noise(3.0 + number, number)) for number in range(4)]
    fitting = SMALL if detector == "patchcore" else PadimSettings(dimensions=20)
    settings = CalibrationSettings(fitting=fitting, created_at=datetime(2026, 1, 1, tzinfo=timezone.utc))
    alone = calibrate(recordings, tmp_path / "alone.auscult", settings).bundle.read_bytes()
    started, start = [], calibrate_workers._started

    def counted() -> object:
        started.append(start())
        return started[-1]

    monkeypatch.setattr(calibrate_workers, "_started", counted)
    monkeypatch.setattr(calibrate_workers, "WORTH_BYTES", 0)
    monkeypatch.setattr("calibrate.embedding_store.CACHE_BYTES", 0)
    assert calibrate(recordings, tmp_path / "shared.auscult", settings, workers=2).bundle.read_bytes() == alone
    assert len(started) == 4  # two that compute features, and two that judge: those of features give their memory back


def test_calibrate_with_another_seed_gives_another_bundle_that_hears_the_same(site: Site, tmp_path: Path) -> None:
    settings = CalibrationSettings(fitting=PatchCoreSettings(60, seed=1))
    model = Model.load(calibrate(site.normal, tmp_path / "b.auscult", settings).bundle)
    assert model.bundle.manifest.members["projection.npz"] != site.model.bundle.manifest.members["projection.npz"]
    assert score_file(model, site.fresh[0]).score < 1.0 < score_file(model, site.tone).score


def test_calibrate_with_shared_banks_gives_a_bundle_that_scores(site: Site, tmp_path: Path) -> None:
    settings = CalibrationSettings(fitting=PatchCoreSettings(60, banks="shared"))
    model = Model.load(calibrate(site.normal, tmp_path / "shared.auscult", settings).bundle)
    assert model.bundle.manifest.detector.parameters["banks"] == "shared"
    assert score_file(model, site.fresh[0]).score < 1.0


def test_calibrate_more_false_alarms_allowed_gives_a_lower_threshold(site: Site, tmp_path: Path) -> None:
    settings = CalibrationSettings(fitting=SMALL, false_alarms_per_week=100.0)
    threshold = Bundle.read(calibrate(site.normal, tmp_path / "b.auscult", settings).bundle).manifest.threshold
    assert threshold.score_scale < site.model.alarm_surprise
    assert threshold.false_alarms_per_week == 100.0


def test_calibrate_with_an_exported_backbone_puts_it_into_the_bundle(tmp_path: Path) -> None:
    exported = tmp_path / "backbones" / "mine.onnx"
    exported.parent.mkdir()
    for suffix in (".onnx", ".json"):
        shutil.copy(BUILT_IN / f"cnn14-random{suffix}", exported.with_suffix(suffix))
    recording = write(tmp_path / "a.wav", noise(12.0))
    settings = CalibrationSettings(backbone=exported, fitting=SMALL)
    bundle = calibrate([recording], tmp_path / "b.auscult", settings).bundle
    content = exported.read_bytes()
    shutil.rmtree(exported.parent)
    model = Model.load(bundle)
    assert Bundle.read(bundle).blobs["backbone.onnx"] == content
    assert np.isfinite(score_file(model, recording).score)


@pytest.mark.parametrize("name", ["cnn14-random", str(BUILT_IN / "cnn14-random.onnx")])
def test_calibrate_with_a_built_in_backbone_does_not_copy_it(name: str, tmp_path: Path) -> None:
    settings = CalibrationSettings(backbone=name, fitting=SMALL)
    assert Bundle.read(calibrate([write(tmp_path / "a.wav", noise(12.0))], tmp_path / "b.auscult", settings).bundle).blobs == {}


@pytest.mark.parametrize(
    "seconds",
    [
        (20.0,),
        (10.0,),
        (5.0, 5.0),
        (0.5,) * 20,
    ],
)
def test_calibrate_on_little_sound_gives_a_bundle_that_knows_new_sound(seconds: tuple[float, ...], tmp_path: Path) -> None:
    recordings = [write(tmp_path / f"{index}.wav", noise(length, index)) for index, length in enumerate(seconds)]
    said: list[str] = []
    model = Model.load(calibrate(recordings, tmp_path / "b.auscult", QUICK, said.append).bundle)
    assert score_file(model, write(tmp_path / "later.wav", noise(20.0, 99))).score < 1.0
    assert "extrapolated" in said[-1]


def test_calibrate_mixed_rates_learns_what_all_of_them_carry(tmp_path: Path) -> None:
    narrow = write(tmp_path / "narrow.wav", noise(8.0, 0, 16000), 16000)
    wide = write(tmp_path / "wide.wav", noise(8.0, 1, 48000), 48000)
    said: list[str] = []
    summary = calibrate([narrow, wide], tmp_path / "b.auscult", QUICK, said.append)
    assert summary.bandwidth_hz == 8000.0
    assert any("mixed sample rates (16000, 48000 Hz)" in line for line in said)
    model = Model.load(summary.bundle)
    assert all(np.isfinite(score_file(model, path).score) for path in (narrow, wide))


def test_calibrate_other_channel_learns_from_it(tmp_path: Path) -> None:
    both = np.stack([np.zeros(12 * RATE_HZ, np.float32), noise(12.0)], axis=1)
    recording = write(tmp_path / "stereo.wav", both)
    with pytest.raises(AudioError, match="silent"):
        calibrate([recording], tmp_path / "b.auscult", QUICK)
    calibrate([recording], tmp_path / "b.auscult", CalibrationSettings(channel=1, fitting=SMALL))


def test_calibrate_recordings_whose_names_are_no_text_are_shown_as_well_as_can_be(tmp_path: Path) -> None:
    path = write(tmp_path / "a.wav", noise(12.0)).rename(tmp_path / os.fsdecode(b"pump\xff.wav"))
    summary = calibrate([path], tmp_path / "b.auscult", QUICK)
    assert Bundle.read(summary.bundle).manifest.data.sources == ("pump\N{REPLACEMENT CHARACTER}.wav",)


@pytest.mark.parametrize("name", ["pump1", "pump1.bundle", "b.auscult"])
def test_calibrate_writes_the_file_that_was_named_over_an_older_bundle_or_an_empty_file(name: str, tmp_path: Path) -> None:
    recording = write(tmp_path / "a.wav", noise(12.0))
    output = tmp_path / name
    output.touch()
    for _ in range(2):
        calibrate([recording], output, QUICK)
        assert Model.load(output).bundle.path == output
    assert sorted(tmp_path.iterdir()) == sorted([recording, output])


@pytest.mark.parametrize(("backbone", "own"), [(None, "cnn14"), ("logmel-16k", "logmel")])
def test_calibrate_in_clip_mode_scores_by_the_largest_distance_and_all_bands_share_a_scale(
    backbone: str | None, own: str, site: Site, tmp_path: Path
) -> None:
    settings = CalibrationSettings(fitting=SMALL, backbone=backbone, mode="clip")
    model = Model.load(calibrate(site.normal, tmp_path / "b.auscult", settings).bundle)
    assert model.bundle.manifest.detector.parameters["mode"] == "clip"
    fitted = Bundle.read(tmp_path / "b.auscult").arrays[own]
    assert len(set(fitted["mean"].tolist())) == len(set(fitted["deviation"].tolist())) == 1
    knock, fresh = score_file(model, site.knock), score_file(model, site.fresh[0])
    assert all(set(window.heads) == {f"{own}_largest"} for window in (*knock.windows, *fresh.windows))
    assert knock.score > 3 * fresh.score
