"""AudDSR on a synthesised machine, trained for a minute or two: does it detect faults that it has not seen?"""

from __future__ import annotations

import csv
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

pytest.importorskip("torch")
pytest.importorskip("onnx")

import torch

import export.auddsr.training as training
from calibrate.calibration import calibrate
from calibrate.fitters.auddsr import AudDsrSettings
from calibrate.metrics.sample import roc_auc
from calibrate.settings import CalibrationSettings
from edge.features.frontend import DCASE
from edge.features.logmel import offline_log_mel
from edge.judgement.window import Window
from edge.model import Model
from edge.scoring import score_file
from export.auddsr.network import AudDsrNetwork, drawn_twice
from export.auddsr.settings import AudDsrTraining
from export.auddsr.simulation import band_mask, perlin_mask
from export.auddsr.training import Sound
from export.synthesis import Fault, MachineDesign, RotatingMachine, bearing_fault, inject, knock_fault, tone_fault
from tests.networks import frames_of

Float32 = NDArray[np.float32]

RATE_HZ = 16000
SMALL = AudDsrSettings(
    autoencoder_steps=400,
    autoencoder_batch=16,
    steps=300,
    batch=8,
    learning_rate=2e-3,
    codes=64,
    channels=16,
    synthesised_minutes=1.0,
)
AUDIBLE_DB = 3.0  # by so much a fault raises its cells
FAULT_S = 8.0

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1500)]


@dataclass(frozen=True)
class Trained:
    """A bundle, the network in it, the folder of its training, and sound: of the machine when it is well, and with each fault."""

    model: Model
    network: AudDsrNetwork
    state: Path
    fresh: list[Path]
    faulty: dict[str, list[tuple[Path, NDArray[np.bool_]]]]  # kind -> (recording, which of its cells are part of the fault)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    folder = tmp_path_factory.mktemp("machine")
    machine = RotatingMachine(3, RATE_HZ, MachineDesign(load_hold_s=1e6))
    normal = [_write(folder / f"normal{number}.wav", machine.render(10.0)) for number in range(6)]
    fresh = [_write(folder / f"fresh{number}.wav", machine.render(16.0)) for number in range(3)]
    faults = [
        tone_fault(RATE_HZ, 1, 4.0, 3150.0, -36.0),
        tone_fault(RATE_HZ, 2, 4.0, 1200.0, -34.0),
        knock_fault(RATE_HZ, 1, peak=0.6),
        knock_fault(RATE_HZ, 2, peak=0.5, blows=3),
        bearing_fault(RATE_HZ, 1, 4.0, level_dbfs=-34.0),
        bearing_fault(RATE_HZ, 2, 4.0, resonance_hz=2500.0, level_dbfs=-34.0),
    ]
    faulty: dict[str, list[tuple[Path, NDArray[np.bool_]]]] = {}
    for number, fault in enumerate(faults):
        path, cells = _with(fault, machine, folder / f"faulty{number}.wav")
        faulty.setdefault(fault.kind, []).append((path, cells))
    networks: list[AudDsrNetwork] = []
    train = training.train_auddsr

    def remember(sound: Sound, told: AudDsrTraining, device: torch.device, state: Path | None) -> AudDsrNetwork:
        networks.append(train(sound, told, device, state))
        return networks[0]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training, "train_auddsr", remember)
        # Rarer false alarms are far beyond what ten seconds held out can tell.
        settings = CalibrationSettings(fitting=replace(SMALL, state=str(folder / "state")), false_alarms_per_week=1000.0)
        bundle = calibrate(normal, folder / "machine.auscult", settings).bundle
    return Trained(Model.load(bundle), networks[0], folder / "state", fresh, faulty)


def _write(path: Path, samples: Float32) -> Path:
    soundfile.write(path, samples, RATE_HZ, subtype="FLOAT")
    return path


def _with(fault: Fault, machine: RotatingMachine, path: Path) -> tuple[Path, NDArray[np.bool_]]:
    background = machine.render(16.0)
    mixed = inject(background, fault.heard_through(machine.colour), FAULT_S)
    raised = np.maximum(offline_log_mel(mixed, DCASE) - offline_log_mel(background, DCASE), 0.0)
    cells = len(raised) // 4
    return _write(path, mixed), raised[: 4 * cells].reshape(cells, 4, 32, 4).mean(axis=(1, 3)) > AUDIBLE_DB


