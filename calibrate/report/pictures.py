"""Spectrograms and anomaly maps as small PNGs: hours of sound in a bounded picture and bounded memory."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from calibrate.anomaly_map import anomaly_map
from calibrate.recordings import resampled
from edge.audio.audio_file import audio_info, read_blocks
from edge.audio.channels import Channel
from edge.features.frontend import FLOOR_DB, FrontEnd
from edge.features.logmel import LogMel
from edge.model import Model

Float32 = NDArray[np.float32]
UInt8 = NDArray[np.uint8]

COLUMNS = 240  # of a small picture
QUIET, LOUD = 0.02, 0.999  # quantiles between which colours run
MAP_RANGE = 10.0  # anomalies are coloured from a tenth of the threshold to ten times it
COLD_TO_WARM = ((0.0, "#0b1e3b"), (0.499, "#44658f"), (0.501, "#c8553d"), (0.75, "#f4a259"), (1.0, "#fff1a8"))
UNKNOWN = "#c9ced6"  # where nothing was heard


class Squeezed:
    """Takes rows of a long picture as they come, and keeps `columns` to twice as many, each the highest of its time."""

    def __init__(self, columns: int = COLUMNS) -> None:
        self._most = 2 * columns
        self._each = 1  # rows that make a column
        self._columns: list[Float32] = []
        self._rest: list[Float32] = []

    def add(self, rows: Float32) -> None:
        """More rows, shape = (time, band)."""
        for row in rows:
            self._rest.append(row)
            if len(self._rest) == self._each:
                self._columns.append(np.fmax.reduce(self._rest))
                self._rest = []
            if len(self._columns) == self._most:
                self._columns = [np.fmax(*pair) for pair in zip(self._columns[::2], self._columns[1::2], strict=True)]
                self._each *= 2

    @property
    def picture(self) -> Float32:
        """What is kept, shape = (column, band); NaN where nothing was known."""
        rest = [np.fmax.reduce(self._rest)] if self._rest else []
        return np.stack([*self._columns, *rest])


def spectrogram(path: Path, front_end: FrontEnd, channel: Channel = 0, columns: int = COLUMNS) -> bytes:
    """What a recording sounds like, as PNG; AudioError when it cannot be read."""
    squeezed = Squeezed(columns)
    for block in _log_mel(path, front_end, channel):
        squeezed.add(block)
    decibels = squeezed.picture
    low, high = np.quantile(decibels, [QUIET, LOUD])
    return _png(np.clip((decibels - low) / max(float(high - low), 1.0), 0.0, 1.0), "magma")


def map_picture(model: Model, path: Path, channel: Channel = 0, columns: int = COLUMNS) -> bytes:
    """What in a recording is anomalous, as PNG: cold below the alarm threshold, warm above; raises what scoring it does."""
    squeezed = Squeezed(columns)
    squeezed.add(anomaly_map(model, path, channel))
    # Logarithmic, because a loud fault must not hide a soft one.
    decades = np.log10(np.maximum(squeezed.picture, 1.0 / MAP_RANGE)) / np.log10(MAP_RANGE)  # -1 .. 1
    return _png(np.clip(0.5 * (decades + 1.0), 0.0, 1.0), None)


def _log_mel(path: Path, front_end: FrontEnd, channel: Channel) -> Iterator[Float32]:
    log_mel = LogMel(front_end)
    for samples in resampled(read_blocks(path, channel), audio_info(path).rate_hz, front_end.sample_rate_hz):
        yield from log_mel.push(samples)
    rest = log_mel.finish()
    yield rest if log_mel.samples else np.full((1, front_end.mel_bands), FLOOR_DB, np.float32)


def _png(values: Float32, colours: str | None) -> bytes:
    """Values from 0 to 1, shape = (column, band), as a picture with low bands at the bottom; NaN is grey."""
    from matplotlib import colormaps  # late: matplotlib comes with an extra
    from matplotlib.colors import LinearSegmentedColormap, to_rgb
    from PIL import Image

    palette = colormaps[colours] if colours else LinearSegmentedColormap.from_list("alarm", COLD_TO_WARM)
    steps = 255  # one more is for what is not known
    table = np.vstack([palette(np.linspace(0.0, 1.0, steps))[:, :3], to_rgb(UNKNOWN)])  # (256, 3)
    known = np.isfinite(values)
    indices = np.where(known, np.round(np.where(known, values, 0.0) * (steps - 1)), steps).astype(np.uint8)
    image = Image.fromarray(np.ascontiguousarray(indices.T[::-1]), mode="P")
    image.putpalette(np.round(255.0 * table).astype(np.uint8).tobytes())
    written = io.BytesIO()
    image.save(written, format="PNG", optimize=True)
    return written.getvalue()
