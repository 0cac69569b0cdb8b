from __future__ import annotations

import numpy as np
import pytest

from calibrate.fitters.fitter import FittedDetector


def test_unheard_share_is_of_all_that_was_heard_and_gaps_are_no_sound() -> None:
    excess = np.zeros((50, 3), np.float32)
    excess[40:] = np.nan  # a gap
    own = np.full((50, 3), np.nan, np.float32)
    own[30:40] = 1.0
    learned = {"own": np.full((20, 3), np.nan, np.float32), "excess": np.zeros((20, 3), np.float32)}
    fitted = FittedDetector({}, {"own": 3, "excess": 3}, [{"own": own, "excess": excess}, learned])
    assert fitted.unheard_share == pytest.approx(10 / 60)


def test_unheard_share_of_a_detector_that_was_fitted_out_of_fold_is_everything() -> None:
    whole = {"own": np.zeros((50, 3), np.float32), "excess": np.zeros((50, 3), np.float32)}
    assert FittedDetector({}, {"own": 3, "excess": 3}, [whole, whole]).unheard_share == 1.0