def _maps(trained: Trained, path: Path) -> dict[str, Float32]:
    """AudDSR's map, and the squared errors of what its two decoders draw, each (cell, band)."""
    frames = frames_of(soundfile.read(path, dtype="float32")[0])
    frames = frames[: len(frames) // 8 * 8]
    network = trained.network
    with torch.inference_mode():
        found = network.cells(torch.from_numpy(frames)).numpy()
        x = ((torch.from_numpy(frames) - network.mean_db) / network.deviation_db)[None, None]
        errors = [
            torch.nn.functional.avg_pool2d((x - drawn) ** 2, 4)[0, 0].numpy()
            for drawn in drawn_twice(network.autoencoder, network.decoder, x)
        ]
    return {"map": found, "general": errors[0], "specific": errors[1]}


def test_auddsr_finds_faults_that_it_never_saw_better_than_by_its_reconstruction_error(trained: Trained) -> None:
    normal = [_maps(trained, path) for path in trained.fresh]
    aucs: dict[str, dict[str, float]] = {}
    for kind, recordings in trained.faulty.items():
        maps = [(_maps(trained, path), cells) for path, cells in recordings]
        aucs[kind] = {
            score: roc_auc(
                np.concatenate([one[score].ravel() for one in normal]),
                np.concatenate([one[score][cells[: len(one[score])]] for one, cells in maps]),
            )
            for score in ("map", "general", "specific")
        }
    mean = {score: float(np.mean([one[score] for one in aucs.values()])) for score in ("map", "general", "specific")}
    assert aucs["tone"]["map"] > 0.9, aucs
    assert aucs["bearing"]["map"] > 0.95, aucs
    assert aucs["knock"]["map"] > 0.7, aucs
    assert mean["map"] > 0.9, aucs
    assert mean["map"] > mean["general"] + 0.1, aucs  # the discrete autoencoder alone
    assert mean["map"] > mean["specific"], aucs  # what the second stage draws, without its detection module


def test_auddsr_windows_with_a_fault_score_higher_than_any_without(trained: Trained) -> None:
    fresh = [window for path in trained.fresh for window in score_file(trained.model, path).windows]
    for kind in ("tone", "bearing"):
        for path, _ in trained.faulty[kind]:
            windows = score_file(trained.model, path).windows
            worst = max(windows, key=_score)
            assert _score(worst) > max(1.0, *map(_score, fresh)), kind
            # The heads add up, so the map need not reach the threshold by itself; it must tell the fault by itself.
            assert _own(worst) > max(map(_own, fresh)), kind
            assert _own(worst) > worst.heads["level"], kind


def _score(window: Window) -> float:
    return window.score or 0.0


def _own(window: Window) -> float:
    """What the detector's own map says of the window."""
    return max(window.heads["auddsr_moment"], window.heads["auddsr_sustained"])


def test_auddsr_training_learns_in_both_stages_and_can_be_drawn(trained: Trained, tmp_path: Path) -> None:
    figures = pytest.importorskip("matplotlib.figure")
    figure = figures.Figure(figsize=(10, 6), layout="constrained")
    (top, bottom) = figure.subfigures(2, 1)
    for axes, stage in zip(top.subplots(1, 2), ("codes", "faults"), strict=True):
        with (trained.state / f"{stage}.csv").open() as file:
            rows = list(csv.DictReader(file))
        for name in rows[0].keys() - {"step", "seconds", "learning_rate"}:
            values = np.array([float(row[name]) for row in rows])
            assert values[-20:].mean() < 0.6 * values[:20].mean(), (stage, name)
            axes.semilogy(values, label=name)
        axes.set(title=stage, xlabel="step", ylabel="loss")
        axes.legend()
    for index, axes in enumerate(bottom.subplots(2, 4).flat):
        mask = (perlin_mask if index < 4 else band_mask)(np.random.default_rng(index), 256, 128)
        axes.imshow(mask.T, origin="lower", aspect="auto", cmap="gray_r")
        axes.set(title="Perlin noise" if index < 4 else "band in segments", xlabel="frame", ylabel="mel")
    figure.savefig(tmp_path / "auddsr.png", dpi=80)
    assert (tmp_path / "auddsr.png").read_bytes().startswith(b"\x89PNG")
