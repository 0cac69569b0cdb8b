from __future__ import annotations

import numpy as np
import pytest

from edge.audio.channels import Channel, channel_problem, to_mono

STEREO = np.array([[1, 3], [2, 6]], np.float32)  # (samples, channels)


@pytest.mark.parametrize(("channel", "expected"), [(0, [1, 2]), (1, [3, 6]), ("mix", [2, 4])])
def test_to_mono_picks_or_mixes(channel: Channel, expected: list[float]) -> None:
    mono = to_mono(STEREO, channel)
    assert mono.tolist() == expected
    assert mono.dtype == np.float32
    assert not np.shares_memory(mono, STEREO)


def test_to_mono_of_one_channel_is_that_channel() -> None:
    assert to_mono(STEREO[:, :1], "mix").tolist() == [1, 2]


def test_channel_problem_names_what_there_is() -> None:
    assert channel_problem("mix", 1) is None
    assert channel_problem(1, 2) is None
    assert "has 2 channels, so there is no channel 2" in str(channel_problem(2, 2))
    assert "has 1 channel," in str(channel_problem(-1, 1))
