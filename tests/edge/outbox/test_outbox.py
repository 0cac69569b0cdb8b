from __future__ import annotations

import contextlib
import json
import os
import resource
import shutil
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from edge.errors import OutboxError
from edge.message import Message
from edge.outbox import disk
from edge.outbox.disk import RETRY_S
from edge.outbox.entry import Entry
from edge.outbox.epoch import JUMP
from edge.outbox.ledger import Ledger
from edge.outbox.ledger_file import open_ledger
from edge.outbox.limits import MEMORY_BYTES
from edge.outbox.outbox import Outbox

DAY_S = 86_400.0
WALL_S = 1_800_000_000.0
FIRST = 1_800_000_000_000  # the `seq` of a new outbox: milliseconds since 1970
COPIED = "the outbox was moved or copied"  # `kill` puts the files elsewhere


class Clock:
    """Both clocks, moved by hand."""

    def __init__(self) -> None:
        self.monotonic_s = 1000.0
        self.wall_s = WALL_S


@pytest.fixture
def clock() -> Clock:
    return Clock()


@contextlib.contextmanager
def opened(path: Path | None, clock: Clock, capacity_bytes: int = 1_000_000, keep_s: float = DAY_S) -> Iterator[Outbox]:
    """An outbox without a thread: `work` is called by hand."""
    clocks: dict[str, Callable[[], float]] = {"clock": lambda: clock.monotonic_s, "wall": lambda: clock.wall_s}
    outbox = Outbox(path, capacity_bytes=capacity_bytes, keep_s=keep_s, memory=None if path is None else memory_of(path), **clocks)
    outbox.open(own_thread=False)
    yield outbox
    outbox.close()


def put(outbox: Outbox, *texts: str, source: str = "pump1", closes: bool = False, size_bytes: int = 0) -> None:
    for text in texts:
        payload = text.encode().ljust(size_bytes)
        outbox.put(Message("event", payload), source, outbox.next_seq(source), closes=closes)


def drain(outbox: Outbox) -> list[str]:
    """Deliver everything."""
    texts = []
    while True:
        while (entry := outbox.take()) is not None:
            texts.append(entry.message.payload.decode().rstrip())
            outbox.acknowledge(entry)
        outbox.work()
        if outbox.peek() is None:
            return texts


def memory_of(path: Path) -> Path:
    """What stands for the folder in memory, which outlives the daemon and not the system."""
    folder = path.parent.with_name(f"{path.parent.name}-memory")
    folder.mkdir(exist_ok=True)
    return folder


def kill(path: Path) -> Path:
    """The files as a SIGKILL would leave them, in a place of their own."""
    copy = path.parent.with_name(f"{path.parent.name}-killed") / path.name
    shutil.copytree(path.parent, copy.parent)
    shutil.copytree(memory_of(path), memory_of(copy), dirs_exist_ok=True)
    return copy


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "outbox.sqlite"


def test_outbox_nothing_is_handed_out_before_it_is_on_disk(path: Path, clock: Clock) -> None:
    with opened(path, clock) as outbox:
        put(outbox, "a")
        assert outbox.take() is None
        killed = kill(path)
        outbox.work()
        assert outbox.peek() is not None
    with opened(killed, clock) as outbox:
        assert (outbox.depth, outbox.next_seq("pump1")) == (0, FIRST)  # never seen by anybody, so its seq is free


def test_outbox_kept_is_called_once_when_a_crash_can_take_the_message_no_more(path: Path, clock: Clock) -> None:
    survivors: list[int] = []  # when it was called: what a run after a crash at that moment would find
    with opened(path, clock) as outbox:

        def kept() -> None:
            with opened(kill(path), clock) as after:
                survivors.append(after.depth)

        outbox.put(Message("event", b"a"), "pump1", FIRST, closes=False, kept=kept)
        assert survivors == []
        outbox.work()
        assert survivors == [1]
        outbox.put(Message("event", b"b"), "pump1", FIRST + 1, closes=True)
        outbox.work()
        assert drain(outbox) == ["a", "b"]
    assert survivors == [1]


