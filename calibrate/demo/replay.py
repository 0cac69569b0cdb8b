"""Score the stream again in this process, to get the anomaly map for the picture."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from calibrate.anomaly_map import anomaly_map
from calibrate.recordings import resampled
from edge.audio.audio_file import audio_info, read_blocks
from edge.features.frontend import FrontEnd
from edge.features.logmel import offline_log_mel
from edge.model import Model

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
    pieces = resampled(read_blocks(recording), audio_info(recording).rate_hz, model.front_end.sample_rate_hz)
    log_mel = offline_log_mel(np.concatenate(list(pieces)), model.front_end)
    return Replay(model.front_end, log_mel, anomaly_map(model, recording))
