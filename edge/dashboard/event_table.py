"""Events as a table: what the page's filter asks for, and CSV (RFC 4180) for a spreadsheet."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from typing import Any, Final

from edge.dashboard.event_store import EventFilter, EventStore
from edge.dashboard.messages import is_name
from edge.mqtt.timestamp import timestamp

PAGE: Final = 50
BATCH: Final = 500
_COLUMNS: Final = (
    "node",
    "source",
    "id",
    "type",
    "t_start",
    "t_end",
    "duration_s",
    "peak_score",
    "p_value",
    "f_lo_hz",
    "f_hi_hz",
    "regions",
    "lost_s",
    "verdict",
    "marked_at",
    "note",
    "clip",
    "detector",
    "bundle",
)


def parse_filter(query: Mapping[str, str]) -> EventFilter:
    """The filter of a request.

    Raises
    ------
    ValueError
        A value that is none.
    """
    names = {name: query.get(name) or None for name in ("node", "source")}
    if any(value is not None and not is_name(value) for value in names.values()):
        raise ValueError("no such name")
    verdict = query.get("verdict") or None
    if verdict not in (None, "false_alarm", "real", "none"):
        raise ValueError("verdict is false_alarm, real or none")
    numbers = {name: _number(query.get(name)) for name in ("since", "until", "peak", "f_lo", "f_hi")}
    return EventFilter(
        node=names["node"],
        source=names["source"],
        verdict=verdict,  # type: ignore[arg-type]  # checked above
        since_s=numbers["since"],
        until_s=numbers["until"],
        least_peak=numbers["peak"],
        f_lo_hz=numbers["f_lo"],
        f_hi_hz=numbers["f_hi"],
    )


def csv_lines(store: EventStore, chosen: EventFilter) -> Iterator[str]:
    """All events of a filter, the latest first; times in UTC."""
    yield _line(_COLUMNS)
    before = None
    while True:
        found = store.find(chosen, BATCH, before)
        yield "".join(_line(_row(event)) for event in found)
        if len(found) < BATCH:
            return
        before = (found[-1]["t_start"], found[-1]["id"])


def _row(event: dict[str, Any]) -> list[object]:
    regions = event["regions"]
    told = {
        **event,
        "t_start": timestamp(event["t_start"]),
        "t_end": timestamp(event["t_end"]),
        "marked_at": timestamp(event["marked_at"]) if event["marked_at"] is not None else None,
        "duration_s": round(event["t_end"] - event["t_start"], 3),
        "peak_score": event["peak"],
        "f_lo_hz": min((region["f_lo_hz"] for region in regions), default=None),
        "f_hi_hz": max((region["f_hi_hz"] for region in regions), default=None),
        "regions": len(regions),
    }
    return [told[name] for name in _COLUMNS]


def _line(row: object) -> str:
    buffer = io.StringIO()
    csv.writer(buffer).writerow(_cell(value) for value in row)  # type: ignore[attr-defined]
    return buffer.getvalue()


def _cell(value: object) -> object:
    """Text that begins like a formula would be one to a spreadsheet, and some of it comes from whoever may publish."""
    return f"'{value}" if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r") else value


def _number(text: str | None) -> float | None:
    if not text:
        return None
    value = float(text)
    if not -1e12 < value < 1e12:
        raise ValueError("no such number")
    return value
