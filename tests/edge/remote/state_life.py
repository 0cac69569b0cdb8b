"""What a node writes into its state folder, at random, and what it has to know of it afterwards."""

from __future__ import annotations

import io
import random
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import msgspec
import numpy as np
import soundfile

from edge.clips.clip import Clip
from edge.clips.clip_folder import ClipFolder, clip_name
from edge.remote.adjustments import Adjustments
from edge.remote.event_memory import EventMemory, KnownEvent
from edge.remote.score_record import BIN_S, ScoreRecord
from edge.remote.snoozes import Snoozes
from tests.edge.remote.clocks import Clocks
from tests.edge.remote.test_adjustments import adjustment
from tests.edge.remote.test_event_memory import known, mark

SOURCES = ("pump1", "fan2")
BUNDLE = "b" * 64
RATE_HZ = 8000


class Knowledge(msgspec.Struct):
    """Each by what it is of: a source, an event, a bin, a file. Clips are as long as they have samples."""

    snoozes: dict[str, float]
    factors: dict[str, float]
    false_alarms: dict[str, bool]
    clips: dict[str, int]
    events: dict[str, KnownEvent]  # these two are not synced: the last may be missing after a power cut, or older
    bins: dict[str, float]


SYNCED = ("snoozes", "factors", "false_alarms", "clips")


@lru_cache
def _frames(content: bytes) -> int:
    """The samples in a file of sound: the same few files are read many thousand times."""
    return int(soundfile.info(io.BytesIO(content)).frames)


@dataclass
class StateLife:
    """A node that runs in a folder, by clocks that stand still; `ever` is all that it was ever told."""

    folder: Path
    rng: random.Random
    ever: set[tuple[str, str, object]] = field(default_factory=set)
    events: int = 0
    heard: int = 0  # bins of this run

    def __post_init__(self) -> None:
        self.open()

    def open(self) -> None:
        """The daemon starts."""
        clocks = Clocks()
        self.snoozes = Snoozes(self.folder / "snoozes.json", clocks.now, clocks.wall)
        self.adjustments = Adjustments(self.folder / "thresholds.json")
        self.memory = EventMemory(self.folder)
        self.records = {source: ScoreRecord(self.folder / "scores", source, BUNDLE, clocks.wall) for source in SOURCES}
        self.clips = ClipFolder(self.folder / "clips", 1e9, 10**9)
        self.clips.clear()
        self.heard = 0
        for source, record in self.records.items():
            record.began()
            self.memory.watch(source, BUNDLE, record.bin_of(0.0))

    def knowledge(self) -> Knowledge:
        """What the node knows."""
        events = [event for source in SOURCES for event in self.memory.of(source, BUNDLE)]
        clips = [path for path in self.clips.files() if path.suffix == ".flac"]
        return Knowledge(
            snoozes={name: round(until_s, 3) for name in SOURCES if (until_s := self.snoozes.until_s(name)) is not None},
            factors={name: one.factor for name in SOURCES if (one := self.adjustments.of(name, BUNDLE)) is not None},
            false_alarms={name: True for name in map(str, range(self.events)) if self.memory.is_false_alarm(name)},
            clips={path.name: _frames(path.read_bytes()) for path in clips},
            events={event.event: event for event in events},
            bins={f"{name} {n}": s for name, record in self.records.items() for n, s in zip(*record.bins(), strict=True)},
        )

    def step(self) -> None:
        """Something happens; whoever asked for it has the answer when this returns."""
        self.act()
        known = self.knowledge()
        self.ever |= {(name, key, value) for name in known.__struct_fields__ for key, value in getattr(known, name).items()}

    def act(self) -> None:
        """A step of a life that nobody holds against it later: `ever` does not grow."""
        often = [self._snooze, self._move, self._event, self._mark]
        self.rng.choice([*often, *often, self._listen, self._keep])()

    def _snooze(self) -> None:
        self.snoozes.set(self.rng.choice(SOURCES), self.rng.choice([0.0, 1.0, 60.0, self.rng.uniform(0, 1000.0)]), "oil\nchange")

    def _move(self) -> None:
        source = self.rng.choice(SOURCES)
        if self.rng.random() < 0.3:
            self.adjustments.reset(source, BUNDLE)
        else:
            self.adjustments.set(adjustment(source, BUNDLE, round(self.rng.uniform(0.5, 3.0), 4)))

    def _event(self) -> None:
        source = self.rng.choice(SOURCES)
        at = self.records[source].bin_of(BIN_S * self.heard)
        for last_bin in (None, at + 2):
            event = known(str(self.events), source, bundle=BUNDLE, first_bin=at, last_bin=last_bin)
            self.memory.add(event)
            self.ever.add(("events", event.event, event))
        self.events += 1

    def _mark(self) -> None:
        if self.events:
            mark(self.memory, str(self.rng.randrange(self.events)), self.rng.choice(["false_alarm", "real"]))

    def _listen(self) -> None:
        for _ in range(self.rng.choice([1, 30])):
            for record in self.records.values():
                record.add(BIN_S * self.heard, float(np.float32(self.rng.random())))
            self.heard += 1
        for record in self.records.values():
            record.save()

    def _keep(self) -> None:
        name = clip_name("pump1", "2026-11-20T10:00:00.000Z", f"{self.rng.getrandbits(64):x}")
        sound = np.random.default_rng(self.events).uniform(-1, 1, self.rng.randrange(1, 4000)).astype(np.float32)
        self.clips.write(Clip(name, RATE_HZ, [sound]))
