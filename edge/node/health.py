"""The node's health, as it is published every minute."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path

from edge import device_health
from edge.clips.clip_writer import ClipReport
from edge.mqtt.encoding import rounded
from edge.mqtt.link import LinkReport
from edge.mqtt.payloads import (
    SCHEMA_VERSION,
    BrokerHealth,
    ClipsHealth,
    CommandsHealth,
    HealthPayload,
    OutboxPayload,
    ReloadHealth,
    SourceHealth,
)
from edge.mqtt.timestamp import timestamp
from edge.outbox.outbox import OutboxReport

REMEMBERED_WINDOWS = 1200  # ten minutes of one source


class InferenceTimes:
    """Milliseconds of work that recent windows took, from samples to score."""

    def __init__(self) -> None:
        self._window_ms: deque[float] = deque(maxlen=REMEMBERED_WINDOWS)
        self.windows = 0  # since the start
        self.total_s = 0.0  # that these have taken together

    def add(self, window_ms: float) -> None:
        """Remember one window."""
        self._window_ms.append(window_ms)
        self.windows += 1
        self.total_s += window_ms / 1000.0

    def percentile_ms(self, fraction: float) -> float | None:
        """The value that `fraction` of the windows do not exceed; None before the first."""
        ordered = sorted(self._window_ms)
        return ordered[min(len(ordered) - 1, int(fraction * len(ordered)))] if ordered else None


class HealthReporter:
    """Puts the health payload together from the sources' counters, the outbox, the connection and the device."""

    def __init__(
        self,
        inference: InferenceTimes,
        disk: Path,
        commands: Callable[[], CommandsHealth] | None = None,
        clips: Callable[[], ClipReport] | None = None,
    ) -> None:
        """`disk` is a path on the file system whose free space matters; `commands` and `clips` tell how those fare, when there are any."""
        self._commands = commands
        self._clips = clips
        self.inference = inference
        self._disk = disk
        self._started_s = time.monotonic()

    def report(
        self, sources: Mapping[str, SourceHealth], outbox: OutboxReport, link: LinkReport, reload: ReloadHealth | None = None
    ) -> HealthPayload:
        """Return the health of this moment; `reload` is how the last one went."""
        lags_s = [source.lag_s for source in sources.values() if source.lag_s is not None]
        return HealthPayload(
            schema=SCHEMA_VERSION,
            t=timestamp(time.time()),
            uptime_s=round(time.monotonic() - self._started_s, 1),
            clock_synced=device_health.clock_synced(),
            xruns=sum(source.xruns for source in sources.values()),
            lost_s=round(math.fsum(source.lost_s for source in sources.values()), 3),
            shed_s=round(math.fsum(source.shed_s for source in sources.values()), 3),
            lag_s=max(lags_s, default=None),
            inference_p50_ms=rounded(self.inference.percentile_ms(0.5), 2),
            inference_p95_ms=rounded(self.inference.percentile_ms(0.95), 2),
            rss_mb=rounded(device_health.rss_mb(), 1),
            temperature_c=rounded(device_health.temperature_c(), 1),
            throttled=device_health.throttled(),
            disk_free_fraction=rounded(device_health.disk_free_fraction(self._disk), 4),
            outbox=_outbox_payload(outbox),
            broker=_broker_health(link),
            reload=reload,
            commands=None if self._commands is None else self._commands(),
            clips=None if self._clips is None else ClipsHealth(**asdict(self._clips())),
            sources=dict(sources),
        )


def _outbox_payload(outbox: OutboxReport) -> OutboxPayload:
    return OutboxPayload(
        depth=outbox.depth,
        oldest_age_s=rounded(outbox.oldest_age_s, 1),
        dropped=outbox.dropped,
        expired=outbox.expired,
        refused=outbox.refused,
        waiting_bytes=outbox.waiting_bytes,
        durable=outbox.durable,
        problem=outbox.problem,
        epoch=outbox.epoch,
        epoch_reason=outbox.epoch_reason,
    )


def _broker_health(link: LinkReport) -> BrokerHealth:
    return BrokerHealth(
        state=link.state, since=timestamp(link.since_s), reason=link.reason, attempts=link.attempts, connections=link.connections
    )
