"""Raw PCM bytes become samples."""

from __future__ import annotations

from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

SampleFormat: TypeAlias = Literal["s16le", "s24le", "s32le", "f32le"]
SAMPLE_BYTES: dict[SampleFormat, int] = {"s16le": 2, "s24le": 3, "s32le": 4, "f32le": 4}


def decode_pcm(data: bytes, sample_format: SampleFormat, channels: int) -> NDArray[np.float32]:
    """Whole interleaved frames to (samples, channels) float32; integers are scaled so that full scale is -1 to 1."""
    if sample_format == "f32le":
        samples = np.frombuffer(data, "<f4").astype(np.float32)
    elif sample_format == "s16le":
        samples = np.frombuffer(data, "<i2").astype(np.float32) / np.float32(1 << 15)
    elif sample_format == "s32le":
        samples = (np.frombuffer(data, "<i4") / (1 << 31)).astype(np.float32)
    else:
        wide = np.zeros((len(data) // 3, 4), np.uint8)
        wide[:, 1:] = np.frombuffer(data, np.uint8).reshape(-1, 3)  # the three bytes on top of a 32-bit integer carry its sign
        samples = (wide.view("<i4")[:, 0] / (1 << 31)).astype(np.float32)
    return samples.reshape(-1, channels)
