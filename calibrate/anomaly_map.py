"""The anomaly map of a whole recording, for pictures, metrics and the parity gate."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge.audio.audio_file import audio_info
from edge.audio.channels import Channel
from edge.features.feature_extractor import Gap, file_features
from edge.judgement.judge import Judge
from edge.judgement.timeline import Timeline
from edge.model import Model

Float32 = NDArray[np.float32]


def anomaly_map(model: Model, path: Path, channel: Channel = 0) -> Float32:
    """Score every cell of a recording: shape = (time, band) float32, 1.0 is the alarm threshold, NaN where there was no sound.

    The map is held in memory as a whole.
    """
    timeline = Timeline(model.detector.features, int(audio_info(path).seconds / model.front_end.cell_s) + 1)
    judge = Judge(model.detector, timeline)
    for heard in file_features(path, channel, model.feature_source, model.bandwidth_hz, model.detector.lag_blocks):
        if isinstance(heard, Gap):
            timeline.lose(timeline.cells, heard.until_cell)
        else:
            judge.judge(heard)
    return model.anomaly_map(timeline.read(timeline.cells, timeline.cells).deviations)
