"""The score and the map of a spectrogram: what a bundle says of log-mel frames that may never have been sound."""

from __future__ import annotations

from collections.abc import Callable
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from edge.features.feature_extractor import PlacedBlock
from edge.features.feature_stream import FeatureStream
from edge.features.frontend import BLOCK_FRAMES
from edge.judgement.fusion import fuse
from edge.judgement.judge import AVERAGES, Judge
from edge.judgement.timeline import Span, Timeline
from edge.model import Model

Float32 = NDArray[np.float32]


class _Frames:
    """Hands frames on in blocks, as `LogMel` does with those that it computes."""

    def __init__(self, mels: int) -> None:
        self._rest = np.zeros((0, mels), np.float32)

    def push(self, samples: Float32) -> list[Float32]:
        frames = np.concatenate([self._rest, samples])
        whole = len(frames) // BLOCK_FRAMES * BLOCK_FRAMES
        self._rest = frames[whole:]
        return list(frames[:whole].reshape(-1, BLOCK_FRAMES, frames.shape[1]))

    def finish(self) -> Float32:
        return self._rest


def spectrogram_score(model: Model) -> Callable[[Float32], float]:
    """What scores a log-mel spectrogram, shape = (frame, mel) float32 dB, as one window of its own length: 1.0 is the alarm threshold.

    By all that a spectrogram tells: the fine bands below 500 Hz need sound.
    """

    def score(log_mel: Float32) -> float:
        deviations = _judged(model, log_mel).deviations
        steady = model.steady.evidence(deviations[AVERAGES]) if model.steady else {}
        return fuse(model.heads.evidence(deviations), steady, model.units).surprise / model.alarm_surprise

    return score


def spectrogram_map(model: Model, log_mel: Float32) -> Float32:
    """The anomaly map of a log-mel spectrogram, (time, band) float32; see `Model.anomaly_map`."""
    return model.anomaly_map(_judged(model, log_mel).deviations)


def _judged(model: Model, log_mel: Float32) -> Span:
    layout = model.steady.sound.layout if model.steady else None
    timeline = Timeline({**model.detector.features, **({AVERAGES: layout.width} if layout else {})}, len(log_mel))
    judge = Judge(model.detector, timeline, layout=layout)
    frames = _Frames(log_mel.shape[1])
    stream = FeatureStream(model.feature_source, model.bandwidth_hz, lag_blocks=model.detector.lag_blocks, frames=frames)
    for block in chain(stream.push(log_mel), stream.finish()):
        judge.judge(PlacedBlock(0, 0, block, stream.cells))
    return timeline.read(timeline.cells, timeline.cells)
