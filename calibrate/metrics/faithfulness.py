"""Faithfulness: does the anomaly map show what caused the score? Change the sound according to the map and see how far the score falls.

From Vision to Sound (Barusco et al., arXiv 2502.18328), section 3.2.4, after Parekh et al., "Listen to Interpret" (NeurIPS 2022). Let f be
a detector's score of a whole recording, x the recording's spectrogram, M its anomaly map from 0 to 1, and bg the spectrogram of the
background: the recording before the sound was added. Then

v1   f(x) - f(x M)                  what the map points at is kept, the rest fades away
v2   f(x) - f(x (1 - M) + bg M)     what the map points at gives way to the background: the better the map, the higher

Reported are mean and standard deviation over the recordings with an added sound (table 2), in units of the score: in the paper a
probability, here 1.0 is the alarm threshold. The paper calls a high v1 good, as if the anomaly were removed; its formula keeps the anomaly,
so that a perfect map changes little. The formula stands here as it is printed. Left open by the paper, and here:

M       The maps of a set share one scale, from the lowest value of any of them to the highest, as a probability would. Cells that were not
        heard (NaN, and mels above the bandwidth) are 0. Every frame and mel of a cell has the cell's value.
x, bg   Power, by default: M = 0 is silence, and sounds add. In decibels, the logarithm itself is multiplied, as it is when the detector's
        input is taken literally: M = 0 is then 0 dB, which is not silence.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from edge.errors import UserError
from edge.features.frontend import CELL_FRAMES, CELL_MELS, FLOOR_POWER

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]
Score = Callable[[Float32], float]  # of a whole recording: log-mel spectrogram, (frame, mel) float32 dB -> higher is more anomalous
Domain = Literal["power", "decibel"]


class Faithfulness(NamedTuple):
    """How far the score of one recording falls, in units of the score."""

    v1: float
    v2: float


class Spread(NamedTuple):
    """Mean and standard deviation over recordings."""

    mean: float
    std: float


@dataclass(frozen=True, slots=True)
class FaithfulnessMetrics:
    """The faithfulness of one detector over one set of recordings."""

    v1: Spread
    v2: Spread
    recordings: int


def faithfulness(score: Score, log_mel: Float32, mask: Float32, background: Float32, *, domain: Domain = "power") -> Faithfulness:
    """Return how far the score of one recording falls; it is asked for three times.

    Parameters
    ----------
    score : the detector, see `Score`.
    log_mel : of the recording with the added sound, shape (frame, mel) float32 dB.
    mask : of the same shape, from 0 to 1; from `normalized_maps` and `upsampled`.
    background : of the recording before the sound was added, same shape.
    domain : in which the spectrograms are multiplied.

    Raises
    ------
    ValueError
        When the shapes differ or the mask leaves 0 .. 1.
    """
    before = score(log_mel)
    return Faithfulness(
        v1=before - score(kept(log_mel, mask, domain=domain)),
        v2=before - score(replaced(log_mel, mask, background, domain=domain)),
    )


def faithfulness_metrics(recordings: Sequence[Faithfulness]) -> FaithfulnessMetrics:
    """Return mean and standard deviation over recordings.

    Raises
    ------
    UserError
        When there is no recording or a score was not finite.
    """
    falls = np.array(recordings, np.float64).reshape(-1, 2)  # (recordings, 2) v1, v2
    if not len(falls):
        raise UserError("faithfulness", "no recording was scored; it needs at least one with an added sound")
    if not np.isfinite(falls).all():
        raise UserError("faithfulness", "a score is missing or not finite; leave that recording out")
    v1, v2 = (Spread(float(mean), float(std)) for mean, std in zip(falls.mean(axis=0), falls.std(axis=0), strict=True))
    return FaithfulnessMetrics(v1, v2, len(falls))


def kept(log_mel: Float32, mask: Float32, *, domain: Domain = "power") -> Float32:
    """Return x M, the filtered spectrogram of v1, shape (frame, mel) float32 dB."""
    _check(mask, log_mel.shape)
    return _log_mel(_values(log_mel, domain) * mask, domain)


def replaced(log_mel: Float32, mask: Float32, background: Float32, *, domain: Domain = "power") -> Float32:
    """Return x (1 - M) + bg M, the filtered spectrogram of v2, shape (frame, mel) float32 dB."""
    _check(mask, log_mel.shape)
    if background.shape != log_mel.shape:
        raise ValueError(f"a background of shape {background.shape} does not fit a spectrogram of shape {log_mel.shape}")
    share = mask.astype(np.float64)  # 1 - M in float32 would lose what is left of a nearly full mask
    return _log_mel(_values(log_mel, domain) * (1.0 - share) + _values(background, domain) * share, domain)


def normalized_maps(maps: Sequence[Float32]) -> list[Float32]:
    """Return anomaly maps, each shape (time, band), on one scale from 0 (the lowest value in any map) to 1 (the highest).

    NaN becomes 0; maps that are the same everywhere point nowhere and become 0.
    """
    heard = [anomaly_map[~np.isnan(anomaly_map)].astype(np.float64) for anomaly_map in maps]
    low = min((values.min() for values in heard if values.size), default=0.0)
    high = max((values.max() for values in heard if values.size), default=0.0)
    span = high - low if high > low else 1.0
    return [np.nan_to_num((anomaly_map.astype(np.float64) - low) / span, nan=0.0).astype(np.float32) for anomaly_map in maps]


def upsampled(normalized_map: Float32, frames: int, mels: int) -> Float32:
    """Return a map of cells, shape (time, band), as a mask, shape (frames, mels); 0 in the frames and mels that no cell holds.

    Raises
    ------
    ValueError
        When the map is not as long as the spectrogram or has more bands.
    """
    cells, bands = normalized_map.shape
    if cells != frames // CELL_FRAMES or bands > mels // CELL_MELS:
        raise ValueError(f"an anomaly map of {cells} x {bands} cells does not fit a spectrogram of {frames} frames x {mels} mels")
    mask = np.zeros((frames, mels), np.float32)
    mask[: cells * CELL_FRAMES, : bands * CELL_MELS] = normalized_map.repeat(CELL_FRAMES, axis=0).repeat(CELL_MELS, axis=1)
    return mask


def _check(mask: Float32, shape: tuple[int, ...]) -> None:
    if mask.shape != shape:
        raise ValueError(f"a mask of shape {mask.shape} does not fit a spectrogram of shape {shape}")
    if not ((mask >= 0) & (mask <= 1)).all():
        raise ValueError("a mask must be from 0 to 1; see normalized_maps")


def _values(log_mel: Float32, domain: Domain) -> Float64:
    decibels = log_mel.astype(np.float64)
    return 10.0 ** (decibels / 10.0) if domain == "power" else decibels


def _log_mel(values: Float64, domain: Domain) -> Float32:
    decibels = 10.0 * np.log10(np.maximum(values, FLOOR_POWER)) if domain == "power" else values
    return decibels.astype(np.float32)
