"""What `<source>/drift` says."""

from __future__ import annotations

from edge.drift.drift_report import DriftReport, Slope
from edge.mqtt.encoding import rounded
from edge.mqtt.payloads import SCHEMA_VERSION, BandDriftPayload, DriftPayload, HeadDriftPayload, SlopePayload, WeeksPayload
from edge.mqtt.timestamp import timestamp


def drift_payload(source: str, report: DriftReport) -> DriftPayload:
    """How the normal sound of a source moves."""
    weeks = report.weeks_to_alarm
    return DriftPayload(
        schema=SCHEMA_VERSION,
        source=source,
        t=timestamp(report.t_s),
        state=report.state,
        reason=report.reason,
        days=round(report.days, 2),
        slope_days=report.slope_days,
        level=_slope(report.level),
        level_drifts=report.is_level_told,
        tilt=_slope(report.tilt),
        tilt_drifts=report.is_tilt_told,
        bands=[
            BandDriftPayload(
                f_lo_hz=round(one.f_lo_hz, 1),
                f_hi_hz=round(one.f_hi_hz, 1),
                moved_db=rounded(one.slope.moved, 2),
                db_per_week=rounded(one.slope.per_week, 2),
                low_db_per_week=rounded(one.slope.low, 2),
                high_db_per_week=rounded(one.slope.high, 2),
            )
            for one in report.bands
        ],
        heads={
            name: HeadDriftPayload(
                per_week=rounded(slope.per_week, 4), low_per_week=rounded(slope.low, 4), high_per_week=rounded(slope.high, 4)
            )
            for name, slope in report.heads
        },
        weeks_to_alarm=None if weeks is None else WeeksPayload(weeks=round(weeks[0], 1), low=round(weeks[1], 1), high=round(weeks[2], 1)),
    )


def _slope(slope: Slope) -> SlopePayload:
    return SlopePayload(
        moved_db=rounded(slope.moved, 2),
        db_per_week=rounded(slope.per_week, 2),
        low_db_per_week=rounded(slope.low, 2),
        high_db_per_week=rounded(slope.high, 2),
    )
