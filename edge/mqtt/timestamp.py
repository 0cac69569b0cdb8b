"""Times as messages write them."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


def timestamp(epoch_s: float) -> str:
    """Return seconds since 1970 as `2026-11-20T10:00:00.000Z`."""
    # isoformat cuts off instead of rounding, so whole milliseconds go in.
    moment = _EPOCH + timedelta(milliseconds=round(epoch_s * 1000.0))
    return moment.isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"
