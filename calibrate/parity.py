"""The parity gate on what users see: anomaly maps, window scores and alarms of torch offline, fp32 streamed and int8 streamed.

A machine is synthesised and learned twice, with the fp32 backbone and with the int8 one, as a device would; then both listen
to more of it, with a knock, a tone and a bearing fault in it. torch sees the recordings as a whole, with the fp32 bundle.
"""

from __future__ import annotations

import copy
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
import soundfile
from numpy.typing import NDArray

from calibrate.anomaly_map import anomaly_map
from calibrate.calibration import calibrate
from calibrate.offline_backbone import OfflineBackbone
from calibrate.settings import CalibrationSettings
from edge.features.backbone import Backbone
from edge.features.frontend import CELL_MELS, FrontEnd, mel_edges_hz
from edge.judgement.window import ALARM, Window
from edge.model import Model
from edge.scoring import score_file
from export.gate import Candidate, Side, check_bound
from export.synthesis import RotatingMachine, bearing_fault, inject, knock_fault, tone_fault

Float32 = NDArray[np.float32]

SEED = 7
RECORDINGS, RECORDING_S = 8, 10.0
TEST_S = 15.0

# comparison, figure, whether the bound is the most or the least it may be, bound
BOUNDS: tuple[tuple[str, str, Side, float], ...] = (
    ("fp32_streamed_vs_torch", "largest_map_difference", "most", 0.02),  # of the alarm threshold, in any cell out of reach of the ends
    ("fp32_streamed_vs_torch", "largest_score_difference", "most", 0.02),
    ("fp32_streamed_vs_torch", "different_alarms", "most", 0),
    ("int8_streamed_vs_fp32", "map_correlation", "least", 0.9),  # over all cells; the two bundles were calibrated apart
    ("int8_streamed_vs_fp32", "largest_score_ratio", "most", 1.5),  # of any window score, either way
    ("int8_streamed_vs_fp32", "different_alarms", "most", 0),
    ("int8_streamed_vs_fp32", "largest_region_shift", "most", 1),  # cells, of any edge of an alarm's loudest region
)
UNDECIDED = 0.15  # a window this close to the threshold may fall on either side
END_CELLS = 8  # offline pads its ends with zeros, a stream has the mirror there


@dataclass(frozen=True, slots=True)
class _Heard:
    """What one variant made of all test recordings."""

    cells: Float32  # (cell,) all maps, flat, without their ends
    scores: Float32  # (window,)
    regions: NDArray[np.int64]  # (window, 4) cells: begin, end, lowest and highest band of the loudest region; -1 without an alarm

    @property
    def alarms(self) -> NDArray[np.bool_]:
        return self.scores >= ALARM


class ScoreGate:
    """Compares maps, scores and alarms; handed to `auscult export` by the front door."""

    name = "scores"

    def __call__(self, candidate: Candidate) -> Mapping[str, object]:
        """Return the figures; AuscultError, naming the figure and its bound, when one is outside."""
        with tempfile.TemporaryDirectory(prefix="auscult-parity-") as name:
            folder = Path(name)
            normal, test = _sound(folder, candidate.fp32.front_end.sample_rate_hz)
            fp32 = _learned(folder, candidate.fp32, candidate.models["fp32"], normal)
            streamed = _listen(fp32, test)
            whole = _listen_offline(fp32, test, candidate)
            exact: dict[str, float] = {
                "largest_map_difference": float(np.abs(streamed.cells - whole.cells).max()),
                "largest_score_difference": float(np.abs(streamed.scores - whole.scores).max()),
                "different_alarms": _different_alarms(streamed, whole),
            }
            self._check(candidate, "fp32_streamed_vs_torch", exact)  # before int8 is learned, which would tell nothing then
            quantized = _listen(_learned(folder, candidate.int8, candidate.models["int8"], normal), test)
        rounded: dict[str, float] = {
            "map_correlation": float(np.corrcoef(np.log(streamed.cells), np.log(quantized.cells))[0, 1]),
            "largest_score_ratio": float(np.exp(np.abs(np.log(quantized.scores / streamed.scores)).max())),
            "different_alarms": _different_alarms(streamed, quantized),
            "largest_region_shift": _largest_shift(streamed, quantized),
        }
        self._check(candidate, "int8_streamed_vs_fp32", rounded)
        compared = {"fp32_streamed_vs_torch": exact, "int8_streamed_vs_fp32": rounded}
        return {**compared, "windows": len(streamed.scores), "alarms": int(streamed.alarms.sum())}

    def _check(self, candidate: Candidate, comparison: str, figures: Mapping[str, float]) -> None:
        for compared, figure, side, bound in BOUNDS:
            if compared == comparison:
                check_bound(candidate.int8.name, f"{self.name}.{comparison}.{figure}", figures[figure], side, bound)


