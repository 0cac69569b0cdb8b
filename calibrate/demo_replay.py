"""The stream once more, in this process: what the daemon heard in it, cell by cell, for the picture."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge.audio_file import audio_info, read_blocks
from edge.features import FeatureStream
from edge.frontend import CELL_FRAMES, FrontEnd
from edge.logmel import offline_log_mel
from edge.model import Model
from edge.resampler import Resampler
from edge.timeline import Timeline

Float32 = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Replay:
    """What is in a recording, by the front end and by the detector."""

    front_end: FrontEnd
    log_mel: Float32  # (frame, mel) dB
    anomaly_map: Float32  # (cell, band) 1.0 is the alarm threshold

    @property
    def heard_s(self) -> float:
        """Where the last whole cell ends, and with it the last window."""
        return len(self.anomaly_map) * self.front_end.cell_s


def replay(bundle: Path, recording: Path) -> Replay:
    """The whole anomaly map of a recording; it takes memory for all of it."""
    model = Model.load(bundle)
    resampler = Resampler(audio_info(recording).rate_hz, model.front_end.sample_rate_hz)
    pieces = [resampler.push(samples) for samples in read_blocks(recording)]
    samples = np.concatenate([*pieces, resampler.finish()])
    log_mel = offline_log_mel(samples, model.front_end)
    features = FeatureStream(model.backbone, model.bandwidth_hz)
    judge = model.detector.stream()
    timeline = Timeline(model.detector.heads, model.detector.bands, len(log_mel) // CELL_FRAMES)
    for blocks in (features.push(samples), features.finish()):
        for block in blocks:
            for surprise in judge.push(block, features.cells):
                timeline.put(surprise, 0)
    nats = timeline.read(timeline.cells, timeline.cells).anomaly_map  # (cell, band)
    anomaly_map = np.maximum(nats, 0.0) / model.alarm_surprise
    return Replay(model.front_end, log_mel, anomaly_map.astype(np.float32))
