"""The manifest of a bundle, and the backbone that is stored in it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime, timezone
from pathlib import Path

import msgspec

from calibrate.checks import CheckedRecordings
from calibrate.detection_limit import DetectionLimit
from calibrate.fitters.fitter import FitterSettings
from calibrate.probe import PROBE_TOLERANCE
from calibrate.settings import HOP_S, WINDOW_S, CalibrationSettings
from calibrate.threshold_note import settable_false_alarms_per_week, threshold_note
from edge.features.any_backbone import AnyBackbone
from edge.features.backbone import BUILT_IN
from edge.features.frontend import FrontEnd
from edge.judgement.fusion import Units
from edge.judgement.head_scale import HeadScale
from edge.judgement.steady import STEADY, SteadyChoice
from edge.judgement.tail import Tail
from edge.judgement.tail_fit import supported_false_alarms_per_week
from edge.model import BACKBONE_MEMBER, CARD_MEMBER
from edge.version import VERSION


@dataclass(frozen=True, slots=True)
class DataFacts:
    """The sound that a bundle was made of."""

    bandwidth_hz: float
    recordings: int
    seconds: float
    sources: tuple[str, ...]  # names of files, or of the source that has learned
    dropped: tuple[str, ...]
    unheard_s: float  # of these seconds, what the detector had not learned from

    @classmethod
    def of(cls, checked: CheckedRecordings, unheard_s: float) -> DataFacts:
        """Of recordings."""
        names, dropped = (tuple(_name(report.path) for report in reports) for reports in (checked.kept, checked.dropped))
        return cls(checked.bandwidth_hz, len(checked.kept), checked.seconds, names, dropped, unheard_s)


def bundle_manifest(
    settings: CalibrationSettings,
    backbone: AnyBackbone,
    data: DataFacts,
    heads: Mapping[str, HeadScale],
    steady: SteadyChoice | None,
    units: Units,
    tail: Tail,
    limit: DetectionLimit,
) -> Mapping[str, object]:
    """The fields of `Manifest`."""
    front_end: FrontEnd = backbone.front_end
    settable = settable_false_alarms_per_week(data.unheard_s, settings.false_alarms_per_week)
    return {
        "created_at": (settings.created_at or datetime.now(timezone.utc)).isoformat(timespec="seconds"),
        "auscult_version": VERSION,
        "front_end": front_end.name,
        "sample_rate_hz": front_end.sample_rate_hz,
        "bandwidth_hz": data.bandwidth_hz,
        "backbone": {"name": backbone.name, "sha256": backbone.sha256, "precision": backbone.precision},
        "detector": {
            "name": settings.fitting.detector,
            "parameters": {
                **_stored(settings.fitting),
                "mode": settings.mode,
                "heads": msgspec.to_builtins(heads),
                **({STEADY: msgspec.to_builtins(steady)} if steady else {}),
                "units": msgspec.to_builtins(units),
                "tail": tail.parameters(),
                "window_s": WINDOW_S,
                "hop_s": HOP_S,
            },
        },
        "threshold": {
            "false_alarms_per_week": settings.false_alarms_per_week,
            "supported_false_alarms_per_week": supported_false_alarms_per_week(data.unheard_s),
            "set_for_false_alarms_per_week": settable,
            "score_scale": tail.surprise_at(settable),
            "note": threshold_note(data.unheard_s, settings.false_alarms_per_week),
            "detection_limit_db": limit.by_octave,
        },
        "data": {
            "recordings": data.recordings,
            "seconds": round(data.seconds, 3),
            "sources": list(data.sources),
            "dropped": list(data.dropped),
        },
        "probe": {"members": ["probe"], "tolerance": PROBE_TOLERANCE},
    }


def _stored(fitting: FitterSettings) -> dict[str, object]:
    """The choices that make the detector what it is; how it was made (`metadata={"stored": False}`) is nobody's business."""
    there = {choice.name for choice in fields(fitting) if choice.metadata.get("stored", True)}  # type: ignore[arg-type]  # all are dataclasses
    return {name: value for name, value in msgspec.to_builtins(fitting).items() if name in there}


def _name(path: Path) -> str:
    """A file's name; what is no UTF-8 in it could not be written to the manifest."""
    return os.fsencode(path.name).decode(errors="replace")


def embedded(backbone: str | Path) -> dict[str, bytes]:
    """An exported backbone travels in the bundle; a built-in one is on every device already."""
    path = Path(backbone)
    if path.suffix != ".onnx" or path.resolve().parent == BUILT_IN.resolve():
        return {}
    return {BACKBONE_MEMBER: path.read_bytes(), CARD_MEMBER: path.with_suffix(".json").read_bytes()}
