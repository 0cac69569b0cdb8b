from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edge.remote import score_record as module
from edge.remote.background_writer import Job, Then
from edge.remote.score_record import BIN_S, FILES_KEPT, ScoreRecord

SHA = "0123456789abcdef" * 4


def make(folder: Path, sha256: str = SHA) -> ScoreRecord:
    return ScoreRecord(folder, "pump1", sha256, wall=lambda: 1_763_700_000.0)


def listen(record: ScoreRecord, scores: list[float], start_s: float = 10.0) -> None:
    """A window each half second."""
    for index, score in enumerate(scores):
        record.add(start_s + 0.5 * index, score)


def test_record_keeps_the_highest_of_each_bin(tmp_path: Path) -> None:
    record = make(tmp_path)
    record.began()
    listen(record, [0.1] * 4 + [0.7] + [0.2] * 5 + [0.3] * 10 + [9.0])
    numbers, surprise = record.bins()  # the last is not over
    assert np.diff(numbers).tolist() == [1]
    assert surprise.tolist() == pytest.approx([0.7, 0.3])
    assert numbers[0] == record.bin_of(10.0) == record.bin_of(14.9)


def test_record_gap_and_new_stream_are_no_neighbours(tmp_path: Path) -> None:
    record = make(tmp_path)
    record.began()
    listen(record, [0.1] * 20)
    listen(record, [0.1] * 20, start_s=100.0)  # nothing was heard for a while
    record.began()
    listen(record, [0.1] * 20)
    record.save()
    numbers, _ = record.bins()
    assert np.diff(numbers).tolist() == [1, 17, 1, 4, 1]


def test_record_over_a_restart_continues(tmp_path: Path) -> None:
    record = make(tmp_path)
    record.began()
    listen(record, [0.5] * 40)
    record.save()
    again = make(tmp_path)
    assert [values.tolist() for values in again.bins()] == [values.tolist() for values in record.bins()]
    again.began()
    listen(again, [0.25] * 20)
    again.save()
    numbers, surprise = make(tmp_path).bins()
    assert surprise.tolist() == [0.5] * 4 + [0.25] * 2
    assert numbers[4] > numbers[3] + 1
    assert again.path.stat().st_size == len(module.MAGIC) + 6 * 12


def test_record_is_written_seldom_and_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_BINS", 100)
    monkeypatch.setattr(module, "SAVED_TOGETHER", 10)
    record = make(tmp_path)
    record.began()
    sizes = set()
    for index in range(1000):
        record.add(BIN_S * index, float(index))
        sizes.add(record.path.stat().st_size if record.path.exists() else 0)
    assert len(sizes) < 40
    assert max(sizes) <= len(module.MAGIC) + 12 * 220
    record.save()
    _, surprise = make(tmp_path).bins()
    assert surprise.tolist() == [float(index) for index in range(900, 1000)]
    assert len(record.bins()[0]) <= 110


@pytest.mark.parametrize("content", [b"", b"no record", module.MAGIC + b"\0" * 7, module.MAGIC + b"\xff" * 80])
def test_record_damaged_file_is_read_as_far_as_it_goes(tmp_path: Path, content: bytes) -> None:
    path = make(tmp_path).path
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)
    record = make(tmp_path)
    assert len(record.bins()[0]) == 0  # 0xff is no finite number
    record.began()
    listen(record, [0.5] * 20)
    record.save()
    assert make(tmp_path).bins()[1].tolist() == [0.5, 0.5]


def test_record_last_bin_cut_off_by_a_power_cut_is_left_out(tmp_path: Path) -> None:
    record = make(tmp_path)
    record.began()
    listen(record, [0.5] * 30)
    record.save()
    record.path.write_bytes(record.path.read_bytes()[:-3])
    again = make(tmp_path)
    assert len(again.bins()[0]) == 2
    again.began()
    listen(again, [0.25] * 10)
    again.save()
    assert make(tmp_path).bins()[1].tolist() == [0.5, 0.5, 0.25]


