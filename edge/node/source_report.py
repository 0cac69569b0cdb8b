"""The part of `info` and `health` about one source."""

from __future__ import annotations

from edge.bundles.manifest import ThresholdSummary
from edge.mqtt.encoding import rounded
from edge.mqtt.payloads import LearningHealth, SourceHealth, SourceInfo, ThresholdPayload
from edge.node.source_worker import SourceWorker

DRIFT_WARNING = 0.001  # ten times what a crystal may be off


def source_info(worker: SourceWorker) -> SourceInfo:
    """What listens to the machine."""
    bundle, control = worker.bundle, worker.publisher.control
    manifest = None if bundle is None else bundle.manifest
    return SourceInfo(
        device=worker.source.device,
        rate_hz=worker.rate_hz,
        bundle=None if bundle is None else f"sha256:{bundle.sha256}",
        detector=None if manifest is None else manifest.detector.name,
        backbone=None if manifest is None else manifest.backbone.name,
        calibrated_at=None if manifest is None else manifest.created_at,
        threshold=None if manifest is None else _threshold(manifest.threshold),
        threshold_factor=1.0 if control is None or bundle is None else round(control.threshold_factor, 4),
        snoozed_until=None if control is None else control.snoozed_until,
    )


def _threshold(threshold: ThresholdSummary) -> ThresholdPayload:
    return ThresholdPayload(
        false_alarms_per_week=rounded(threshold.set_for, 4),
        supported_false_alarms_per_week=rounded(threshold.supported_false_alarms_per_week, 4),
        note=threshold.note,
    )


def source_health(worker: SourceWorker) -> SourceHealth:
    """The state of the source."""
    availability, losses = worker.availability, worker.losses
    drift = worker.clock.drift
    return SourceHealth(
        availability=availability.status,
        reason=availability.reason,
        warnings=source_warnings(worker),
        xruns=worker.source.xruns,
        lost_s=round(losses.lost_s, 3),
        shed_s=round(losses.shed_s, 3),
        lag_s=rounded(worker.publisher.lag_s if worker.is_listening else None, 3),
        rate_hz=worker.rate_hz or None,
        measured_rate_hz=None if drift is None else rounded(worker.rate_hz / (1.0 + drift), 1),
        dbfs=availability.dbfs,
        clipped_fraction=availability.clipped_fraction,
        snoozed_until=None if worker.publisher.control is None else worker.publisher.control.snoozed_until,
        learning=_learning_health(worker),
        drift=None if worker.drift is None or worker.drift.report is None else worker.drift.report.state,
    )


def _learning_health(worker: SourceWorker) -> LearningHealth | None:
    report = None if worker.learner is None else worker.learner.report
    if worker.learner is None or report is None:
        return None
    return LearningHealth(
        state=worker.learner.state,
        learning=report.is_learning,
        reason=report.reason,
        learned_s=round(report.learned_s, 1),
        stored_bytes=report.stored_bytes,
        written_bytes=report.written_bytes,
    )


def source_warnings(worker: SourceWorker) -> list[str]:
    """What should be mended although the source is believed."""
    warnings = []
    if worker.keeper.fault:
        warnings.append(worker.keeper.fault)
    if shed_s := worker.losses.shed_lately_s:
        warnings.append(
            f"inference is slower than the sound: {shed_s:.1f} s of the last minute were left out; see throttled and inference_p95_ms"
        )
    if worker.availability.is_clipping:
        warnings.append("clipping: lower the gain, then calibrate again")
    learning = None if worker.learner is None else worker.learner.report
    if learning is not None and learning.is_trouble:
        warnings.append(f"not learning: {learning.reason}")
    if worker.drift is not None and worker.drift.problem is not None:
        warnings.append(f"drift is not measured: {worker.drift.problem}")
    drift = worker.clock.drift
    if drift is not None and abs(drift) > DRIFT_WARNING:
        warnings.append(f"the device gives {worker.rate_hz / (1.0 + drift):.0f} samples a second instead of {worker.rate_hz}")
    return warnings
