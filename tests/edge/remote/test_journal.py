from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from edge.remote.journal import Journal


class Line(msgspec.Struct):
    """An entry."""

    n: int


def test_journal_what_was_appended_is_read_in_order(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "new" / "a.jsonl", Line)
    assert journal.read() == []
    for n in range(3):
        journal.append(Line(n), sync=n == 1)
    assert [line.n for line in Journal(journal.path, Line).read()] == [0, 1, 2]


def test_journal_lines_that_are_no_entries_are_passed_over(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'{"n": 1}\n\x00\xff\n{"n": "x"}\n[]\n{"n": 2}\n{"n":9,"crc32":"01234567"}\n{"n": 3')
    journal = Journal(path, Line)
    assert [line.n for line in journal.read()] == [1, 2]
    assert f"{path}: damaged; 5 of its 7 lines are ignored" in caplog.text
    journal.append(Line(4))
    assert [line.n for line in journal.read()] == [1, 2, 4]


def test_journal_beyond_its_bound_keeps_the_latest(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "a.jsonl", Line, most_bytes=500)
    for n in range(1000):
        journal.append(Line(n), sync=False)
        assert journal.path.stat().st_size <= 500
    kept = [line.n for line in journal.read()]
    assert kept == list(range(kept[0], 1000))
    assert len(kept) >= 7
    assert [path.name for path in tmp_path.iterdir()] == ["a.jsonl"]


def test_journal_folder_that_cannot_be_made_raises(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match=r"Not a directory|File exists"):
        Journal(tmp_path / "file" / "a.jsonl", Line).append(Line(1))


def test_journal_beyond_its_bound_keeps_all_that_is_remembered(tmp_path: Path) -> None:
    entries: dict[int, Line] = {}
    journal = Journal(tmp_path / "a.jsonl", Line, most_bytes=500, remembered=lambda: entries.values())
    for n in range(1000):
        entries[n if n < 50 else 50] = Line(n)  # 50 lines are more than fit
        journal.append(Line(n), sync=False)
        assert journal.path.stat().st_size <= 3000
    kept = [line.n for line in journal.read()]
    assert kept[:50] == list(range(50))
    assert kept[-1] == 999
