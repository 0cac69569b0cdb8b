from __future__ import annotations

import numpy as np
import pytest

from edge.audio.block import Block


def test_block_samples_are_read_only() -> None:
    block = Block(np.zeros(3, np.float32))
    with pytest.raises(ValueError, match="read-only"):
        block.samples[0] = 1
    assert block.lost_samples == 0
