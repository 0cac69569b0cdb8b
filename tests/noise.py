"""Recordings of noise, for tests that need sound and no machine."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import soundfile

from calibrate.embeddings import Recording

RATE_HZ = 32000


def noise_recordings(folder: Path, *seconds: float) -> list[Recording]:
    """One recording for each duration, all different."""
    recordings = []
    for index, duration_s in enumerate(seconds):
        path = folder / f"{index}.wav"
        samples = np.random.default_rng(index).standard_normal(round(duration_s * RATE_HZ)) * 0.05
        soundfile.write(path, samples, RATE_HZ)
        recordings.append(Recording(path, 0, round(duration_s / 0.04)))
    return recordings
