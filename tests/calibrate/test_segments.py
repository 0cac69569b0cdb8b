from __future__ import annotations

import os
import stat
from datetime import datetime, timezone
from pathlib import Path

import numpy as np
import pytest
import soundfile

from calibrate.segments import SegmentWriter
from edge.audio.audio_file import find_audio_files
from edge.errors import AuscultError, UserError

RATE_HZ = 8000
STARTED_AT = datetime(2026, 11, 20, 10, 0, 0, 250_000, tzinfo=timezone.utc)


def writer(folder: Path, segment_s: float = 1.0) -> SegmentWriter:
    return SegmentWriter(folder, "pump1", RATE_HZ, STARTED_AT, segment_s)


def test_segments_cut_where_they_are_full_and_lose_nothing(tmp_path: Path) -> None:
    samples = np.random.default_rng(3).integers(-(1 << 23), 1 << 23, 20_000) / (1 << 23)
    segments = writer(tmp_path / "new" / "folder")
    for part in np.split(samples.astype(np.float32), [3, 7_000, 7_001, 19_000]):
        segments.write(part)
    segments.close()
    assert [path.name for path in segments.files] == [
        "pump1-20261120T100000.250Z.flac",
        "pump1-20261120T100001.250Z.flac",
        "pump1-20261120T100002.250Z.flac",
    ]
    assert find_audio_files([tmp_path]) == segments.files
    assert soundfile.info(segments.files[0]).subtype == "PCM_24"
    read = [soundfile.read(path)[0] for path in segments.files]
    assert [len(part) for part in read] == [8000, 8000, 4000]
    np.testing.assert_array_equal(np.concatenate(read), samples)  # exact, to the last of 24 bits


def test_segments_are_for_their_user_alone_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        segments = writer(tmp_path / "deep" / "pump1")
        segments.write(np.zeros(100, np.float32))
        (part,) = (tmp_path / "deep" / "pump1").iterdir()
        assert stat.S_IMODE(part.stat().st_mode) == 0o600
        segments.close()
    finally:
        os.umask(before)
    assert stat.S_IMODE(segments.files[0].stat().st_mode) == 0o600
    assert {stat.S_IMODE(folder.stat().st_mode) for folder in (tmp_path / "deep", tmp_path / "deep" / "pump1")} == {0o700}


def test_segments_above_full_scale_are_clipped_not_wrapped(tmp_path: Path) -> None:
    segments = writer(tmp_path)
    segments.write(np.array([1.0, 1.5, -1.0, -2.0], np.float32))
    segments.close()
    np.testing.assert_allclose(soundfile.read(segments.files[0])[0], [1, 1, -1, -1], atol=1e-6)


def test_segments_gap_begins_another_file_at_its_time(tmp_path: Path) -> None:
    segments = writer(tmp_path)
    segments.write(np.zeros(2000, np.float32))
    segments.lose(4000)
    segments.lose(2000)
    segments.write(np.zeros(100, np.float32))
    segments.close()
    assert [path.name for path in segments.files] == ["pump1-20261120T100000.250Z.flac", "pump1-20261120T100001.250Z.flac"]


def test_segments_unfinished_file_has_a_hidden_name(tmp_path: Path) -> None:
    segments = writer(tmp_path)
    segments.write(np.zeros(100, np.float32))
    assert segments.files == []
    assert [path.name for path in tmp_path.iterdir()] == [".pump1-20261120T100000.250Z.flac.part"]
    with pytest.raises(AuscultError):
        find_audio_files([tmp_path])
    segments.close()
    segments.close()
    assert len(segments.files) == 1


def test_segments_folder_name_need_not_be_utf8(tmp_path: Path) -> None:
    segments = writer(tmp_path / os.fsdecode(b"caf\xe9"))
    segments.write(np.zeros(100, np.float32))
    segments.close()
    assert [path.stat().st_size > 0 for path in segments.files] == [True]


def test_segments_same_time_again_overwrites_nothing(tmp_path: Path) -> None:
    for _ in range(2):
        segments = writer(tmp_path)
        segments.write(np.zeros(100, np.float32))
        segments.close()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["pump1-20261120T100000.250Z-2.flac", "pump1-20261120T100000.250Z.flac"]


def test_segments_folder_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="cannot make this folder"):
        writer(tmp_path / "file" / "folder")
