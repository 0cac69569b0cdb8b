"""The anomaly map of a whole recording, for pictures, metrics and the parity gate."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from calibrate.recordings import resampled
from edge.audio_file import audio_info, read_blocks
from edge.channels import Channel
from edge.features import FeatureStream
from edge.model import Model
from edge.timeline import Timeline

Float32 = NDArray[np.float32]


def anomaly_map(model: Model, path: Path, channel: Channel = 0) -> Float32:
    """Score every cell of a recording: shape = (time, band) float32, 1.0 is the alarm threshold. It is held in memory as a whole."""
    info = audio_info(path)
    features = FeatureStream(model.feature_source, model.bandwidth_hz)
    judge = model.detector.stream()
    cells = int(info.seconds / model.front_end.cell_s) + 1
    timeline = Timeline(model.detector.heads, model.detector.bands, cells)
    blocks = resampled(read_blocks(path, channel), info.rate_hz, model.front_end.sample_rate_hz)
    for stream in (*map(features.push, blocks), features.finish()):
        for block in stream:
            for surprise in judge.push(block, features.cells):
                timeline.put(surprise, 0)
    return model.scores(timeline.read(timeline.cells, timeline.cells).anomaly_map)
