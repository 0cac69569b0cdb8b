"""Whether a block stands out from the window before it. If not, there is no new moment in it, and the heads need not be asked yet."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence

import numpy as np

from edge.detectors.detector import Deviation
from edge.judgement.contrast import moments


class Peaks:
    """The highest moment of each of the latest blocks of one stream, by every feature that has bands.

    These are moments as in edge/judgement/heads.py, without taking off what is usual, which hardly differs from block to block.
    """

    def __init__(self, features: Mapping[str, int], blocks: int) -> None:
        """`features` with the number of their bands; a window has so many `blocks`."""
        self._before = {feature: deque([-np.inf], maxlen=blocks) for feature, bands in features.items() if bands > 1}

    def rise(self, deviations: Sequence[Deviation]) -> bool:
        """Take the deviations of the next block; return whether one of its moments is higher than all in the window before it."""
        is_higher = False
        for deviation in deviations:
            before = self._before.get(deviation.feature)
            if before is not None:
                highest = float(moments(deviation.values).max(initial=-np.inf))
                is_higher = is_higher or highest > max(before)
                before.append(highest)
        return is_higher
