"""The probe that a bundle carries: a short sound, and the cells that the device must compute from it (`edge.model` checks it at start)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edge.features.any_backbone import AnyBackbone
from edge.model import PROBE_SECONDS, probe_cells

PROBE_TOLERANCE = 0.02  # relative; saturating int8 arithmetic is far beyond it, another rounding of the log-mel far below


def probe_of(backbone: AnyBackbone, bandwidth_hz: float) -> dict[str, NDArray[np.generic]]:
    """Two seconds of sound with tones, noise and clicks, and this processor's features of them, both float16."""
    rate_hz = backbone.front_end.sample_rate_hz
    rng = np.random.default_rng(0)
    time_s = np.arange(round(PROBE_SECONDS * rate_hz)) / rate_hz
    tones = sum(np.sin(2 * np.pi * f_hz * time_s) for f_hz in (120.0, 997.0, 4300.0))
    samples = 0.05 * tones + 0.02 * rng.standard_normal(len(time_s))
    samples[:: rate_hz // 3] += 0.5
    stored = samples.astype(np.float16)
    return {"samples": stored, "cells": probe_cells(backbone, bandwidth_hz, stored.astype(np.float32)).astype(np.float16)}
