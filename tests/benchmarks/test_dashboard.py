"""What twenty machines cost the dashboard, for a minute; `auscult benchmark dashboard` measures longer."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from benchmarks.dashboard import BROKER_AWAY_S, document, measure_dashboard

MINUTES = 1.25


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_twenty_machines_at_two_scores_a_second_lose_nothing_but_the_gap(tmp_path: Path) -> None:
    if shutil.which("mosquitto", path="/usr/sbin:/usr/bin:/usr/local/sbin") is None:
        pytest.skip("mosquitto is not installed; sudo apt install mosquitto")
    cost = measure_dashboard(tmp_path, MINUTES, 20, lambda _seconds: None)
    found = document(cost)
    assert found["events_kept"] == found["events_sent"] > 0
    (gap,) = found["gaps"]
    assert "no connection to the broker" in gap["reason"]
    assert BROKER_AWAY_S <= gap["seconds"] < 20.0
    lost = found["scores_sent"] - found["scores_kept"]
    assert 0 <= lost <= 40.0 * (gap["seconds"] + 4.0)
    assert found["server_cpu_fraction"] < 0.25
    assert found["server_rss_mb"]["last"] < 90.0
    assert found["server_rss_mb"]["last"] - found["server_rss_mb"]["first"] < 10.0
    assert found["history_mb"] < 2.0
    for page in found["pages"]:
        assert page["heap_mb"]["largest"] < 20.0, page
        assert page["elements"]["last"] < 5000, page
