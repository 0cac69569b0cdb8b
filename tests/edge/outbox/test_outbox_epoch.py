"""Where `seq` continues, and what is reported about it."""

from __future__ import annotations

import errno
import json
import os
import shutil
import sqlite3
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from edge import private_files
from edge.message import Message
from edge.outbox import disk, high_water, ledger_file
from edge.outbox.disk import READ_ONLY
from edge.outbox.ledger import Ledger
from edge.outbox.outbox import Outbox
from tests.edge.outbox.crash import image_of, lay
from tests.edge.outbox.damage import NAME, START_S, Site

FIRST = int(START_S * 1000.0)


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def put(site: Site, count: int, *, deliver: bool = False) -> int:
    """A run that is killed after so many messages; returns its last `seq`."""
    outbox = site.open()
    for _ in range(count):
        site.put(outbox, "pump1")
    if deliver:
        site.deliver(outbox)
    kill(site, outbox)
    return outbox.next_seq("pump1") - 1


def kill(site: Site, outbox: Outbox) -> None:
    """End a daemon, and leave the files as they are: a log that is closed in peace goes into its file."""
    files = image_of(site.state)
    outbox._disk.close()  # type: ignore[union-attr]
    shutil.rmtree(site.state)
    lay(files, site.state)


def reason(site: Site) -> str:
    outbox = site.open()
    report = outbox.report()
    outbox.close()
    return report.epoch_reason


def test_outbox_new_begins_at_the_milliseconds_since_1970_and_counts_on_over_restarts(site: Site) -> None:
    assert put(site, 20) == FIRST + 19
    outbox = site.open()
    assert outbox.next_seq("pump1") == FIRST + 20
    assert outbox.next_seq("fan2") == FIRST
    assert outbox.report().epoch_reason == "a new outbox"
    assert outbox.report().dropped == 0
    outbox.close()


@pytest.mark.parametrize(
    ("lost", "expected"),
    [
        (["-wal"], "the outbox lacks messages that were published"),
        (["", "-wal"], "the outbox was gone or damaged"),
        ([""], "the outbox was gone or damaged"),
        (["", "-wal", ".high-water-1", ".high-water-2"], "the outbox was gone or damaged"),
    ],
)
def test_outbox_file_that_is_lost_takes_no_seq_back_and_what_waited_is_counted(
    site: Site, caplog: pytest.LogCaptureFixture, lost: list[str], expected: str
) -> None:
    put(site, 1)
    site.open().close()  # checkpoints
    last = put(site, 19)
    for suffix in lost:
        (site.state / f"{NAME}{suffix}").unlink()
    outbox = site.open()
    assert outbox.next_seq("pump1") > last
    assert outbox.report().epoch_reason == expected
    assert outbox.report().dropped == (20 if "" in lost else 19)
    assert f"{NAME}: {expected}; seq continues from" in caplog.text
    assert "event messages that waited are gone" in caplog.text
    outbox.close()
    if "-wal" not in lost:
        assert len(list(site.state.glob("*.corrupt-*-wal"))) == 1


