"""What `<source>/learning` says."""

from __future__ import annotations

import time

from edge.judgement.tail_fit import supported_false_alarms_per_week
from edge.learning.learning import Learning
from edge.learning.source_learner import DAY_S
from edge.learning.versions import Version
from edge.mqtt.encoding import rounded
from edge.mqtt.payloads import SCHEMA_VERSION, LearnedVersion, LearningPayload
from edge.mqtt.timestamp import timestamp


def learning_payload(learning: Learning, source: str, marks: list[str]) -> LearningPayload | None:
    """How far learning from a source has come; None when it is off, or nothing was heard yet. `marks` are the events that teach."""
    learner = learning.learner(source)
    report, model = learner.report, learner.model
    is_listening = learner.state == "listening"
    if report is None or learner.days is None or (model is None and not is_listening):
        return None
    versions = learning.versions(source)
    is_over = report.state in ("over", "frozen")
    in_force = None if model is None or is_listening else model.bundle
    return LearningPayload(
        schema=SCHEMA_VERSION,
        source=source,
        t=timestamp(time.time()),
        state=learner.state,
        first_in_s=rounded(learning.first_in_s(source), 1),
        reason=report.reason,
        problem=learning.problem(source),
        learned_s=round(report.learned_s, 1),
        days=learner.days,
        next_at_learned_s=None if is_over else round(learning.next_due_s(source), 1),
        supported_false_alarms_per_week=None
        if in_force is None
        else rounded(in_force.manifest.threshold.supported_false_alarms_per_week, 4),
        supported_at_end_per_week=rounded(supported_false_alarms_per_week(DAY_S * learner.days), 4),
        bundle=None if in_force is None else f"sha256:{in_force.sha256}",
        version=None if in_force is None else next((one.number for one in versions if one.sha256 == in_force.sha256), None),
        asks=learner.guard.asks,
        marks=marks,
        versions=[_told(one) for one in versions],
    )


def _told(version: Version) -> LearnedVersion:
    return LearnedVersion(
        version=version.number,
        bundle=f"sha256:{version.sha256}",
        made_at=timestamp(version.created_s),
        learned_s=version.learned_s,
        supported_false_alarms_per_week=rounded(version.supported_false_alarms_per_week, 4),
    )
