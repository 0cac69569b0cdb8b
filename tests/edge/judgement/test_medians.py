from __future__ import annotations

import numpy as np
import pytest

from edge.judgement.medians import medians


@pytest.mark.parametrize("count", [1, 2, 3, 4, 249, 250])
@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_medians_are_numpys(count: int, kind: type[np.floating]) -> None:
    rows = np.random.default_rng(count).standard_normal((5, count)).astype(kind)
    np.testing.assert_array_equal(medians(rows), np.median(rows.astype(np.float64), axis=1))
