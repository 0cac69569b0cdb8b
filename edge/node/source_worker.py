"""One source at work: read -> push -> publish."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from edge.audio.block import Block
from edge.audio.level_meter import LevelMeter
from edge.bundles.bundle import Bundle
from edge.errors import DeviceError
from edge.judgement.event import Event
from edge.judgement.window import Window
from edge.mqtt.encoding import rounded
from edge.mqtt.payloads import SourceHealth, SourceInfo, ThresholdPayload
from edge.node.availability import Availability
from edge.node.health import InferenceTimes
from edge.node.source_publisher import SourcePublisher
from edge.node.stream_clock import StreamClock
from edge.sources.source import Source

LOG = logging.getLogger("auscult.source")
REOPEN_AFTER_S = 10.0  # a device that has been silent this long is closed and opened again
RETRY_S = 5.0


class ListenerLike(Protocol):
    """What the worker needs of `edge.pipeline.Listener`."""

    def push(self, samples: NDArray[np.float32]) -> Sequence[Window | Event]:
        """Add samples (samples,) at the native rate; return what they completed."""

    def lose(self, samples: int) -> Sequence[Window | Event]:
        """Count samples that were lost; return what came to its end before them."""

    def finish(self) -> Sequence[Window | Event]:
        """The stream is over; return what was still open."""


class SourceWorker:
    """Listens to one source with one bundle. Only `open` raises; a microphone that fails later is opened again until it works."""

    def __init__(
        self,
        source: Source,
        bundle: Bundle,
        make_listener: Callable[[int], ListenerLike],
        publisher: SourcePublisher,
        inference: InferenceTimes,
    ) -> None:
        """`make_listener(rate_hz)` is called once the source's rate is known."""
        self.source = source
        self.bundle = bundle
        self.finished = True  # until it is opened
        self._make_listener = make_listener
        self._publisher = publisher
        self._inference = inference
        self._availability = Availability()
        self._rate_hz = 0
        self._samples = 0  # of the stream so far, lost ones too
        self._lost_samples = 0
        self._work_s = 0.0  # since the last window
        self._retry_at_s: float | None = None
        self._problem = ""

    def open(self) -> None:
        """Open the source and make its listener.

        Raises
        ------
        UserError
            when there is no such device or file, or the bundle does not fit it.
        """
        self.source.open()
        self._rate_hz = self.source.rate_hz
        self._listener = self._make_listener(self._rate_hz)
        self._meter = LevelMeter(self._rate_hz)
        self._clock = StreamClock(self.source.live)
        self._publisher.start(self._clock)
        self.finished = False

    def step(self) -> bool:
        """Read once and deal with what came; False when there was nothing to do. Waits a tenth of a second at most."""
        if self.finished:
            return False
        if self._retry_at_s is not None:
            return self._reopen()
        try:
            block = self.source.read()
        except DeviceError as error:
            self._give_up_for_now(str(error))
            return False
        if block is not None:
            self._problem = ""
            self._hear(block)
        elif self.source.finished:
            LOG.info("%s: end of the stream after %.1f s", self.source.name, self._stream_s)
            self.finish()
        else:
            self._availability.stalled(self.source.stalled_s)
            self._publisher.availability(self._availability.status)
            if self.source.stalled_s > REOPEN_AFTER_S:
                self._give_up_for_now(f"no sound from {self.source.device} for {self.source.stalled_s:.0f} s")
            return False
        return True

    def finish(self) -> None:
        """End the stream: score what is left, close events, publish `offline`. Harmless when it is over already."""
        if self.finished:
            return
        self.finished = True
        self._publish(self._listener.finish())
        self._availability.ended()
        self._publisher.end()
        self.source.close()

    @property
    def info(self) -> SourceInfo:
        """What `info` says of this source."""
        manifest = self.bundle.manifest
        return SourceInfo(
            device=self.source.device,
            rate_hz=self._rate_hz,
            bundle=f"sha256:{self.bundle.sha256}",
            detector=manifest.detector.name,
            backbone=manifest.backbone.name,
            calibrated_at=manifest.created_at,
            threshold=ThresholdPayload(
                false_alarms_per_week=rounded(manifest.threshold.false_alarms_per_week, 4),
                supported_false_alarms_per_week=rounded(manifest.threshold.supported_false_alarms_per_week, 4),
                note=manifest.threshold.note,
            ),
        )

    @property
    def health(self) -> SourceHealth:
        """What `health` says of this source."""
        is_listening = not self.finished and self._retry_at_s is None and self.source.live
        return SourceHealth(
            availability=self._availability.status,
            xruns=self.source.xruns,
            lost_s=round(self._lost_samples / self._rate_hz, 3),
            lag_s=round(self._publisher.lag_s, 3) if is_listening else None,
        )

    @property
    def _stream_s(self) -> float:
        return self._samples / self._rate_hz

    def _hear(self, block: Block) -> None:
        self._samples += block.lost_samples + len(block.samples)
        self._lost_samples += block.lost_samples
        self._clock.arrived(self._stream_s)
        started_s = time.perf_counter()
        results: list[Window | Event] = []
        if block.lost_samples:
            LOG.warning("%s: %.2f s of sound were lost", self.source.name, block.lost_samples / self._rate_hz)
            results.extend(self._listener.lose(block.lost_samples))
        if len(block.samples):
            results.extend(self._listener.push(block.samples))
        self._work_s += time.perf_counter() - started_s
        windows = sum(isinstance(result, Window) for result in results)
        for _ in range(windows):
            self._inference.add(1000.0 * self._work_s / windows)
        if windows:
            self._work_s = 0.0
        for level in self._meter.push(block.samples):
            self._availability.heard(level)
            self._publisher.level(level, self._stream_s)
        self._publisher.availability(self._availability.status)
        self._publish(results)

    def _publish(self, results: Sequence[Window | Event]) -> None:
        for result in results:
            if isinstance(result, Window):
                self._publisher.window(result)
            else:
                self._publisher.event(result)

    def _give_up_for_now(self, problem: str) -> None:
        if problem != self._problem:  # a microphone that stays unplugged should not fill the journal
            LOG.warning("%s; trying again every %.0f s", problem, RETRY_S)
        self._problem = problem
        self.source.close()
        self._retry_at_s = time.monotonic() + RETRY_S
        self._availability.ended()
        self._publisher.availability(self._availability.status)

    def _reopen(self) -> bool:
        if self._retry_at_s is None or time.monotonic() < self._retry_at_s:
            return False
        self._retry_at_s = None
        try:
            self.source.open()
        except DeviceError as error:
            self._give_up_for_now(str(error))
            return False
        if self.source.rate_hz != self._rate_hz:  # another device answers to the name now, and the listener cannot change its rate
            self._give_up_for_now(f"{self.source.device}: now records at {self.source.rate_hz} Hz instead of {self._rate_hz} Hz; restart")
            return False
        LOG.info("%s: listening to %s again", self.source.name, self.source.device)
        return True
