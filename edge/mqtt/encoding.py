"""Make payloads from windows and events: with timestamps, rounded, and null where there is no number."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import replace

import msgspec
import numpy as np
from numpy.typing import NDArray

from edge.judgement.cells import Cells
from edge.judgement.event import Event
from edge.judgement.window import Localization, Region, Window
from edge.message import Message
from edge.mqtt.payloads import SCHEMA_VERSION, CellsPayload, EventPayload, LocalizationPayload, RegionPayload, ScorePayload
from edge.outbox.entry import renumbered

BEFORE_EPOCHS = ""  # of messages that waited in the outbox of a version that had none

LEVEL_MIN_DB, LEVEL_STEP_DB = -130.0, 1.0  # from the floor of the front ends
ANOMALY_STEP = 0.02
UNKNOWN = 255

Stamp = Callable[[float], str]
"""Turns seconds of a stream into a timestamp."""


def rounded(value: float | None, digits: int) -> float | None:
    """Return `value` with `digits` decimals; None for what is not a number, which JSON cannot express."""
    return round(float(value), digits) if value is not None and math.isfinite(value) else None


def probability(value: float | None) -> float | None:
    """Return a probability with three significant digits: the difference between 1e-5 and 1e-7 matters."""
    return float(f"{min(max(value, 0.0), 1.0):.3g}") if value is not None and math.isfinite(value) else None


def _regions(regions: Iterable[Region]) -> list[RegionPayload]:
    return [
        RegionPayload(
            t0_s=round(region.t0_s, 3),
            t1_s=round(region.t1_s, 3),
            f_lo_hz=round(region.f_lo_hz, 1),
            f_hi_hz=round(region.f_hi_hz, 1),
            score=rounded(region.score, 4),
        )
        for region in regions
    ]


def localization_payload(localization: Localization) -> LocalizationPayload:
    """Return the published localization of an anomaly."""
    return LocalizationPayload(
        cell_s=round(localization.cell_s, 6),
        time_scores=[rounded(value, 3) for value in localization.time_scores.tolist()],
        regions=_regions(localization.regions),
    )


def score_payload(source: str, window: Window, stamp: Stamp, latency_ms: float) -> ScorePayload:
    """Return what is published of a window."""
    return ScorePayload(
        schema=SCHEMA_VERSION,
        source=source,
        t_start=stamp(window.t_start_s),
        t_end=stamp(window.t_end_s),
        score=rounded(window.score, 4),
        p_value=probability(window.p_value),
        anomalous=bool(window.anomalous),
        heads={name: rounded(score, 4) for name, score in window.heads.items()},
        lost_s=round(window.lost_s, 3),
        latency_ms=round(latency_ms, 1),
        localization=localization_payload(window.localization),
    )


def cells_payload(source: str, cells: Cells, stamp: Stamp) -> CellsPayload:
    """Return the payload for cells."""
    return CellsPayload(
        schema=SCHEMA_VERSION,
        source=source,
        t_start=stamp(cells.t_start_s),
        step_s=round(cells.step_s, 6),
        steps=len(cells.level_db),
        band_edges_hz=list(cells.band_edges_hz),
        level_min_db=LEVEL_MIN_DB,
        level_step_db=LEVEL_STEP_DB,
        level=_bytes((cells.level_db - LEVEL_MIN_DB) / LEVEL_STEP_DB),
        anomaly_step=ANOMALY_STEP,
        anomaly=_bytes(cells.anomaly / ANOMALY_STEP),
    )


def _bytes(values: NDArray[np.floating]) -> bytes:
    """The nearest whole numbers, one byte each; 255 means NaN."""
    return np.where(np.isnan(values), UNKNOWN, np.clip(np.rint(np.nan_to_num(values)), 0, UNKNOWN - 1)).astype(np.uint8).tobytes()


def event_payload(
    source: str,
    event: Event,
    epoch: str,
    stamp: Stamp,
    detector: str,
    bundle_sha256: str,
    clock_synced: bool | None,
    clip: str | None = None,
    *,
    interrupted: bool = False,
) -> EventPayload:
    """Return what is published of an event."""
    return EventPayload(
        schema=SCHEMA_VERSION,
        id=event.id,
        epoch=epoch,
        seq=event.seq,
        type=event.type,
        source=source,
        t_start=stamp(event.t_start_s),
        t_end=stamp(event.t_end_s),
        peak_score=rounded(event.peak_score, 4),
        p_value=probability(event.p_value),
        regions=_regions(event.regions),
        detector=detector,
        bundle=f"sha256:{bundle_sha256}",
        lost_s=round(event.lost_s, 3),
        clock_synced=clock_synced,
        replayed=False,
        interrupted=interrupted,
        clip=clip,
    )


def as_replayed(message: Message) -> Message:
    """Return an event message that comes late or may have come before, marked as such."""
    # Not by way of EventPayload: an older version may have written it.
    payload = {"epoch": BEFORE_EPOCHS, **msgspec.json.decode(message.payload), "replayed": True}
    return replace(message, payload=msgspec.json.encode(payload))


def as_interrupted(message: Message, epoch: str, seq: int) -> Message:
    """Return the `closed` message of an event whose last message is `message`, after an interruption."""
    return renumbered(message, epoch, seq, type="closed", interrupted=True)


def encode(payload: msgspec.Struct) -> bytes:
    """Return a payload as JSON."""
    return msgspec.json.encode(payload)
