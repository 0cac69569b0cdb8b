from __future__ import annotations

import numpy as np
import pytest

from edge.audio.framing import framed


@pytest.mark.parametrize(("count", "length", "hop"), [(20, 4, 3), (20, 4, 8), (4, 4, 1), (11, 1, 1), (64, 16, 16)])
def test_framed_are_numpys_windows(count: int, length: int, hop: int) -> None:
    samples = np.arange(count + 3, dtype=np.float32)[3:]
    frames = framed(samples, length, hop)
    np.testing.assert_array_equal(frames, np.lib.stride_tricks.sliding_window_view(samples, length)[::hop])
    assert np.shares_memory(frames, samples)


def test_framed_samples_that_are_not_contiguous_are_refused() -> None:
    with pytest.raises(ValueError, match="contiguous"):
        framed(np.arange(20, dtype=np.float32)[::2], 4, 2)
