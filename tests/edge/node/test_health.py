from __future__ import annotations

from pathlib import Path

from edge.mqtt.outgoing import OutboxReport
from edge.mqtt.payloads import SourceHealth
from edge.node.health import HealthReporter, InferenceTimes


def test_inference_times_percentiles_are_of_recent_windows() -> None:
    times = InferenceTimes()
    assert times.percentile_ms(0.5) is None
    for _ in range(2000):
        times.add(1000.0)
    for window_ms in range(1200):
        times.add(float(window_ms))
    assert times.percentile_ms(0.5) == 600.0
    assert times.percentile_ms(0.95) == 1140.0


def test_health_report_sums_over_the_sources(tmp_path: Path) -> None:
    sources = {
        "pump1": SourceHealth(availability="online", xruns=2, lost_s=0.5, lag_s=0.4),
        "pump2": SourceHealth(availability="offline", xruns=1, lost_s=0.25, lag_s=None),
    }
    report = HealthReporter(InferenceTimes(), tmp_path).report(sources, OutboxReport(3, 12.34, 7))
    assert (report.xruns, report.lost_s, report.lag_s) == (3, 0.75, 0.4)
    assert (report.outbox.depth, report.outbox.oldest_age_s, report.outbox.dropped) == (3, 12.3, 7)
    assert report.inference_p50_ms is None
    assert report.disk_free_fraction is not None
