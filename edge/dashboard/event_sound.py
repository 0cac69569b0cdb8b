"""The spectrogram of an event from its clip, where clips are kept on this computer."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from edge.audio.audio_file import audio_info, read_blocks
from edge.audio.resampler import Resampler
from edge.dashboard.cells import LONGEST_S, NOTHING, Cells
from edge.dashboard.messages import Reading
from edge.features.frontend import PANNS, display_edges_hz
from edge.features.logmel import offline_log_mel
from edge.mqtt.payloads import Timestamp

POOLED: Final = 2  # frames in one column of the picture: 20 ms
LEVEL_MIN_DB: Final = -100.0
LEVEL_STEP_DB: Final = 0.5


class _About(Reading, frozen=True, kw_only=True):
    """Of the JSON file beside a clip."""

    clip_t_start: Timestamp


def clip_picture(path: Path) -> Cells | None:
    """The spectrogram of a clip by the front end of every bundle, in 64 bands; None when nobody knows when it began.

    Raises
    ------
    AudioError
        The file is damaged.
    """
    try:
        about = msgspec.json.decode(path.with_suffix(".json").read_bytes(), type=_About)
    except (OSError, msgspec.MsgspecError):
        return None
    rate_hz = audio_info(path).rate_hz
    resampler = Resampler(rate_hz, PANNS.sample_rate_hz)
    pieces: list[NDArray[np.float32]] = []
    heard = 0
    for block in read_blocks(path):
        pieces.append(resampler.push(block))
        heard += len(block)
        if heard > LONGEST_S * rate_hz:
            break
    pieces.append(resampler.finish())
    log_mel = offline_log_mel(np.concatenate(pieces), PANNS)  # (frame, mel) dB
    steps = len(log_mel) // POOLED
    pooled = log_mel[: steps * POOLED].reshape(steps, POOLED, PANNS.mel_bands).max(axis=1)  # (step, mel) dB
    level = np.clip(np.round((pooled - LEVEL_MIN_DB) / LEVEL_STEP_DB), 0, NOTHING - 1).astype(np.uint8)
    edges_hz = display_edges_hz(PANNS, PANNS.mel_bands)
    level[:, np.array(edges_hz[:-1]) >= rate_hz / 2.0] = NOTHING  # its microphone hears nothing there
    return Cells(
        t_start=about.clip_t_start,
        step_s=POOLED * PANNS.frame_s,
        steps=steps,
        band_edges_hz=list(edges_hz),
        level_min_db=LEVEL_MIN_DB,
        level_step_db=LEVEL_STEP_DB,
        level=base64.b64encode(level.tobytes()).decode(),
        anomaly_step=1.0,
        anomaly=None,
    )
