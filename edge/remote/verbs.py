"""What each command does."""

from __future__ import annotations

import math
import time
from pathlib import Path
from typing import Any

from edge.clips.clip_writer import ClipWriter
from edge.config.schema import Verb
from edge.mqtt.encoding import rounded
from edge.mqtt.timestamp import timestamp
from edge.remote.adjustments import Adjustment, Adjustments
from edge.remote.background_writer import Problem
from edge.remote.commands import Handler, Reply
from edge.remote.event_memory import NO_BIN, EventMemory, Mark
from edge.remote.node_like import NodeLike, SourceLike
from edge.remote.recalibration import LEAST_FACTOR, MOST_FACTOR, Recalibration, recalibrate
from edge.remote.requests import (
    AcceptRequest,
    CommandError,
    InfoRequest,
    MarkRequest,
    RecalibrateRequest,
    ReloadRequest,
    RollbackRequest,
    SnapshotRequest,
    SnoozeRequest,
    WatchRequest,
)
from edge.remote.responses import RecalibrateResponse, Response
from edge.remote.snoozes import Snoozes
from edge.remote.source_control import SourceControl
from edge.remote.watches import Watches
from edge.version import VERSION


class Verbs:
    """One method for each verb; all run in the worker's thread. What is written is answered when it is on disk."""

    def __init__(
        self,
        node: NodeLike,
        name: str,
        config_path: Path,
        snoozes: Snoozes,
        watches: Watches,
        events: EventMemory,
        adjustments: Adjustments,
        clip_writer: ClipWriter | None,
    ) -> None:
        self._node = node
        self._name = name
        self._config_path = config_path
        self._snoozes = snoozes
        self._watches = watches
        self._events = events
        self._adjustments = adjustments
        self._clip_writer = clip_writer
        self._started_s = time.monotonic()

    def handlers(self) -> dict[Verb, Handler]:
        """By verb."""
        return {
            "snooze": self.snooze,
            "mark": self.mark,
            "reload": self.reload,
            "recalibrate-threshold": self.recalibrate_threshold,
            "snapshot": self.snapshot,
            "watch": self.watch,
            "rollback": self.rollback,
            "accept": self.accept,
            "info": self.info,
        }

    def snooze(self, request: SnoozeRequest, reply: Reply) -> None:
        """Publish no events of a source for a while; scores continue."""
        worker, control = self._source(request.source)

        def kept(problem: Problem) -> None:
            reply.ok(source=request.source, snoozed_until=control.snoozed_until, warning=problem)

        self._snoozes.set(request.source, request.minutes, request.note, kept)
        if request.minutes > 0.0:
            worker.publisher.snooze()

    def mark(self, request: MarkRequest, reply: Reply) -> None:
        """Keep a verdict on an event, and teach it to the listener."""
        known = self._events.find(request.event)

        def kept(problem: Problem) -> None:
            if problem is not None:
                reply.error(problem)
                return
            worker = self._node.workers.get(known.source)
            control = None if worker is None else worker.publisher.control
            if worker is not None:
                worker.teach()
            reply.ok(
                event=request.event,
                verdict=request.verdict,
                taught=control is not None and control.teaches(request.event),
                source=known.source,
                t_start=known.t_start,
                peak_score=rounded(known.peak_score, 4),
            )

        mark = Mark(
            t=timestamp(time.time()),
            event=request.event,
            verdict=request.verdict,
            note=request.note,
            source=known.source,
            t_start=known.t_start,
            t_end=known.t_end,
            peak_score=known.peak_score,
        )
        self._events.mark(mark, kept)

    def reload(self, _request: ReloadRequest, reply: Reply) -> None:
        """Read the configuration again; the answer comes when it is done."""

        def done(problem: str | None) -> None:
            if problem is None:
                reply.ok(result="the configuration holds")
            else:
                reply.error(problem)

        self._node.request_reload(done)

    def rollback(self, request: RollbackRequest, reply: Reply) -> None:
        """Go back to an earlier bundle of those that were learned; the answer comes when the choice is on disk."""
        self._source(request.source)

        def chosen(version: int | None, problem: Problem) -> None:
            if problem is None:
                reply.ok(source=request.source, version=version)
            else:
                reply.error(problem)

        self._node.roll_back(request.source, chosen)

    def accept(self, request: AcceptRequest, reply: Reply) -> None:
        """What lasts is the new normal."""
        self._source(request.source)
        problem = self._node.accept(request.source)
        if problem is not None:
            raise CommandError(problem)
        reply.ok(source=request.source)

    def recalibrate_threshold(self, request: RecalibrateRequest, reply: Reply) -> None:
        """Set the threshold so that recent sound exceeds it as often as it may."""
        worker, control = self._source(request.source)
        if self._node.is_reloading:  # it may be about to replace the listener
            raise CommandError("the configuration is being read again; send it again in a minute")
        bundle, before = worker.bundle, control.threshold_factor
        if bundle is None:
            raise CommandError(f"{request.source} is still listening and has no threshold; `auscult learn --status` says for how long")
        told: dict[str, Any] = dict.fromkeys(set(RecalibrateResponse.__struct_fields__) - set(Response.__struct_fields__))
        told.update(source=request.source, threshold_factor_before=rounded(before, 4))

        def kept(problem: Problem) -> None:
            reply.ok(**{**told, "warning": problem})

        if request.reset:
            told.update(threshold_factor=1.0, note="the threshold is the bundle's own again")
            self._adjustments.reset(request.source, bundle.sha256, kept)
            worker.move_threshold(None)
            return
        rate = request.false_alarms_per_week or bundle.manifest.threshold.false_alarms_per_week
        events = self._events.of(request.source, bundle.sha256)
        others = [event for event in events if not self._events.is_false_alarm(event.event) or control.teaches(event.event)]
        real = [event.peak_surprise for event in events if event.peak_surprise is not None and self._events.is_real(event.event)]
        left_out = [(event.first_bin, NO_BIN if event.last_bin is None else event.last_bin) for event in others]
        known_from = self._events.complete_from(request.source, bundle.sha256)
        left_out.append((0, known_from - 1))
        bins = control.record.bins()
        found = recalibrate(bins, left_out, bundle.manifest.threshold.score_scale, rate, min(real, default=math.inf))
        moved = found.moved
        told.update(
            threshold_factor=rounded(moved.factor, 4),
            clipped=found.clipped,
            false_alarms_per_week=rate,
            supported_false_alarms_per_week=rounded(found.supported_false_alarms_per_week, 3),
            hours_heard=round(found.heard_s / 3600.0, 3),
            hours_used=round(found.used_s / 3600.0, 3),
            false_alarms=len(events) - len(others),
            events_left_out=len(others),
            note=_note(len(others), bool(bins[0][0] < known_from), found),
        )
        made_at = timestamp(time.time())
        adjustment = Adjustment(
            source=request.source, bundle=bundle.sha256, factor=moved.factor, tail=moved.tail, false_alarms_per_week=rate, t=made_at
        )
        self._adjustments.set(adjustment, kept)
        worker.move_threshold(moved)

    def snapshot(self, request: SnapshotRequest, reply: Reply) -> None:
        """Keep the last seconds as a clip; the answer comes when it is written."""
        worker, _ = self._source(request.source)
        if self._clip_writer is None or worker.publisher.clips is None:
            raise CommandError("no sound is kept on this node; `clips.enabled: true` in its config.yaml allows it")
        clip = worker.publisher.clips.snapshot(request.seconds)
        if clip is None:
            raise CommandError(f"nothing was heard of {request.source} yet")
        path = self._clip_writer.folder.path_of(clip.name)

        def done(problem: str | None) -> None:
            if problem is None:
                reply.ok(source=request.source, clip=path.name, path=str(path), seconds=round(clip.seconds, 3), rate_hz=clip.rate_hz)
            else:
                reply.error(problem)

        self._clip_writer.write(clip, done)

    def watch(self, request: WatchRequest, reply: Reply) -> None:
        """Publish the cells of a source for a while."""
        self._source(request.source)
        self._watches.set(request.source, request.seconds)
        until_s = self._watches.until_s(request.source)
        reply.ok(source=request.source, watched_until=None if until_s is None else timestamp(until_s))

    def info(self, _request: InfoRequest, reply: Reply) -> None:
        """Say what runs here."""
        reply.ok(
            node=self._name,
            version=VERSION,
            uptime_s=round(time.monotonic() - self._started_s, 1),
            config=str(self._config_path.absolute()),
            sources=self._node.source_infos(),
        )

    def _source(self, name: str) -> tuple[SourceLike, SourceControl]:
        worker = self._node.workers.get(name)
        if worker is None or worker.publisher.control is None:
            raise CommandError(f"no source is called {name[:64]!r} here; there are {', '.join(self._node.workers)}")
        return worker, worker.publisher.control


def _note(events_left_out: int, is_older_unknown: bool, found: Recalibration) -> str | None:
    """What whoever asked should know besides the numbers."""
    notes = []
    if events_left_out:
        notes.append("the sound of events does not count as normal, unless they are marked as false alarms and could not be taught")
    if is_older_unknown:
        notes.append("older sound does not count, because the node does not know its events")
    if found.is_held:
        notes.append("the sound asks for a higher threshold, which would not hear an event that is marked as real")
    if found.clipped:
        bounds = f"a threshold is moved to between {LEAST_FACTOR:g} and {MOST_FACTOR:g} times the bundle's own only"
        notes.append(f"{bounds}: what the sound asks for is beyond, so calibrate again")
    return "; ".join(notes) or None
