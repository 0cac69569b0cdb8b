"""The daemon in a process of its own, with a listener that finds loud sound anomalous: no bundle has to be calibrated for it.

    python -m tests.edge.node.tiny_daemon SETTINGS.json

Everything but the listener is the real thing.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.bundles.bundle import Bundle, write_bundle
from edge.clips.clip_folder import ClipFolder
from edge.clips.clip_writer import ClipWriter
from edge.clips.source_clips import SourceClips
from edge.config.make_source import make_source
from edge.config.schema import CommandsConfig, FilesConfig, SourceConfig, StdinConfig
from edge.console.cli import guarded
from edge.console.log import configure_logging
from edge.judgement.cells import Cells
from edge.judgement.event import Event
from edge.judgement.event_tracker import EventSettings
from edge.judgement.taught import EventSound
from edge.judgement.threshold import Moved
from edge.judgement.ulid import new_ulid
from edge.judgement.window import Localization, Region, Window
from edge.mqtt.backoff import Backoff
from edge.mqtt.publisher import Publisher
from edge.mqtt.settings import BrokerSettings, TlsSettings
from edge.mqtt.topics import Topics
from edge.node.daemon import Daemon
from edge.node.health import HealthReporter, InferenceTimes
from edge.node.source_publisher import SourcePublisher
from edge.node.source_worker import SourceWorker
from edge.outbox.outbox import Outbox
from edge.pipeline import Overhearing
from edge.remote.remote import Remote

HOP_S = 0.5
LOUD = 0.5  # the peak that is the alarm threshold


class LoudnessListener:
    """Windows of one hop each; an event lasts as long as they are loud."""

    def __init__(self, rate_hz: int) -> None:
        self._rate_hz = rate_hz
        self._hop_samples = round(HOP_S * rate_hz)
        self._samples = np.zeros(0, np.float32)  # (samples,) not yet in a window
        self._loud = LOUD
        self._at_s = 0.0
        self._lost_s = 0.0
        self._event: tuple[str, float] | None = None
        self._seq = 0

    def push(self, samples: NDArray[np.float32]) -> list[Window | Event]:
        """Add samples; return the windows they completed, each followed by its event message."""
        self._samples = np.concatenate([self._samples, samples])
        results: list[Window | Event] = []
        while len(self._samples) >= self._hop_samples:
            part, self._samples = self._samples[: self._hop_samples], self._samples[self._hop_samples :]
            peak = float(np.abs(part).max())
            score = peak / self._loud
            end_s = self._at_s + HOP_S
            cells = np.array([score, np.nan], np.float32)  # (time,)
            regions = (Region(0.0, HOP_S, 50.0, 14000.0, score),) if score >= 1.0 else ()
            where = Localization(HOP_S / 2, cells, regions)
            p_value = min(1.0, 0.01 / (score + 0.01))
            results.append(Window(self._at_s, end_s, score, p_value, score >= 1.0, {"level": score}, self._lost_s, where, peak / LOUD))
            if score >= 1.0 and self._event is None:
                self._event = (new_ulid(), self._at_s)
                results.append(self._message("opened", end_s))
            elif score < 1.0 and self._event is not None:
                results.append(self._message("closed", end_s))
                self._event = None
            self._at_s, self._lost_s = end_s, 0.0
        return results

    def lose(self, samples: int) -> list[Window | Event]:
        """Count lost samples."""
        self._at_s += samples / self._rate_hz
        self._lost_s += samples / self._rate_hz
        return []

    def finish(self) -> list[Window | Event]:
        """Close what is open."""
        results = [self._message("closed", self._at_s)] if self._event else []
        self._event = None
        return list(results)

    end_event = finish

    def set_events(self, settings: EventSettings) -> None:
        """It knows no rules but its own."""

    def overhear(self, *overhearing: Overhearing) -> None:
        """It has no patches to learn from."""

    def move_threshold(self, moved: Moved | None) -> list[Window | Event]:
        """Another loudness is the alarm from now on."""
        self._loud = LOUD * (1.0 if moved is None else moved.factor)
        return self.end_event()

    def teach(self, false_alarms: Sequence[EventSound], real: Sequence[EventSound] = ()) -> None:
        """Nothing stands out in its events."""

    def event_sounds(self) -> list[EventSound]:
        return []

    def watch(self, is_watched: bool) -> None:
        """There is nothing to see."""

    def seen(self) -> list[Cells]:
        """Nothing."""
        return []

    def _message(self, kind: Any, end_s: float) -> Event:
        assert self._event is not None
        self._seq += 1
        name, start_s = self._event
        return Event(name, self._seq, kind, start_s, end_s, 1.5, 0.001, (Region(0.0, HOP_S, 50.0, 14000.0, 1.5),), 0.0)


def make_bundle(path: Path) -> Bundle:
    """A bundle that says what it is and holds nothing."""
    write_bundle(
        path,
        {
            "schema": 1,
            "kind": "auscult-bundle",
            "created_at": "2026-11-20T10:00:00Z",
            "auscult_version": "0.1.0",
            "front_end": "panns-32k",
            "sample_rate_hz": 32000,
            "bandwidth_hz": 14000.0,
            "backbone": {"name": "cnn14-random", "sha256": "0" * 64, "precision": "int8"},
            "detector": {"name": "patchcore", "parameters": {}},
            "threshold": {"false_alarms_per_week": 1.0, "supported_false_alarms_per_week": 24.0, "score_scale": 1.0, "note": "too short"},
            "data": {"recordings": 1, "seconds": 60.0, "sources": ["a.wav"], "dropped": []},
        },
        {},
    )
    return Bundle.read(path)


def main(settings: dict[str, Any]) -> int:
    """Run the daemon on one source as `settings` say."""
    configure_logging("info")
    os.umask(settings.get("umask", 0o022))
    topics = Topics("test")
    secret = settings.get("password")
    tls = settings.get("ca_file")
    broker = BrokerSettings(
        "127.0.0.1",
        "auscult-test",
        settings["port"],
        settings.get("protocol", "5"),
        username=settings.get("username"),
        read_password=lambda: secret,
        tls=TlsSettings(Path(tls)) if tls else None,
    )
    outbox = Outbox(Path(settings["folder"]) / "outbox.sqlite")
    folder = Path(settings["folder"]) / "state"
    clip_writer = ClipWriter(ClipFolder(Path(settings["clips"]), 86_400.0, 10**8)) if "clips" in settings else None
    remote = Remote(CommandsConfig(enabled=True), folder, topics, clip_writer) if settings.get("commands") else None
    subscriptions = [remote.subscription] if remote is not None else []
    publisher = Publisher(
        broker, topics.status, outbox=outbox, replays_per_s=1000.0, backoff=Backoff(0.1, 0.2), subscriptions=subscriptions
    )
    bundle = make_bundle(Path(settings["folder"]) / "pump1.auscult")
    if "files" in settings:
        files = FilesConfig(paths=tuple(Path(path) for path in settings["files"]), realtime=settings["realtime"], loop=settings["loop"])
        source = make_source("pump1", SourceConfig(bundle=bundle.path, files=files))
    else:
        source = make_source("pump1", SourceConfig(bundle=bundle.path, stdin=StdinConfig(rate_hz=settings["rate_hz"])))
    inference = InferenceTimes()
    control = remote.control("pump1") if remote is not None else None
    clips = SourceClips("pump1", 0.5, 0.5, clip_writer) if clip_writer is not None else None
    source_publisher = SourcePublisher("pump1", publisher, topics, control, clips)

    def make_listener(rate_hz: int) -> LoudnessListener:
        listener = LoudnessListener(rate_hz)
        listener.move_threshold(remote.moved("pump1", bundle.sha256) if remote is not None else None)
        return listener

    worker = SourceWorker(source, bundle, make_listener, source_publisher, inference)
    commands = remote.health if remote is not None else None
    health = HealthReporter(inference, bundle.path.parent, commands, clip_writer.report if clip_writer is not None else None)
    daemon = Daemon("test", {"pump1": worker}, publisher, topics, health, 0.5, remote=remote, clip_writer=clip_writer)
    if remote is not None:
        remote.serve(daemon, "test", Path("config.yaml"), publisher.answer)
    return daemon.run()


if __name__ == "__main__":
    sys.exit(guarded(lambda: main(json.loads(Path(sys.argv[1]).read_text()))))
