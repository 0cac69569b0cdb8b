from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from edge.errors import AudioError
from edge.features.frontend import BLOCK_FRAMES, CLAP, PANNS, mels_below
from edge.features.level import MASKED_DB
from export.sound import recorded_clips, synthesised_clips


def test_synthesised_clips_every_fourth_is_of_a_narrow_microphone() -> None:
    clips = synthesised_clips(PANNS, 40.0, seed=0)
    assert [clip.is_full_band for clip in clips[:4]] == [True, True, True, False]
    audible = mels_below(PANNS, 8000.0)
    assert np.all(clips[3].log_mel[:, audible:] == MASKED_DB)
    assert np.all(clips[3].log_mel[:, :audible] != MASKED_DB)
    assert all(len(clip.log_mel) % BLOCK_FRAMES == 0 for clip in clips)


def test_recorded_clips_of_16_khz_are_resampled_and_masked(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for index in range(3):
        soundfile.write(tmp_path / f"{index}.wav", rng.normal(0.0, 0.1, 16000 * 12), 16000)
    clips = recorded_clips(CLAP, tmp_path, seconds=30.0)
    assert len(clips) == 3
    assert all(clip.samples.shape == (441_000,) and clip.bandwidth_hz == 8000.0 and not clip.is_full_band for clip in clips)


def test_recorded_clips_too_short_says_so(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "short.wav", np.full(8000, 0.1), 16000)
    with pytest.raises(AudioError, match=r"holds no recording of 1\.6 s or more"):
        recorded_clips(PANNS, tmp_path, seconds=10.0)