def _sound(folder: Path, rate_hz: int) -> tuple[list[Path], list[Path]]:
    """Normal recordings of one machine, and recordings of it to test with, most of them with a fault."""
    machine = RotatingMachine(SEED, rate_hz)
    normal = [_write(folder / f"normal{index}.wav", machine.render(RECORDING_S), rate_hz) for index in range(RECORDINGS)]
    faults = [
        None,
        knock_fault(rate_hz, SEED, peak=0.5),
        tone_fault(rate_hz, SEED, 5.0, 3150.0, -34.0),
        bearing_fault(rate_hz, SEED, 5.0, level_dbfs=-32.0),
    ]
    test = []
    for index, fault in enumerate(faults):
        samples = machine.render(TEST_S)
        if fault is not None:
            samples = inject(samples, fault.heard_through(machine.colour), 6.0)
        test.append(_write(folder / f"test{index}.wav", samples, rate_hz))
    return normal, test


def _write(path: Path, samples: Float32, rate_hz: int) -> Path:
    soundfile.write(path, samples, rate_hz, subtype="FLOAT")
    return path


def _learned(folder: Path, backbone: Backbone, model: bytes, normal: Sequence[Path]) -> Model:
    """Calibrate with a backbone that no device has yet: it travels in the bundle, as an exported one does."""
    path = folder / f"{backbone.name}.onnx"
    path.write_bytes(model)
    path.with_suffix(".json").write_bytes(msgspec.json.encode(backbone.card))
    bundle = folder / f"{backbone.name}.auscult"
    calibrate(list(normal), bundle, CalibrationSettings(backbone=path))
    return Model.load(bundle)


def _listen(model: Model, test: Sequence[Path]) -> _Heard:
    maps = [anomaly_map(model, path)[END_CELLS:-END_CELLS].ravel() for path in test]
    windows = [window for path in test for window in score_file(model, path).windows]
    scores = np.array([window.score for window in windows], np.float32)
    return _Heard(np.concatenate(maps), scores, np.array([_loudest_region(window, model.front_end) for window in windows]))


def _listen_offline(model: Model, test: Sequence[Path], candidate: Candidate) -> _Heard:
    """The same, with the features of each recording computed by torch as a whole."""
    heard = []
    for path in test:
        variant = copy.copy(model)
        variant.feature_source = OfflineBackbone(model.front_end, candidate.torch_offline)
        anomaly_map(variant, path)
        heard.append(_listen(variant, [path]))
    return _Heard(*(np.concatenate([getattr(one, name) for one in heard]) for name in ("cells", "scores", "regions")))


def _different_alarms(one: _Heard, other: _Heard) -> int:
    """Windows in which only one of two raises an alarm, and neither is close to the threshold."""
    decided = (np.abs(one.scores - ALARM) > UNDECIDED) & (np.abs(other.scores - ALARM) > UNDECIDED)
    return int(np.count_nonzero((one.alarms != other.alarms) & decided))


def _loudest_region(window: Window, front_end: FrontEnd) -> tuple[int, int, int, int]:
    """The cells at which a window's loudest region begins and ends, and its bands."""
    if not window.localization.regions:
        return (-1, -1, -1, -1)
    region = window.localization.regions[0]
    edges = mel_edges_hz(front_end)[::CELL_MELS]  # (band + 1,)
    lowest, highest = (int(np.abs(edges - edge_hz).argmin()) for edge_hz in (region.f_lo_hz, region.f_hi_hz))
    return (round(region.t0_s / front_end.cell_s), round(region.t1_s / front_end.cell_s), lowest, highest)


def _largest_shift(one: _Heard, other: _Heard) -> int:
    """By how many cells an edge of the loudest region differs at most, of windows in which both raise an alarm."""
    both = one.alarms & other.alarms
    return int(np.abs(one.regions - other.regions)[both].max(initial=0))
