"""The outbox against a model: whatever happens in whatever order, nothing is lost, doubled or out of order."""

from __future__ import annotations

import functools
import random
import shutil
import sqlite3
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from edge.message import Message
from edge.outbox import queue
from edge.outbox.entry import Entry
from edge.outbox.ledger import Ledger
from edge.outbox.outbox import Outbox

MEMORY = Path("/dev/shm")  # thousands of transactions, each on the disk before it returns
SOURCES = ["pump1", "fan2"]


class OutboxMachine(RuleBasedStateMachine):
    """A worker that puts, a broker that takes and acknowledges or not, a disk that fails, a daemon that is killed."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="outbox", dir=MEMORY if MEMORY.exists() else None))
        self.runs = self.count = 0
        self.now_s = 0.0
        self.wall_s = 1_000_000_000.0
        self.disk_works, self.problem = True, ""
        self.disk_failed_in_this_run = False
        self.put: list[tuple[str, int, str]] = []  # (source, seq, text) in order
        self.promised: set[str] = set()  # whoever put them was told that they will come through
        self.saved: set[str] = set()
        self.unsaved: set[str] = set()  # when the run before was killed while the disk failed
        self.lost: set[str] = set()  # of them
        self.delivered: set[str] = set()
        self.given: dict[tuple[str, int], str] = {}  # (source, seq) of what was ever handed out: its text
        self.in_flight: list[Entry] = []
        self.last_seq: dict[str, int] = {}
        self._write, self._begin, self._read_ahead = Ledger.write, Ledger.begin, queue.READ_AHEAD
        Ledger.write = self._failing(Ledger.write)  # type: ignore[method-assign]
        Ledger.begin = self._failing(Ledger.begin)  # type: ignore[method-assign]

    def _failing(self, method: Callable[..., Any]) -> Callable[..., Any]:
        def failing(*arguments: Any) -> Any:
            if not self.disk_works:
                raise sqlite3.OperationalError(self.problem)
            return method(*arguments)

        return failing

    @initialize()
    def start(self) -> None:
        path, memory = self.folder / f"run{self.runs}" / "outbox.sqlite", self.folder / "memory"
        memory.mkdir(exist_ok=True)
        self.outbox = Outbox(path, memory=memory, clock=lambda: self.now_s, wall=lambda: self.wall_s)
        self.outbox.open(own_thread=False)
        assert self.outbox._disk is not None
        self.disk = self.outbox._disk
        if not self.runs:
            self.first_epoch = self.outbox.epoch.id
        self.outbox.work()
        self.disk_failed_in_this_run = not self.disk_works

    @rule(source=st.sampled_from(SOURCES), closes=st.booleans(), count=st.sampled_from([1, 1, 1, 130]))
    def put_messages(self, source: str, closes: bool, count: int) -> None:
        for _ in range(count):
            seq = self.outbox.next_seq(source)
            self.count += 1
            text = f"{source} {self.count}"
            self.put.append((source, seq, text))
            kept = functools.partial(self.promised.add, text)
            self.outbox.put(Message("event", text.encode()), source, seq, closes=closes, kept=kept)

    @rule(later_s=st.sampled_from([0.0, 1.0, 40.0]))
    def work(self, later_s: float) -> None:
        self.now_s += later_s
        self.wall_s += later_s
        self.outbox.work()
        if self.outbox.is_durable:
            self.saved |= {text for _, _, text in self.put}

    @rule(count=st.integers(1, 60))
    def take(self, count: int) -> None:
        for _ in range(count):
            entry = self.outbox.take()
            if entry is None:
                return
            text = entry.message.payload.decode()
            assert text in self.saved or self.disk_failed_in_this_run, "handed out before it was on disk"
            assert self.given.setdefault((entry.source, entry.seq), text) == text, "two messages with one seq"
            assert all(entry.number > other.number for other in self.in_flight), "out of order"
            self.in_flight.append(entry)

    @precondition(lambda self: self.in_flight)
    @rule(data=st.data())
    def acknowledge(self, data: st.DataObject) -> None:
        self._acknowledge(data.draw(st.integers(0, len(self.in_flight) - 1)))

    def _acknowledge(self, index: int) -> None:
        entry = self.in_flight.pop(index)
        self.outbox.acknowledge(entry)
        self.delivered.add(entry.message.payload.decode())

    @rule(most=st.sampled_from([3, 70, 1000]), flush=st.booleans())
    def deliver(self, most: int, flush: bool) -> None:
        """A broker that acknowledges at once."""
        while self.in_flight:
            self._acknowledge(0)
        for _ in range(most):
            if self.outbox.peek() is None:
                self.work(0.0)
            self.take(1)
            if not self.in_flight:
                break
            self._acknowledge(0)
        if flush:
            self.work(0.0)
            self.work(20.0)

    @rule()
    def lose_the_connection(self) -> None:
        self.outbox.release()
        self.in_flight.clear()

    @rule(problem=st.sampled_from(["database or disk is full", "disk I/O error"]))
    def the_disk_fails(self, problem: str) -> None:
        self.disk_works, self.problem = False, problem
        self.disk_failed_in_this_run = True

    @rule()
    def the_disk_has_room_again(self) -> None:
        self.disk_works = True

    @rule(kill=st.booleans())
    def restart(self, kill: bool) -> None:
        before = self.folder / f"run{self.runs}"
        self.runs += 1
        after = self.folder / f"run{self.runs}"
        if kill:  # the files as they are at this moment
            shutil.copytree(before, after)
            self.disk.close()
        else:
            self.outbox.close()
            if self.outbox.is_durable:
                self.saved |= {text for _, _, text in self.put}
            shutil.copytree(before, after)
        self.unsaved = {text for _, _, text in self.put} - self.saved
        self.lost = self.unsaved - self.delivered
        self.put = [message for message in self.put if message[2] in self.saved]
        self.in_flight.clear()
        self.start()

    @invariant()
    def the_next_seq_is_new(self) -> None:
        for source in SOURCES:
            seq = self.outbox.next_seq(source)
            assert all(seq > given for name, given in self.given if name == source)
            if self.outbox.epoch.id == self.first_epoch:  # else a run was killed while the disk failed
                first = self.outbox.epoch.first_seq
                assert seq == 1 + max((given for name, given, _ in self.put if name == source), default=first - 1), "a gap"

    @invariant()
    def what_is_lost_is_counted(self) -> None:
        assert len(self.lost & self.promised) <= self.outbox.report().dropped <= len(self.unsaved)  # more: had arrived a moment ago

    @invariant()
    def the_depth_is_right(self) -> None:
        waiting = {text for _, _, text in self.put} - self.delivered
        assert self.outbox.depth >= len(waiting)  # more: what arrived, but was not yet forgotten when the daemon was killed

    def teardown(self) -> None:
        self.disk_works = True
        self.now_s += 100.0
        self.outbox.release()
        self.outbox.work()
        rest = []
        for _ in range(10_000):
            entry = self.outbox.take()
            if entry is None:
                if self.outbox.depth == 0:
                    break
                self.outbox.work()
                continue
            rest.append(entry.message.payload.decode())
            self.outbox.acknowledge(entry)
        everything = [text for _, _, text in self.put]
        assert [text for text in rest if text not in self.delivered] == [text for text in everything if text not in self.delivered]
        assert sorted(rest, key=everything.index) == rest
        assert (self.outbox.depth, self.outbox.report().waiting_bytes) == (0, 0)
        self.outbox.close()
        Ledger.write, Ledger.begin = self._write, self._begin  # type: ignore[method-assign]
        shutil.rmtree(self.folder)


@pytest.mark.parametrize("seed", range(30))
def test_outbox_long_random_walk_keeps_every_promise(seed: int) -> None:
    # Hypothesis finds small counterexamples, and prefers small examples; what needs a hundred messages on disk is found by walking.
    rng = random.Random(seed)
    machine = OutboxMachine()
    machine.start()
    try:
        for _ in range(80):
            step = rng.choices(range(7), [30, 25, 12, 8, 6, 4, 4])[0]
            if step == 0:
                machine.put_messages(rng.choice(SOURCES), rng.random() < 0.5, rng.choice([1, 1, 1, 1, 130]))
            elif step == 1:
                machine.work(rng.choice([0.0, 1.0, 40.0]))
            elif step == 2:
                machine.deliver(rng.choice([3, 70, 1000]), rng.random() < 0.5)
            elif step == 3:
                machine.take(rng.choice([1, 60]))
                for _ in range(min(len(machine.in_flight), rng.choice([0, 20]))):
                    machine._acknowledge(rng.randrange(len(machine.in_flight)))
            elif step == 4:
                machine.lose_the_connection()
            elif step == 5:
                machine.restart(rng.random() < 0.5)
            elif machine.disk_works:
                machine.the_disk_fails(rng.choice(["database or disk is full", "disk I/O error"]))
            else:
                machine.the_disk_has_room_again()
            machine.the_next_seq_is_new()
            machine.what_is_lost_is_counted()
            machine.the_depth_is_right()
    finally:
        machine.teardown()


TestOutboxModel = OutboxMachine.TestCase
TestOutboxModel.settings = settings(
    max_examples=50, stateful_step_count=30, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
