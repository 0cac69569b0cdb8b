"""The state of each message of the outbox: new, ready, in flight, delivered, or on disk only."""

from __future__ import annotations

import math
import threading
from collections import deque
from collections.abc import Iterable, Sequence

from edge.outbox.entry import Entry, Waiting, renumbered
from edge.outbox.epoch import Epoch
from edge.outbox.ledger import Ledger
from edge.outbox.unwritten import Unwritten

READ_AHEAD = 100  # messages that are ready in memory while more wait on disk


class OutboxQueue:
    """The memory side of the outbox, shared by three threads: the worker puts, the network thread takes, the outbox's own saves.

    A message's way: `incoming` until it is saved -> `ready` (or on disk only, while `READ_AHEAD` others are ready) -> `in flight` ->
    `done`, which is to be deleted from the file. All methods are atomic; `changed` is notified when there is something to save or to read.
    """

    def __init__(self) -> None:
        self.changed = threading.Condition()
        self.dropped = 0  # for every reason
        self.waiting_bytes = 0
        self.on_disk = 0  # waiting in the file and not in memory
        self._incoming: deque[Entry] = deque()
        self._ready: deque[Entry] = deque()
        self._in_flight: dict[Entry, None] = {}
        self._unwritten = Unwritten()
        self._untold: deque[Entry] = deque()  # left `incoming`; their sender has not been informed
        self._next_number = 1
        self._last_read = 0  # what waits in the file with a greater number is not in memory

    def put(self, entry: Entry) -> None:
        """Take a new message and give it its number."""
        with self.changed:
            entry.number = self._next_number
            self._next_number += 1
            self._incoming.append(entry)
            self._unwritten.add(entry)
            self.waiting_bytes += entry.size_bytes
            self.changed.notify()

    def renumber(self, epoch: Epoch) -> None:
        """Count what is not to be sent yet in another epoch, so that it may overtake what waits on disk."""
        with self.changed:
            seqs: dict[str, int] = {}
            for entry in self._incoming:
                entry.seq = seqs[entry.source] = seqs.get(entry.source, epoch.first_seq - 1) + 1
                entry.message = renumbered(entry.message, epoch.id, entry.seq)

    def peek(self) -> Entry | None:
        """Return what `take` would return."""
        with self.changed:
            return self._ready[0] if self._ready else None

    def take(self) -> Entry | None:
        """Return the next message to send, which is in flight from now on; None when none is ready."""
        with self.changed:
            if not self._ready:
                return None
            entry = self._ready.popleft()
            self._in_flight[entry] = None
            if self.wants_more:
                self.changed.notify()
            return entry

    def acknowledge(self, entry: Entry) -> bool:
        """Forget a message that is in flight; False when it is not."""
        with self.changed:
            if entry not in self._in_flight:
                return False
            del self._in_flight[entry]
            self._forget(entry)
            return True

    def release(self) -> None:
        """Put everything in flight back in its place; whatever goes out from now on may be late or a repetition."""
        with self.changed:
            self._ready.extendleft(sorted(self._in_flight, key=lambda entry: -entry.number))
            self._in_flight.clear()
            for entry in (*self._ready, *self._incoming):
                entry.fresh = False

    def last(self, source: str) -> Entry | None:
        """Return the last message that the source ever had."""
        with self.changed:
            return self._unwritten.last.get(source)

    def last_of_all(self) -> list[Entry]:
        """Return the last message of every source."""
        with self.changed:
            return list(self._unwritten.last.values())

    @property
    def depth(self) -> int:
        """Messages not yet acknowledged."""
        with self.changed:
            return len(self._incoming) + len(self._ready) + len(self._in_flight) + self.on_disk

    @property
    def unsaved(self) -> int:
        """Messages that are not on disk, the last delivered one of a source included."""
        return len(self._unwritten.unsaved)

    @property
    def incoming(self) -> int:
        """Messages that are not to be sent yet."""
        return len(self._incoming)

    @property
    def wants_more(self) -> bool:
        """Whether it is time to read ahead."""
        return self.on_disk > 0 and len(self._ready) < READ_AHEAD // 2

    @property
    def oldest_s(self) -> float | None:
        """When the oldest message in memory entered, on the outbox's clock."""
        with self.changed:
            heads = [*self._in_flight, *list(self._ready)[:1], *list(self._incoming)[:1]]
            return min((entry.entered_s for entry in heads), default=None)

    def unwritten(self) -> tuple[list[Entry], list[tuple[int, str]]]:
        """Return what is to be added to the file and what is to be forgotten there."""
        with self.changed:
            return self._unwritten.listed()

    def written(self, entries: Sequence[Entry], done: Sequence[tuple[int, str]]) -> None:
        """The file holds `entries` now, which may be sent, and has forgotten `done`."""
        with self.changed:
            self._unwritten.written(entries, done)
            while self._incoming and self._incoming[0].saved:
                if self.on_disk or len(self._ready) >= READ_AHEAD:
                    self._untold.append(self._incoming.popleft())
                    self.on_disk += 1
                else:
                    self._make_ready()

    def admit_unsaved(self, up_to: float = math.inf, *, overtaking: bool = True) -> None:
        """There is no disk that works: what came, `up_to` this number, may be sent all the same, once nothing older is on disk only, or
        even before."""
        with self.changed:
            while self._incoming and self._incoming[0].number <= up_to and (overtaking or not self.on_disk):
                self._make_ready()

    def _make_ready(self) -> None:
        entry = self._incoming.popleft()
        self._ready.append(entry)
        self._untold.append(entry)
        self._last_read = max(self._last_read, entry.number)

    def kept(self) -> list[Entry]:
        """Return the messages that were processed since the last call: saved, to be sent from memory, or dropped."""
        with self.changed:
            kept, self._untold = list(self._untold), deque()
            return kept

    @property
    def last_read(self) -> int:
        """The number behind which to read ahead."""
        return self._last_read

    def extend(self, entries: Sequence[Entry], *, at_end: bool) -> None:
        """Add what was read ahead; `at_end` when the file holds no more."""
        with self.changed:
            here = {entry.number for entry in (*self._in_flight, *self._ready, *self._incoming)} | self._unwritten.done.keys()
            new = [entry for entry in entries if entry.number not in here]
            self._ready.extend(new)
            self.on_disk = 0 if at_end else self.on_disk - len(new)
            if entries:
                self._last_read = max(self._last_read, entries[-1].number)

    @property
    def unsaved_bytes(self) -> int:
        """What the unsaved messages that wait take of the memory."""
        with self.changed:
            return sum(entry.size_bytes for entry in self._unwritten.unsaved if not entry.delivered)

    def expendable(self) -> list[Waiting]:
        """Return the unsaved messages that wait, what is missed least first; see `Ledger.expendable`."""
        with self.changed:
            return _listed(sorted(self._unwritten.unsaved, key=lambda entry: (entry.closes, entry.number)))

    def older_than(self, entered_s: float) -> list[Waiting]:
        """Return the messages in memory that entered before `entered_s`."""
        with self.changed:
            return _listed(entry for entry in (*self._ready, *self._incoming) if entry.entered_s < entered_s)

    def drop(self, victims: Iterable[Waiting], enough_bytes: float = math.inf) -> int:
        """Give up messages until `enough_bytes` are free, but none in flight, which have probably arrived; return how many."""
        with self.changed:
            entries = {entry.number: entry for entry in (*self._ready, *self._incoming)}
            spared = {entry.number for entry in self._in_flight} | self._unwritten.done.keys()
            dropped: set[int] = set()
            freed_bytes = 0
            for victim in victims:
                if freed_bytes >= enough_bytes:
                    break
                if victim.number in spared or victim.number in dropped:
                    continue
                dropped.add(victim.number)
                freed_bytes += victim.size_bytes
                entry = entries.get(victim.number)
                if entry is not None:
                    self._forget(entry)
                else:
                    self._unwritten.forget(victim.number, victim.source)
                    self.waiting_bytes -= victim.size_bytes
                    self.on_disk -= 1
            self._untold.extend(entry for entry in self._incoming if entry.number in dropped)
            self._ready = deque(entry for entry in self._ready if entry.number not in dropped)
            self._incoming = deque(entry for entry in self._incoming if entry.number not in dropped)
            self.dropped += len(dropped)
            return len(dropped)

    def attach(self, ledger: Ledger, later_s: float) -> None:
        """A file is open that we did not have before: what waits in it comes first, and what is in memory is to be saved in it.

        The outbox's clock is set forward by `later_s`.
        """
        waiting = ledger.waiting_numbers()
        with self.changed:
            rest = [*self._ready, *self._incoming]
            self._ready, self._incoming = (deque[Entry](), deque(rest)) if waiting else (deque(rest), deque[Entry]())
            waiting_here = {entry.number: entry for entry in (*self._in_flight, *rest)}
            self._unwritten.turn_to(ledger, waiting_here, later_s)
            self._next_number += ledger.last_number
            self._last_read = 0 if waiting else self._next_number - 1
            self.dropped += self.on_disk  # they waited in the file before this one, which is damaged
            self.on_disk = len(waiting)
            self.waiting_bytes = ledger.waiting_bytes + sum(entry.size_bytes for entry in waiting_here.values())

    def reattach(self, waiting: set[int]) -> None:
        """The same file is open again."""
        with self.changed:
            here = {entry.number for entry in (*self._in_flight, *self._ready, *self._incoming)}
            self.on_disk = len(waiting - here - self._unwritten.done.keys())
            self._last_read = 0

    def _forget(self, entry: Entry) -> None:
        entry.delivered = True
        self.waiting_bytes -= entry.size_bytes
        self._unwritten.forget(entry.number, entry.source)


def _listed(entries: Iterable[Entry]) -> list[Waiting]:
    return [Waiting(entry.number, entry.source, entry.size_bytes) for entry in entries if not entry.delivered]