def test_outbox_flip_of_a_bit_anywhere_in_its_log_is_noticed(site: Site, tmp_path_factory: pytest.TempPathFactory) -> None:
    last = put(site, 20)
    wal = (site.state / f"{NAME}-wal").read_bytes()

    for bit in range(0, 8 * len(wal), len(wal) // 25 * 8 + 1):
        copy = site.copy_to(tmp_path_factory.mktemp("flip") / "site")
        data = bytearray(wal)
        data[bit // 8] ^= 1 << bit % 8
        (copy.state / f"{NAME}-wal").write_bytes(data)
        outbox = copy.open()
        copy.deliver(outbox)
        received = len(copy.consumers[0].processed)
        assert outbox.next_seq("pump1") > last
        assert received + outbox.report().dropped >= 20, f"bit {bit}"
        outbox.close()


def test_outbox_reboot_begins_a_new_epoch_because_the_last_seq_is_unknown(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    last = put(site, 3)
    monkeypatch.setattr(high_water, "boot_id", lambda: "another boot")
    outbox = site.open()
    assert outbox.report().epoch_reason == "the system was restarted"
    assert outbox.next_seq("pump1") == int((START_S + site.now_s) * 1000.0) > last
    site.deliver(outbox)
    assert len(site.consumers[0].processed) == 3
    outbox.close()


def test_outbox_state_folder_deleted_or_path_changed_counts_above(site: Site) -> None:
    last = put(site, 3, deliver=True)
    shutil.rmtree(site.state)
    last = max(last, put(site, 3, deliver=True))
    (site.folder / "moved").mkdir()
    moved = Site(site.folder / "moved", site.now_s)
    outbox = moved.open()
    assert outbox.next_seq("pump1") > last
    assert outbox.report().epoch_reason == "a new outbox"
    outbox.close()


def test_outbox_clock_that_lags_behind_does_not_rewind(site: Site) -> None:
    last = put(site, 3)
    (site.state / f"{NAME}-wal").unlink()
    site.now_s = 100.0 - START_S
    outbox = site.open()
    assert outbox.next_seq("pump1") > last
    outbox.close()


def test_outbox_version_1_file_is_taken_over(site: Site) -> None:
    site.state.mkdir(parents=True)
    database = sqlite3.connect(site.state / NAME)
    database.executescript(
        "CREATE TABLE message (number INTEGER PRIMARY KEY, source TEXT NOT NULL, seq INTEGER NOT NULL, closes INTEGER NOT NULL,"
        " delivered INTEGER NOT NULL, entered_s REAL NOT NULL, topic TEXT NOT NULL, payload BLOB NOT NULL);"
        "CREATE TABLE file (id TEXT NOT NULL, first_seq INTEGER NOT NULL); INSERT INTO file VALUES ('5e', 1);"
        "INSERT INTO message VALUES (1, 'pump1', 7, 0, 1, 3.0, 'event', X'7B7D'), (2, 'pump1', 8, 1, 0, 4.0, 'event', X'7B2261223A317D');"
        "PRAGMA user_version = 1;"
    )
    database.close()
    outbox = site.open()
    outbox.work()
    entry = outbox.take()
    assert entry is not None
    assert (entry.seq, bytes(entry.message.payload)) == (8, b'{"a":1}')
    assert outbox.next_seq("pump1") == FIRST
    assert outbox.report().epoch_reason == "no mark says how far the outbox has counted"
    assert outbox.report().dropped == 0
    outbox.close()


def test_outbox_killed_between_setting_aside_and_the_new_file(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    last = put(site, 5)
    (site.state / NAME).write_bytes(b"ruined" * 1000)
    (site.state / f"{NAME}-wal").unlink()  # else everything is in it
    opened: list[Path] = []

    def killed(path: Path) -> Ledger:
        opened.append(path)
        if len(opened) == 2:
            raise KeyboardInterrupt
        return Ledger(path)

    with monkeypatch.context() as patch:
        patch.setattr(ledger_file, "Ledger", killed)
        with pytest.raises(KeyboardInterrupt):
            site.open()
    outbox = site.open()
    assert outbox.next_seq("pump1") > last
    assert outbox.report().dropped == 5
    outbox.close()


def test_outbox_card_that_turns_read_only_gives_no_seq_twice(
    site: Site, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    outbox = site.open()
    for _ in range(5):
        site.put(outbox, "pump1")
    site.deliver(outbox)
    write = high_water._write

    def write_in_memory_only(path: Path, mark: high_water.HighWater, *, sync: bool) -> None:
        if sync:
            raise OSError(errno.EROFS, "Read-only file system")
        write(path, mark, sync=sync)

    with monkeypatch.context() as patch:  # as ext4 does when the card fails: nothing can be written any more, marks neither
        patch.setattr(Ledger, "write", lambda *_: (_ for _ in ()).throw(sqlite3.OperationalError("disk I/O error")))
        patch.setattr(high_water, "_write", write_in_memory_only)
        patch.setattr(disk, "_check_writable", lambda _: (_ for _ in ()).throw(OSError(errno.EROFS, "Read-only file system")))
        for _ in range(5):
            site.put(outbox, "pump1")
        site.deliver(outbox)
        assert len(site.consumers[0].processed) == 10
        assert outbox.report().problem == READ_ONLY
        assert f"{NAME}: cannot be written ({READ_ONLY})" in caplog.text
    last = outbox.next_seq("pump1") - 1
    kill(site, outbox)
    outbox = site.open()
    assert outbox.next_seq("pump1") > last
    assert outbox.report().epoch_reason == "the outbox lacks messages that were published"
    outbox.close()


def test_outbox_on_a_read_only_file_system_continues_from_memory(site: Site) -> None:
    site.state.mkdir(parents=True)
    if os.getuid() != 0 or subprocess.run(["mount", "-t", "tmpfs", "tmpfs", site.state], check=False).returncode != 0:
        pytest.skip("only root may mount")
    try:
        outbox = site.open()
        for _ in range(5):
            site.put(outbox, "pump1")
        outbox._disk.close()  # type: ignore[union-attr]
        subprocess.run(["mount", "-o", "remount,ro", site.state], check=True)
        outbox = site.open()
        texts = [site.put(outbox, "pump1") for _ in range(5)]
        assert outbox.report().problem == READ_ONLY
        site.deliver(outbox)
        assert site.consumers[0].processed == texts
        last = outbox.next_seq("pump1") - 1
        outbox._disk.close()  # type: ignore[union-attr]
        subprocess.run(["mount", "-o", "remount,rw", site.state], check=True)
        outbox = site.open()
        assert outbox.next_seq("pump1") > last
        site.deliver(outbox)
        assert len(set(site.consumers[0].processed)) == 10  # what waited on the card came too
        outbox.close()
    finally:
        subprocess.run(["umount", "-l", site.state], check=True)


def test_outbox_folders_that_it_makes_are_synced(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[Path] = []
    for module in (ledger_file, private_files):
        monkeypatch.setattr(module, "sync_folder", synced.append)
    site.folder = site.folder / "a" / "b"
    site.folder.parent.mkdir()
    ledger_file.open_ledger(site.state / NAME).close()
    assert synced == [site.folder.parent, site.folder, site.state]


def test_outbox_message_that_rots_on_the_card_is_counted_and_the_others_come(site: Site) -> None:
    put(site, 6)
    with sqlite3.connect(site.state / NAME) as database:
        database.execute("UPDATE message SET payload = replace(payload, 'message 3', 'message 8') WHERE number = 3")
        database.execute("UPDATE message SET delivered = 1 WHERE number = 4")
    database.close()
    outbox = site.open()
    assert outbox.report().dropped == 2
    site.deliver(outbox)
    assert site.consumers[0].processed == ["message 1", "message 2", "message 5", "message 6"]
    outbox.close()


def fail(*_: object) -> None:
    raise sqlite3.OperationalError("disk I/O error")


@pytest.mark.parametrize("restarts", [False, True])
def test_outbox_that_cannot_be_read_any_more_is_overtaken_in_another_epoch(
    site: Site, monkeypatch: pytest.MonkeyPatch, restarts: bool
) -> None:
    outbox = site.open()
    texts = [site.put(outbox, "pump1") for _ in range(250)]  # more than are kept in memory
    with monkeypatch.context() as patch:
        for name in ("write", "read"):
            patch.setattr(Ledger, name, fail)
        patch.setattr(disk, "open_ledger", fail)
        for _ in range(3):
            texts.append(site.put(outbox, "pump1"))
            site.now_s += disk.RETRY_S
        site.deliver(outbox)
        texts += [site.put(outbox, "pump1") for _ in range(3)]
        site.deliver(outbox)
        assert set(texts[-6:]) < set(site.consumers[0].processed)
        assert outbox.report().epoch_reason == "the messages in the outbox cannot be read any more"
    if restarts:
        kill(site, outbox)
        outbox = site.open()
    site.now_s += disk.RETRY_S
    site.deliver(outbox)
    assert sorted(site.consumers[0].processed) == sorted(texts)
    outbox.close()


def test_outbox_that_was_overtaken_when_a_message_was_made_counts_it_again(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    outbox = site.open()
    for _ in range(150):
        site.put(outbox, "pump1")
    seq, epoch = outbox.next_seq("pump1"), outbox.epoch.id
    with monkeypatch.context() as patch:
        for name in ("write", "read"):
            patch.setattr(Ledger, name, fail)
        patch.setattr(disk, "open_ledger", fail)
        site.deliver(outbox)
        payload = json.dumps({"source": "pump1", "epoch": epoch, "seq": seq, "text": "late"}).encode()
        outbox.put(Message("event", payload), "pump1", seq, closes=False)
        outbox.work()
        site.deliver(outbox)
    assert site.consumers[0].processed[-1] == "late"
    assert outbox.epoch.id != epoch
    outbox.close()


def make_pipe(path: Path) -> None:
    os.mkfifo(path)


def make_full_folder(path: Path) -> None:
    path.mkdir()
    (path / "something").touch()


@pytest.mark.timeout(20)
@pytest.mark.parametrize("make", [make_pipe, Path.mkdir, make_full_folder, lambda path: path.symlink_to("nowhere")])
def test_outbox_with_something_else_in_place_of_a_mark_starts_and_counts_on(
    site: Site, make: Callable[[Path], None], caplog: pytest.LogCaptureFixture
) -> None:
    last = put(site, 3)
    marks = [*site.state.glob("*.high-water-2"), *site.memory.glob("*.high-water")]
    for mark in marks:
        mark.unlink()
        make(mark)
    make(site.memory / "auscult-0123.high-water")
    outbox = site.open()
    assert outbox.next_seq("pump1") > last
    text = site.put(outbox, "pump1")
    site.deliver(outbox)
    assert site.consumers[0].processed[-1] == text
    assert (make is make_full_folder) == (f"{marks[0]}: Directory not empty" in caplog.text)
    outbox.close()


def test_outbox_that_was_copied_gives_no_number_twice(site: Site) -> None:
    put(site, 5)
    shutil.copytree(site.state, site.folder / "copy" / "state")
    other = Site(site.folder / "copy", site.now_s)
    shutil.copytree(site.memory, other.memory)
    keys = []
    for here in (site, other, site, other):
        outbox = Outbox(here.state / NAME, clock=lambda: site.now_s, wall=lambda: START_S + site.now_s, memory=site.memory)
        outbox.open(own_thread=False)
        site.put(outbox, "pump1")
        keys.append((outbox.epoch.id, outbox.next_seq("pump1") - 1))
        outbox.close()
    assert len(set(keys)) == 4
    assert keys[0][0] == keys[2][0] != keys[1][0] == keys[3][0]  # each of the two counts on by itself


def put_unreadable(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten messages wait; a run that cannot read the file has three more in memory, and is killed."""
    put(site, 10)
    with monkeypatch.context() as patch:
        patch.setattr(disk, "open_ledger", fail)
        outbox = site.open()
        for _ in range(3):
            site.put(outbox, "pump1")
        outbox._disk.close()  # type: ignore[union-attr]


def test_outbox_that_cannot_be_read_at_the_start_loses_nothing_uncounted(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    put_unreadable(site, monkeypatch)
    outbox = site.open()
    assert (outbox.depth, outbox.report().dropped) == (10, 3)
    outbox.close()


def test_outbox_that_could_not_be_read_and_is_gone_is_counted_with_what_came_since(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    put_unreadable(site, monkeypatch)
    for path in site.state.glob(f"{NAME}*"):
        if "high-water" not in path.name:
            path.unlink()
    outbox = site.open()
    assert (outbox.depth, outbox.report().dropped) == (0, 13)
    outbox.close()