def test_outbox_kept_is_called_for_what_is_only_in_memory_and_for_what_is_dropped(
    path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    called: list[str] = []

    def put_told(outbox: Outbox, text: str, size_bytes: int = 1) -> None:
        message = Message("event", text.encode().ljust(size_bytes))
        outbox.put(message, "pump1", outbox.next_seq("pump1"), closes=False, kept=lambda: called.append(text))

    with opened(None, clock) as outbox:
        put_told(outbox, "in memory")
    with opened(path, clock) as outbox, monkeypatch.context() as patch:
        patch.setattr(Ledger, "write", lambda *_: (_ for _ in ()).throw(sqlite3.OperationalError("disk I/O error")))
        put_told(outbox, "not saved")
        outbox.work()
        assert called == ["in memory", "not saved"]
        put_told(outbox, "too large", size_bytes=2 * MEMORY_BYTES)
        outbox.work()
    assert called == ["in memory", "not saved", "too large"]


def test_outbox_killed_what_was_not_acknowledged_comes_again_in_order(path: Path, clock: Clock) -> None:
    with opened(path, clock) as outbox:
        put(outbox, *"abcde")
        outbox.work()
        first, _, third = outbox.take(), outbox.take(), outbox.take()
        assert first is not None
        assert third is not None
        outbox.acknowledge(first)
        outbox.acknowledge(third)
        outbox.work()
        clock.monotonic_s += 20.0  # acknowledgements are written together
        outbox.work()
        killed = kill(path)
    with opened(killed, clock) as outbox:
        outbox.work()
        assert drain(outbox) == ["b", "d", "e"]
        assert (outbox.next_seq("pump1") > FIRST + 4, outbox.epoch.reason) == (True, COPIED)
        assert outbox.report().dropped == 0


def test_outbox_seq_continues_after_everything_was_delivered(path: Path, clock: Clock) -> None:
    for expected in ([0, 1], [2, 3], [4, 5]):
        with opened(path, clock) as outbox:
            assert outbox.next_seq("pump1") == FIRST + expected[0]
            put(outbox, "a", "b")
            put(outbox, "x", source="fan2")
            outbox.work()
            drain(outbox)
            assert outbox.next_seq("pump1") == FIRST + expected[1] + 1
    with sqlite3.connect(path) as database:
        assert database.execute("SELECT count(*) FROM message").fetchone() == (2,)  # the last of each source, and no more
    database.close()


def test_outbox_open_event_is_known_after_a_kill_and_after_its_delivery(path: Path, clock: Clock) -> None:
    with opened(path, clock) as outbox:
        put(outbox, "opened")
        put(outbox, "opened", "closed", source="fan2", closes=True)
        outbox.work()
        drain(outbox)
        clock.monotonic_s += 20.0
        outbox.work()
        killed = kill(path)
    with opened(killed, clock) as outbox:
        assert [(entry.source, entry.message.payload) for entry in outbox.open_events()] == [("pump1", b"opened")]
        assert outbox.depth == 0
        put(outbox, "closed", closes=True)
        assert outbox.open_events() == []


def test_outbox_full_drops_the_oldest_but_closed_events_last(path: Path, clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    with opened(path, clock, capacity_bytes=10_000) as outbox:
        put(outbox, "closed 0", closes=True, size_bytes=800)
        put(outbox, *(f"updated {number}" for number in range(1, 10)), size_bytes=800)
        outbox.work()
        assert outbox.report().dropped == 0
        put(outbox, "updated 10", size_bytes=800)
        outbox.work()
        assert outbox.report().dropped == 2  # one to fit, and one for some air
        assert "it holds 0.01 MB (2 dropped so far)" in caplog.text
        assert drain(outbox) == ["closed 0", *(f"updated {number}" for number in range(3, 11))]
        assert outbox.next_seq("pump1") == FIRST + 11


def test_outbox_full_of_closed_events_drops_the_oldest(path: Path, clock: Clock) -> None:
    with opened(path, clock, capacity_bytes=10_000) as outbox:
        put(outbox, *(str(number) for number in range(500)), closes=True, size_bytes=800)
        outbox.work()
        assert outbox.report().dropped == 491
        assert outbox.report().waiting_bytes <= 10_000
        assert drain(outbox) == [str(number) for number in range(491, 500)]


def test_outbox_messages_in_flight_are_not_dropped(path: Path, clock: Clock) -> None:
    with opened(path, clock, capacity_bytes=10_000) as outbox:
        put(outbox, *(str(number) for number in range(10)), size_bytes=800)
        outbox.work()
        first = outbox.take()
        put(outbox, "10", size_bytes=800)
        outbox.work()
        assert first is not None
        outbox.release()
        assert drain(outbox) == ["0", *(str(number) for number in range(3, 11))]


@pytest.mark.parametrize("path_given", [True, False])
def test_outbox_too_old_is_dropped_and_counted(path: Path, clock: Clock, path_given: bool) -> None:
    with opened(path if path_given else None, clock) as outbox:
        put(outbox, *(str(number) for number in range(300)))
        outbox.work()
        clock.monotonic_s += DAY_S - 1.0
        put(outbox, "young")
        outbox.work()
        assert outbox.report().dropped == 0
        clock.monotonic_s += 100.0
        outbox.work()
        report = outbox.report()
        assert (report.depth, report.dropped, report.expired, report.oldest_age_s) == (1, 300, 300, 100.0)
        assert drain(outbox) == ["young"]


def test_outbox_clock_set_forward_or_back_expires_nothing(path: Path, clock: Clock) -> None:
    clock.wall_s = 100.0  # 1970: a board without a clock of its own
    for wall_s, monotonic_s in ((1_800_000_000.0, 50.0), (5.0, 7.0), (1_900_000_000.0, 20.0)):
        with opened(path, clock) as outbox:
            put(outbox, f"{wall_s}")
            outbox.work()
            clock.wall_s, clock.monotonic_s = wall_s, clock.monotonic_s + 100.0  # set by NTP
            outbox.work()
        clock.monotonic_s = monotonic_s  # a reboot
    with opened(path, clock) as outbox:
        outbox.work()
        assert drain(outbox) == ["1800000000.0", "5.0", "1900000000.0"]
        assert outbox.report().dropped == 0
        assert outbox.next_seq("pump1") == 100_000 + 3


@pytest.mark.parametrize("damage", ["text", "zeros in the middle", "another program's", "cut short"])
def test_outbox_damaged_file_is_set_aside_and_seq_continues_above(
    path: Path, clock: Clock, caplog: pytest.LogCaptureFixture, damage: str
) -> None:
    with opened(path, clock) as outbox:
        put(outbox, *(str(number) for number in range(100)), size_bytes=500)
    if damage == "text":
        path.write_text("this is no database" * 100)
    elif damage == "zeros in the middle":
        with path.open("r+b") as file:
            file.seek(8192)
            file.write(bytes(20_000))
    elif damage == "another program's":
        path.unlink()
        database = sqlite3.connect(path)
        database.execute("CREATE TABLE message (text TEXT)")
        database.close()
    else:
        os.truncate(path, 10_000)
    with opened(path, clock) as outbox:
        put(outbox, "new")
        outbox.work()
        assert outbox.next_seq("pump1") > FIRST + 100
        assert outbox.report().dropped == 100
        assert drain(outbox) == ["new"]
    with opened(path, clock) as outbox:  # a source that was silent meanwhile does not start at 1 again either
        assert outbox.next_seq("fan2") > FIRST + 100
    assert len(list(path.parent.glob("outbox.sqlite.corrupt-*"))) == 1
    assert "set aside as outbox.sqlite.corrupt-" in caplog.text


def test_outbox_damaged_while_running_saves_in_a_new_file_what_it_has_in_memory(
    path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    with opened(path, clock) as outbox:
        put(outbox, *(json.dumps({"n": number}) for number in range(150)))
        outbox.work()
        first = outbox.take()
        assert first is not None
        with monkeypatch.context() as patch:
            patch.setattr(Ledger, "write", lambda *_: (_ for _ in ()).throw(sqlite3.DatabaseError("database disk image is malformed")))
            put(outbox, json.dumps({"n": 150}))
            outbox.work()
        assert outbox.report().problem == "database disk image is malformed"
        path.write_bytes(b"\xff" * 5000)
        clock.monotonic_s += RETRY_S
        outbox.work()
        assert outbox.report().problem is None
        outbox.acknowledge(first)
        assert outbox.report().dropped == 50  # READ_AHEAD were in memory
        assert outbox.next_seq("pump1") > FIRST + 150
        killed = kill(path)
        assert [json.loads(text)["n"] for text in drain(outbox)] == [*range(1, 100), 150]
        assert outbox.depth == 0
    with opened(killed, clock) as outbox:
        outbox.work()
        assert [json.loads(text)["n"] for text in drain(outbox)] == [*range(100), 150]
        assert (outbox.next_seq("pump1") > FIRST + 150, outbox.epoch.reason) == (True, COPIED)


@contextlib.contextmanager
def small_disk(folder: Path) -> Iterator[None]:
    """A file system of 128 KiB on `folder`."""
    folder.mkdir(parents=True)
    if os.getuid() != 0 or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=128k", "tmpfs", folder], check=False).returncode != 0:
        pytest.skip("only root may mount")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


@contextlib.contextmanager
def short_files(folder: Path) -> Iterator[None]:
    """No file may grow beyond 96 KiB: writing fails with EFBIG, which SQLite calls an I/O error."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (98_304, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


Limit = Callable[[Path], contextlib.AbstractContextManager[None]]


@pytest.mark.parametrize(("limited", "problem"), [(small_disk, "database or disk is full"), (short_files, "disk I/O error")])
def test_outbox_disk_full_continues_from_memory_and_saves_later(path: Path, clock: Clock, limited: Limit, problem: str) -> None:
    texts = [str(number) for number in range(200)]
    with contextlib.ExitStack() as stack:
        disk = contextlib.ExitStack()
        disk.enter_context(limited(path.parent))
        stack.callback(disk.close)
        outbox = stack.enter_context(opened(path, clock))
        for text in texts:
            put(outbox, text, size_bytes=900)
            outbox.work()
        report = outbox.report()
        assert (report.durable, report.problem, report.depth, report.dropped) == (False, problem, 200, 0)
        entries: list[Entry] = []
        while len(entries) < 150:
            entry = outbox.take()
            if entry is None:
                outbox.work()
                continue
            entries.append(entry)
        assert [entry.message.payload.decode().rstrip() for entry in entries] == texts[:150]
        for entry in entries:
            outbox.acknowledge(entry)
        if limited is small_disk:
            subprocess.run(["mount", "-o", "remount,size=8m", path.parent], check=True)
        else:
            disk.close()
        outbox.work()
        assert not outbox.report().durable  # it does not try all the time
        clock.monotonic_s += RETRY_S
        outbox.work()
        assert outbox.report().durable
        killed = kill(path)
        assert drain(outbox) == texts[150:]
        with opened(killed, clock) as again:
            again.work()
            assert drain(again) == texts[150:]
            assert (again.next_seq("pump1") > FIRST + 199, again.epoch.reason) == (True, COPIED)


def test_outbox_killed_while_the_disk_failed_gives_no_seq_twice(path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    with opened(path, clock) as outbox:
        put(outbox, "saved")
        outbox.work()
        with monkeypatch.context() as patch:
            patch.setattr(Ledger, "write", lambda *_: (_ for _ in ()).throw(sqlite3.OperationalError("disk I/O error")))
            put(outbox, "published from memory")
            outbox.work()
            assert len([outbox.take(), outbox.take()]) == 2
            killed = kill(path)
    clock.wall_s += 60.0
    with opened(killed, clock) as outbox:
        assert outbox.next_seq("pump1") == FIRST + 60_000
        assert (outbox.report().dropped, outbox.report().epoch_reason) == (1, "the outbox lacks messages that were published")
    clock.wall_s -= 1e9  # the clock is lost again; what was promised is in the file
    with opened(killed, clock) as outbox:
        assert outbox.next_seq("fan2") == FIRST + 60_000


def test_outbox_memory_is_bounded_while_the_disk_fails(path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disk, "open_ledger", lambda *_: (_ for _ in ()).throw(PermissionError(13, "Permission denied")))
    with opened(path, clock, capacity_bytes=50_000_000) as outbox:
        for number in range(100):
            put(outbox, str(number), size_bytes=100_000)
            outbox.work()
        report = outbox.report()
        assert report.problem == "Permission denied"
        assert report.waiting_bytes <= MEMORY_BYTES
        assert report.dropped == 100 - report.depth > 50
        assert drain(outbox) == [str(number) for number in range(report.dropped, 100)]


def test_outbox_file_that_turns_up_later_is_delivered_first(path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    with opened(path, clock) as outbox:
        put(outbox, *(str(number) for number in range(120)))
    clock.monotonic_s = 5.0
    with monkeypatch.context() as patch:
        patch.setattr(disk, "open_ledger", lambda *_: (_ for _ in ()).throw(OSError(5, "Input/output error")))
        outbox = Outbox(path, clock=lambda: clock.monotonic_s, wall=lambda: clock.wall_s)
        outbox.open(own_thread=False)
        put(outbox, "in flight", "new")
        outbox.work()
        in_flight = outbox.take()
    clock.monotonic_s += RETRY_S
    outbox.work()
    assert outbox.depth == 122
    assert drain(outbox) == [*(str(number) for number in range(120)), "new"]
    assert in_flight is not None
    outbox.acknowledge(in_flight)
    assert outbox.depth == 0
    assert outbox.next_seq("pump1") == FIRST + 119 + JUMP + 2  # the clock says the same as at the first start
    outbox.close()


def test_outbox_in_use_or_a_folder_is_one_line(path: Path, clock: Clock) -> None:
    with opened(path, clock), pytest.raises(OutboxError, match=r"outbox\.sqlite: in use by another auscult"):
        open_ledger(path)
    folder = path.parent / "folder"
    folder.mkdir()
    with pytest.raises(OutboxError, match=r"folder: a folder; name a file"):
        open_ledger(folder)


def test_outbox_refused_message_is_counted_once() -> None:
    outbox = Outbox()
    put(outbox, "a")
    entry = outbox.take()
    assert entry is not None
    outbox.acknowledge(entry, refused=True)
    outbox.acknowledge(entry, refused=True)
    report = outbox.report()
    assert (report.depth, report.dropped, report.refused) == (0, 1, 1)


def test_outbox_own_thread_saves_without_being_asked_and_tells_that_something_is_ready(path: Path) -> None:
    outbox = Outbox(path)
    calls: list[int] = []
    outbox.on_ready = lambda: calls.append(1)
    outbox.open()
    first = outbox.next_seq("pump1")
    put(outbox, *(str(number) for number in range(500)))
    texts: list[str] = []
    deadline_s = time.monotonic() + 20.0
    while len(texts) < 500 and time.monotonic() < deadline_s:
        if (entry := outbox.take()) is None:
            time.sleep(0.005)
            continue
        texts.append(entry.message.payload.decode())
        outbox.acknowledge(entry)
    outbox.close()
    assert texts == [str(number) for number in range(500)]
    assert calls
    reopened = Outbox(path)
    reopened.open()
    assert (reopened.depth, reopened.next_seq("pump1")) == (0, first + 500)
    reopened.close()
