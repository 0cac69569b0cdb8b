from __future__ import annotations

from pathlib import Path

from edge.mqtt.link import LinkReport
from edge.mqtt.payloads import SourceHealth, Status
from edge.node.health import HealthReporter, InferenceTimes
from edge.outbox.outbox import OutboxReport


def test_inference_times_percentiles_are_of_recent_windows() -> None:
    times = InferenceTimes()
    assert times.percentile_ms(0.5) is None
    for _ in range(2000):
        times.add(1000.0)
    for window_ms in range(1200):
        times.add(float(window_ms))
    assert times.percentile_ms(0.5) == 600.0
    assert times.percentile_ms(0.95) == 1140.0


def source_health(availability: Status, *, xruns: int, lost_s: float, shed_s: float, lag_s: float | None) -> SourceHealth:
    return SourceHealth(
        availability=availability,
        reason=None,
        warnings=[],
        xruns=xruns,
        lost_s=lost_s,
        shed_s=shed_s,
        lag_s=lag_s,
        rate_hz=16000,
        measured_rate_hz=None,
        dbfs=None,
        clipped_fraction=None,
        snoozed_until=None,
        learning=None,
        drift=None,
    )


def test_health_report_sums_over_the_sources(tmp_path: Path) -> None:
    sources = {
        "pump1": source_health("online", xruns=2, lost_s=0.5, shed_s=0.0, lag_s=0.4),
        "pump2": source_health("offline", xruns=1, lost_s=0.25, shed_s=0.125, lag_s=None),
    }
    link = LinkReport("away", "connection lost", 3, 1, 0.0)
    report = HealthReporter(InferenceTimes(), tmp_path).report(sources, OutboxReport(3, 12.34, 7, problem="disk I/O error"), link)
    assert (report.xruns, report.lost_s, report.shed_s, report.lag_s) == (3, 0.75, 0.125, 0.4)
    assert (report.outbox.depth, report.outbox.oldest_age_s, report.outbox.dropped) == (3, 12.3, 7)
    assert (report.outbox.durable, report.outbox.problem) == (False, "disk I/O error")
    assert (report.broker.state, report.broker.since, report.broker.attempts) == ("away", "1970-01-01T00:00:00.000Z", 3)
    assert report.inference_p50_ms is None
    assert report.disk_free_fraction is not None
