"""Seams: the beginning and the end of an unbroken stretch of sound, where cells are unusual by themselves.

What a patch of CNN14 hears reaches far beyond its cell: the eight 3x3 convolutions of four blocks 30 frames to either side of a cell of
block 4, and the local average over such cells 16 more. Beyond the end of a stretch there is nothing but its mirror image, and normal sound
is no mirror of itself: its largest moments lay there two to three times as often as anywhere else. So moments are judged by the other
cells, as long as most of a window is left; a map shows all.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Bool = NDArray[np.bool_]

SEAM_CELLS = 12  # 46 frames, in whole cells
LEAST_WITHIN = 2 / 3  # of the cells that were heard; a clip of a second is all that there is


def seams_of(known: Bool) -> Bool:
    """Where the seams of a whole recording are, shape = (time,), of which these cells are known."""
    unknown = np.concatenate([[0], np.cumsum(~np.pad(known, SEAM_CELLS))])
    near: Bool = unknown[2 * SEAM_CELLS + 1 :] > unknown[: -2 * SEAM_CELLS - 1]
    return near


def within(known: Bool, seams: Bool) -> Bool:
    """Which of a window's cells may be judged as moments, shape = (time,)."""
    inner = known & ~seams
    return inner if np.count_nonzero(inner) >= LEAST_WITHIN * np.count_nonzero(known) else known
