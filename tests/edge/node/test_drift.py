from __future__ import annotations

import numpy as np
import pytest

from edge.node.drift import Drift


def measured(slope: float, seconds: int, late_s: float = 0.02, step_at_s: float = 1e9) -> float | None:
    rng = np.random.default_rng(0)
    drift = Drift()
    for at_s in np.arange(0.0, seconds, 0.5):
        drift.add(at_s, 7.0 + slope * at_s + rng.exponential(late_s) + (0.3 if at_s > step_at_s else 0.0))
    return drift.slope


@pytest.mark.parametrize("slope", [0.0, 0.002087, -0.002, 50e-6])
def test_drift_is_found_however_late_readings_are(slope: float) -> None:
    assert measured(slope, 600) == pytest.approx(slope, abs=5e-6)


def test_drift_is_not_known_before_it_can_be() -> None:
    assert measured(0.001, 40) is None
    assert measured(0.001, 60) == pytest.approx(0.001, abs=2e-4)


def test_drift_a_wrong_count_of_lost_samples_does_not_tilt_it() -> None:
    assert measured(100e-6, 600, step_at_s=500.0) == pytest.approx(100e-6, abs=50e-6)


def test_drift_after_a_restart_stands_until_there_is_a_new_one() -> None:
    drift = Drift()
    for at_s in range(60):
        drift.add(float(at_s), 0.001 * at_s)
    drift.restart()
    drift.add(1000.0, 900.0)
    assert drift.slope == pytest.approx(0.001)
    for at_s in range(1001, 1060):
        drift.add(float(at_s), 900.0)
    assert drift.slope == pytest.approx(0.0, abs=1e-12)
