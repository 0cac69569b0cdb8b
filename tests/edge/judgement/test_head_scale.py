from __future__ import annotations

import numpy as np
import pytest

from edge.judgement.head_scale import HeadScale


def test_scale_surprise_is_counted_above_the_onset() -> None:
    scale = HeadScale(onset=2.0, scale=0.5, centre=1.0, cells=100)
    assert scale.surprise(np.array([1.0, 2.0, 2.5, 4.0]), 100).tolist() == [-2.0, 0.0, 1.0, 4.0]


@pytest.mark.parametrize(("cells", "onset", "scale"), [(100, 2.0, 0.5), (25, 3.0, 1.0), (4, 6.0, 2.5), (400, 2.0, 0.5)])
def test_scale_of_fewer_cells_is_wider_about_the_centre_and_of_more_no_narrower(cells: int, onset: float, scale: float) -> None:
    fitted = HeadScale(onset=2.0, scale=0.5, centre=1.0, cells=100)
    assert fitted.surprise(np.array([onset, onset + scale]), cells) == pytest.approx([0.0, 1.0], abs=1e-12)
