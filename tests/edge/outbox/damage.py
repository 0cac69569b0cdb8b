"""An outbox whose daemon was killed, what may have happened to its files since, and the consumers of what it publishes."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from edge.message import Message
from edge.outbox.outbox import Outbox

SOURCES = ("pump1", "fan2")
NAME = "outbox.sqlite"
START_S = 1_800_000_000.0


class Consumer:
    """Deduplicates as docs/alerts.md says: by the highest `seq` of each source and epoch, or, more simply, of each source."""

    def __init__(self, *, by_epoch: bool) -> None:
        self.by_epoch = by_epoch
        self.processed: list[str] = []
        self._highest: dict[tuple[str, str], int] = {}

    def take(self, payload: bytes) -> None:
        """A message has come."""
        message = json.loads(payload)
        key = (message["source"], message["epoch"] if self.by_epoch else "")
        if message["seq"] > self._highest.get(key, -1):
            self._highest[key] = message["seq"]
            self.processed.append(message["text"])


@dataclass
class Site:
    """A state folder, the folder in memory, a clock, and everything that was ever said."""

    folder: Path
    now_s: float = 0.0
    count: int = 0
    promised: set[str] = field(default_factory=set)  # came through, as far as whoever put them knows
    given: dict[tuple[str, str, int], str] = field(default_factory=dict)
    consumers: tuple[Consumer, ...] = field(default_factory=lambda: (Consumer(by_epoch=True), Consumer(by_epoch=False)))

    @property
    def state(self) -> Path:
        """The folder with the outbox."""
        return self.folder / "state"

    @property
    def memory(self) -> Path:
        """The folder that outlives the daemon and not the system."""
        return self.folder / "memory"

    def open(self) -> Outbox:
        """Start a daemon."""
        self.memory.mkdir(exist_ok=True)
        outbox = Outbox(self.state / NAME, clock=lambda: self.now_s, wall=lambda: START_S + self.now_s, memory=self.memory)
        outbox.open(own_thread=False)
        return outbox

    def put(self, outbox: Outbox, source: str, *, closes: bool = False, size_bytes: int = 300) -> str:
        """Something is to be published; it is saved, or goes on from memory, when this returns."""
        self.count += 1
        self.now_s += 1.0
        text = f"message {self.count}"
        seq, epoch = outbox.next_seq(source), outbox.epoch.id
        payload = json.dumps({"source": source, "epoch": epoch, "seq": seq, "text": text, "fill": "x" * size_bytes}).encode()
        outbox.put(Message("event", payload), source, seq, closes=closes, kept=lambda: self.promised.add(text))
        outbox.work()
        return text

    def deliver(self, outbox: Outbox, most: int = 1_000_000) -> None:
        """A broker that acknowledges, and hands everything to the consumers."""
        for _ in range(most):
            entry = outbox.take()
            if entry is None:
                outbox.work()
                entry = outbox.take()
            if entry is None:
                return
            message = json.loads(entry.message.payload)
            key = (message["source"], message["epoch"], message["seq"])
            assert self.given.setdefault(key, message["text"]) == message["text"], f"{key} stands for two messages"
            for consumer in self.consumers:
                consumer.take(entry.message.payload)
            outbox.acknowledge(entry)

    def copy_to(self, folder: Path) -> Site:
        """The same files elsewhere, as a SIGKILL at this moment would leave them, with the same past."""
        shutil.copytree(self.folder, folder)
        copy = Site(folder, self.now_s, self.count, set(self.promised), dict(self.given))
        for theirs, ours in zip(copy.consumers, self.consumers, strict=True):
            theirs.processed = list(ours.processed)
            theirs._highest = dict(ours._highest)
        return copy


def lived(folder: Path, rng: random.Random) -> Iterator[Site]:
    """A run of a daemon and its broker; yields the site at moments at which the daemon may be killed."""
    folder.mkdir(parents=True)
    site = Site(folder)
    outbox = site.open()
    try:
        for step in range(rng.randint(6, 60)):
            site.put(outbox, rng.choice(SOURCES), closes=rng.random() < 0.5, size_bytes=rng.choice([10, 300, 3000]))
            if rng.random() < 0.4:
                site.deliver(outbox, rng.randint(0, 12))
            if rng.random() < 0.2:
                site.now_s += 20.0
                outbox.work()
            if rng.random() < 0.05:
                outbox.close()
                outbox = site.open()
            if step % 3 == 0:
                yield site
        yield site
    finally:
        outbox._disk.close()  # type: ignore[union-attr]


Damage = Callable[[Site, Path, random.Random], str]


def _files(site: Site) -> list[Path]:
    return sorted(path for path in site.state.rglob("*") if path.is_file())


def flip(site: Site, _older: Path, rng: random.Random) -> str:
    """One bit."""
    path = rng.choice([path for path in _files(site) if path.stat().st_size])
    data = bytearray(path.read_bytes())
    bit = rng.randrange(8 * len(data))
    data[bit // 8] ^= 1 << bit % 8
    path.write_bytes(data)
    return f"bit {bit} of {path.name}"


def cut(site: Site, _older: Path, rng: random.Random) -> str:
    """A file ends early."""
    path = rng.choice(_files(site))
    length = rng.randrange(path.stat().st_size + 1)
    path.write_bytes(path.read_bytes()[:length])
    return f"{path.name} cut to {length}"


def overwrite(site: Site, _older: Path, rng: random.Random) -> str:
    """A block of a file holds something else."""
    path = rng.choice([path for path in _files(site) if path.stat().st_size])
    data = bytearray(path.read_bytes())
    at = rng.randrange(0, len(data), 512)
    data[at : at + 512] = rng.choice([bytes(512), b"\xff" * 512, rng.randbytes(512)])[: len(data) - at]
    path.write_bytes(data)
    return f"512 bytes at {at} of {path.name}"


def remove(site: Site, _older: Path, rng: random.Random) -> str:
    """One file, several, or all of them."""
    paths = _files(site)
    gone = rng.sample(paths, rng.randint(1, len(paths)))
    for path in gone:
        path.unlink()
    return f"removed {[path.name for path in gone]}"


def swap(site: Site, _older: Path, rng: random.Random) -> str:
    """Two files under each other's name."""
    one, other = rng.sample(_files(site), 2)
    kept = one.read_bytes()
    one.write_bytes(other.read_bytes())
    other.write_bytes(kept)
    return f"swapped {one.name} and {other.name}"


def restore(site: Site, older: Path, rng: random.Random) -> str:
    """One file, several, or all of them are what they were some time ago."""
    paths = [path for path in sorted((older / "state").rglob("*")) if path.is_file()]
    back = rng.sample(paths, rng.randint(1, len(paths)))
    for path in back:
        shutil.copy(path, site.state / path.relative_to(older / "state"))
    return f"restored {[path.name for path in back]}"


def replace_card(site: Site, _older: Path, _rng: random.Random) -> str:
    """A new card, or the folder is gone."""
    shutil.rmtree(site.state)
    return "a new card"


DAMAGES: tuple[Damage, ...] = (flip, flip, cut, overwrite, remove, swap, restore, replace_card)


def reboot(site: Site, boots: list[str]) -> None:
    """The system starts anew: what was in memory is gone."""
    shutil.rmtree(site.memory)
    boots.append(f"boot {len(boots)}")
    site.now_s += 60.0
