from __future__ import annotations

from pathlib import Path

import numpy as np
import soundfile

from edge.audio.loudest_channel import louder_channel

RATE_HZ = 16000


def recording(path: Path, *levels: float) -> Path:
    noise = np.random.default_rng(3).standard_normal((RATE_HZ, len(levels)))
    soundfile.write(path, noise * np.array(levels), RATE_HZ, subtype="FLOAT")
    return path


def test_louder_channel_names_the_loudest_of_the_others(tmp_path: Path) -> None:
    path = recording(tmp_path / "fan.wav", 0.0, 0.01, 0.1)
    assert louder_channel(path, 0) == "; its channel 2 is the loudest, at -20 dBFS: --channel 2"
    assert louder_channel(path, 2) == "; its channel 1 is the loudest, at -40 dBFS: --channel 1"


def test_louder_channel_says_nothing_where_there_is_no_other_sound(tmp_path: Path) -> None:
    assert louder_channel(recording(tmp_path / "one.wav", 0.1), 0) == ""
    assert louder_channel(recording(tmp_path / "two.wav", 0.1, 0.0), 0) == ""
    assert louder_channel(recording(tmp_path / "hiss.wav", 0.0, 1e-5), 0) == ""
    assert louder_channel(recording(tmp_path / "both.wav", 0.0, 0.1), "mix") == ""
