"""Record a source into files for `auscult calibrate`."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path

import msgspec

from calibrate.segments import SegmentWriter
from calibrate.signal_watch import SignalWatch
from edge.audio.level_meter import Level, LevelMeter
from edge.console.output import printable
from edge.errors import AuscultError
from edge.sources.source import Source

STALLED_AFTER_S = 5.0
METER_INTERVAL_S = 0.1


class RecordingSummary(msgspec.Struct, frozen=True):
    """What was recorded. Levels are None when there was no signal or less than a second of it."""

    source: str
    device: str
    rate_hz: int
    seconds: float
    lost_s: float
    xruns: int
    dbfs: float | None
    peak_dbfs: float | None
    clipped_s: int
    silent_s: int
    dead_s: int
    warnings: list[str]
    folder: str
    files: list[str]


class Recorder:
    """Takes a source's blocks until there is enough, and keeps every one that it took."""

    def __init__(
        self,
        source: Source,
        folder: Path,
        seconds: float,
        *,
        warn: Callable[[str], None] = lambda warning: None,
        show: Callable[[Level, float, float], None] | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(timezone.utc),
    ) -> None:
        """`source` is open. `warn` hears of trouble as it comes; `show` gets ten levels a second, the seconds recorded and those lost."""
        self._source = source
        self._folder = folder
        self._wanted_samples = max(1, round(seconds * source.rate_hz))
        self._warn = warn
        self._show = show
        self._now = now
        self._watch = SignalWatch()
        self._seconds_meter = LevelMeter(source.rate_hz)
        self._shown_meter = LevelMeter(source.rate_hz, METER_INTERVAL_S)
        self._writer: SegmentWriter | None = None
        self._samples = 0
        self._lost_samples = 0

    def record(self, stopped: Callable[[], bool] = lambda: False) -> RecordingSummary:
        """Record until there is enough sound, the source ends or `stopped` returns true.

        Raises
        ------
        AuscultError : the source fails or gives no more sound, or the disk is full; what was heard before is kept
        """
        try:
            while self._samples < self._wanted_samples and not self._source.finished and not stopped():
                self._take_block()
        finally:
            if self._writer:
                self._writer.close()
        return self._summary()

    def _take_block(self) -> None:
        block = self._source.read()
        if block is None:
            if self._source.stalled_s > STALLED_AFTER_S:
                raise AuscultError(self._source.device, f"gave no sound for {STALLED_AFTER_S:.0f} s; what came before is in {self._folder}")
            return
        samples = block.samples[: self._wanted_samples - self._samples]
        rate_hz = self._source.rate_hz
        if self._writer is None:
            heard_at = self._now() - timedelta(seconds=len(samples) / rate_hz)
            self._writer = SegmentWriter(self._folder, self._source.name, rate_hz, heard_at)
        if block.lost_samples:
            self._writer.lose(block.lost_samples)
            self._lost_samples += block.lost_samples
            self._warn(f"lost {block.lost_samples / rate_hz:.2f} s of sound; a new file begins after the gap")
        self._writer.write(samples)
        self._samples += len(samples)
        for level in self._seconds_meter.push(samples):
            for warning in self._watch.push(level):
                self._warn(warning)
        if self._show and (levels := self._shown_meter.push(samples)):
            self._show(levels[-1], self._samples / rate_hz, self._lost_samples / rate_hz)

    def _summary(self) -> RecordingSummary:
        rate_hz = self._source.rate_hz
        lost_s = round(self._lost_samples / rate_hz, 3)
        warnings = self._watch.verdict() + [f"lost {lost_s:.2f} s of sound"] * bool(self._lost_samples)
        return RecordingSummary(
            source=self._source.name,
            device=self._source.device,
            rate_hz=rate_hz,
            seconds=round(self._samples / rate_hz, 3),
            lost_s=lost_s,
            xruns=self._source.xruns,
            dbfs=_rounded(self._watch.dbfs),
            peak_dbfs=_rounded(self._watch.peak_dbfs),
            clipped_s=self._watch.clipped_s,
            silent_s=self._watch.silent_s,
            dead_s=self._watch.dead_s,
            warnings=warnings,
            folder=printable(self._folder),
            files=[file.name for file in self._writer.files] if self._writer else [],
        )


def _rounded(dbfs: float | None) -> float | None:
    return None if dbfs is None else round(dbfs, 1)
