"""A machine, small bundles calibrated on it, and a way to tamper with them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from calibrate.calibration import calibrate
from calibrate.fitters.patchcore import PatchCoreSettings
from calibrate.settings import CalibrationSettings
from edge.audio.resampler import Resampler
from edge.bundles.bundle import Bundle, write_bundle
from edge.model import Model
from export.synthesis import MachineDesign, RotatingMachine

Float32 = NDArray[np.float32]

RATE_HZ = 32000
RECORDINGS = 5
RECORDING_S = 6.0
HEARD_S = RECORDINGS * RECORDING_S  # what the bundles are calibrated on; the rest of the machine's sound is new to them
MACHINE_S = HEARD_S + 25.0


@dataclass(frozen=True, slots=True)
class CalibratedMachine:
    """A machine and what was learned of it."""

    recordings: tuple[Path, ...]
    bundle: Path
    model: Model
    samples: Float32  # (n,) at RATE_HZ, from the same run but not calibrated on


def resampled(samples: Float32, from_hz: int, to_hz: int) -> Float32:
    """All of `samples` at another rate, shape = (m,)."""
    resampler = Resampler(from_hz, to_hz)
    return np.concatenate([resampler.push(samples), resampler.finish()])


@pytest.fixture(scope="session")
def machine_sound() -> Float32:
    """A steady machine, shape = (n,) at RATE_HZ."""
    design = MachineDesign(load_hold_s=1000.0, slip=0.001)
    return RotatingMachine(3, RATE_HZ, design).render(MACHINE_S)


@pytest.fixture(scope="session")
def machine(machine_sound: Float32, tmp_path_factory: pytest.TempPathFactory) -> CalibratedMachine:
    """The machine as a wide microphone hears it."""
    return _calibrated(machine_sound, RATE_HZ, tmp_path_factory.mktemp("machine"))


@pytest.fixture(scope="session")
def narrow_machine(machine_sound: Float32, tmp_path_factory: pytest.TempPathFactory) -> CalibratedMachine:
    """The machine as a microphone of 16 kHz hears it; `samples` are at RATE_HZ all the same, with nothing above 8 kHz."""
    return _calibrated(resampled(machine_sound, RATE_HZ, 16000), 16000, tmp_path_factory.mktemp("narrow"))


def _calibrated(samples: Float32, rate_hz: int, folder: Path) -> CalibratedMachine:
    recordings = []
    (folder / "normal").mkdir()
    for index, part in enumerate(np.split(samples[: round(HEARD_S * rate_hz)], RECORDINGS)):
        recordings.append(folder / "normal" / f"normal{index}.wav")
        soundfile.write(recordings[-1], part, rate_hz, subtype="PCM_24")
    bundle = folder / "machine.auscult"
    settings = CalibrationSettings(fitting=PatchCoreSettings(coreset=64))
    calibrate(recordings, bundle, settings)
    rest = samples[round(HEARD_S * rate_hz) :]
    return CalibratedMachine(tuple(recordings), bundle, Model.load(bundle), resampled(rest, rate_hz, RATE_HZ))


def tampered(
    source: Path, target: Path, change: Callable[[dict[str, Any], dict[str, dict[str, NDArray[Any]]], dict[str, bytes]], object]
) -> Path:
    """A copy of a bundle, with right digests, after `change(manifest, arrays, blobs)`."""
    bundle = Bundle.read(source)
    manifest = msgspec.to_builtins(bundle.manifest)
    del manifest["members"]
    arrays = {member: dict(content) for member, content in bundle.arrays.items()}
    blobs = dict(bundle.blobs)
    change(manifest, arrays, blobs)
    write_bundle(target, manifest, arrays, blobs)
    return target