def test_record_disk_that_fails_is_reported_once_and_written_whole_later(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = tmp_path / "scores"
    record = make(folder)
    folder.write_text("a file where a folder should be")
    record.began()
    listen(record, [0.5] * 3000)
    record.save()
    assert len(caplog.records) == 1
    folder.unlink()
    listen(record, [0.25] * 10, start_s=10_000.0)
    record.save()
    assert make(folder).bins()[1].tolist() == [0.5] * 300 + [0.25]


def test_record_that_cannot_be_written_at_once_is_written_in_order_and_whole_after_a_failure(tmp_path: Path) -> None:
    waiting: list[tuple[Job, Then]] = []
    record = ScoreRecord(tmp_path, "pump1", SHA, write=lambda job, then: waiting.append((job, then)))
    record.began()
    for start_s, level in ((0.0, 0.5), (100.0, 0.25), (200.0, 0.125)):
        listen(record, [level] * 20, start_s)
        record.save()
    assert (len(waiting), record.path.exists()) == (3, False)
    for job, then in waiting:
        then(job())
    assert make(tmp_path).bins()[1].tolist() == [0.5, 0.5, 0.25, 0.25, 0.125, 0.125]
    waiting.clear()
    record.path.unlink()  # there is nothing to add to
    listen(record, [0.75] * 20, 300.0)
    record.save()
    job, then = waiting.pop()
    then(job())
    assert not record.path.exists()
    listen(record, [1.0] * 20, 400.0)
    record.save()
    for job, then in waiting:
        then(job())
    assert make(tmp_path).bins()[1].tolist() == record.bins()[1].tolist() == [0.5, 0.5, 0.25, 0.25, 0.125, 0.125, 0.75, 0.75, 1.0, 1.0]


def test_record_of_bundles_that_are_not_used_any_more_are_deleted(tmp_path: Path) -> None:
    other = tmp_path / "pump1-other-0123456789abcdef.scores"  # of a source called pump1-other
    other.write_bytes(module.MAGIC)
    for digit in range(FILES_KEPT + 3):
        record = make(tmp_path, str(digit) * 64)
        record.began()
        listen(record, [0.5] * 20)
        record.save()
    assert len(list(tmp_path.glob("pump1-[0-9]*.scores"))) == FILES_KEPT
    assert record.path.exists()
    assert other.exists()


@pytest.mark.parametrize("at", range(12))
def test_record_with_a_changed_byte_is_passed_over_and_said_so(tmp_path: Path, at: int, caplog: pytest.LogCaptureFixture) -> None:
    record = make(tmp_path)
    record.began()
    listen(record, [0.5] * 100)
    record.save()
    numbers = record.bins()[0].tolist()
    content = bytearray(record.path.read_bytes())
    content[len(module.MAGIC) + 12 * 5 + at] ^= 0x40
    record.path.write_bytes(content)
    again = make(tmp_path)
    assert again.bins()[0].tolist() == numbers[:5] + numbers[6:]
    assert caplog.text.count(f"{record.path}: damaged; 1 of its 10 records are ignored") == 1
    again.began()
    listen(again, [0.25] * 30)
    again.save()
    assert make(tmp_path).bins()[1].tolist() == [0.5] * 9 + [0.25] * 3


def test_record_of_another_source_under_this_name_is_passed_over(tmp_path: Path) -> None:
    record = make(tmp_path)
    record.began()
    listen(record, [0.5] * 30)
    record.save()
    other = make(tmp_path, "b" * 64)
    other.path.write_bytes(record.path.read_bytes())
    assert len(make(tmp_path, "b" * 64).bins()[0]) == 0


def test_record_zeros_that_a_power_cut_has_left_are_passed_over(tmp_path: Path) -> None:
    record = make(tmp_path)
    record.began()
    listen(record, [0.5] * 30)
    record.save()
    record.path.write_bytes(record.path.read_bytes() + bytes(80))
    assert make(tmp_path).bins()[1].tolist() == [0.5] * 3
