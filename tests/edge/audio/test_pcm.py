from __future__ import annotations

import struct

import numpy as np
import pytest

from edge.audio.pcm import SAMPLE_BYTES, SampleFormat, decode_pcm


@pytest.mark.parametrize("sample_format", ["s16le", "s24le", "s32le"])
def test_decode_pcm_integers_reach_full_scale(sample_format: SampleFormat) -> None:
    size = SAMPLE_BYTES[sample_format]
    top = 1 << (8 * size - 1)
    values = [-top, -1, 0, 1, top // 2, top - 1]
    data = b"".join(value.to_bytes(size, "little", signed=True) for value in values)
    samples = decode_pcm(data, sample_format, 2)
    assert samples.shape == (3, 2)
    assert samples.dtype == np.float32
    np.testing.assert_allclose(samples.ravel(), np.array(values) / top, rtol=1e-7)


def test_decode_pcm_float_is_as_it_is() -> None:
    samples = decode_pcm(struct.pack("<3f", -1.5, 0.25, 1e-9), "f32le", 1)
    np.testing.assert_array_equal(samples[:, 0], np.array([-1.5, 0.25, 1e-9], np.float32))
