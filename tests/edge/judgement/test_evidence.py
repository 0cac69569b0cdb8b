from __future__ import annotations

from math import expm1, log1p

import numpy as np
import pytest

from edge.judgement.evidence import surprise_of


def test_together_is_what_two_heads_would_have_to_say_alike() -> None:
    said = log1p(7.0)
    assert float(surprise_of(np.asarray(2 * said))) == pytest.approx(7.0)
    assert float(surprise_of(np.asarray(said))) == pytest.approx(expm1(said / 2))
