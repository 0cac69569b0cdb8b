from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from edge.audio.audio_file import audio_info, find_audio_files, read_blocks
from edge.errors import AudioError
from tests.odd_audio import damaged_mp3, m4a, piped_flac

RATE_HZ = 16000


def noise(samples: int = 5000, channels: int = 2) -> NDArray[np.float32]:
    return np.random.default_rng(1).uniform(-0.5, 0.5, (samples, channels)).astype(np.float32)


def write(path: Path, samples: NDArray[np.float32] | None = None, rate_hz: int = RATE_HZ, subtype: str | None = None) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, noise() if samples is None else samples, rate_hz, subtype=subtype)
    return path


def whole(path: Path) -> NDArray[np.float32]:
    return np.concatenate(list(read_blocks(path)))


@pytest.mark.parametrize("suffix", ["wav", "flac", "ogg"])
def test_read_blocks_reads_every_format_in_bounded_mono_blocks(tmp_path: Path, suffix: str) -> None:
    tone = 0.5 * np.sin(2 * np.pi * 440 * np.arange(5000) / RATE_HZ)
    samples = np.stack([tone, tone / 2], axis=1).astype(np.float32)
    blocks = list(read_blocks(write(tmp_path / f"fan.{suffix}", samples), "mix", 2048))
    assert [block.shape for block in blocks] == [(2048,), (2048,), (904,)]
    assert all(block.dtype == np.float32 for block in blocks)
    tolerance = 0.05 if suffix == "ogg" else 1e-4
    np.testing.assert_allclose(np.concatenate(blocks), samples.mean(axis=1), atol=tolerance)


def test_read_blocks_picks_a_channel(tmp_path: Path) -> None:
    path = write(tmp_path / "fan.wav", subtype="FLOAT")
    np.testing.assert_array_equal(np.concatenate(list(read_blocks(path, 1))), noise()[:, 1])
    with pytest.raises(AudioError, match=r"fan\.wav: has 2 channels, so there is no channel 2"):
        next(read_blocks(path, 2))


def test_audio_info_describes_the_file(tmp_path: Path) -> None:
    info = audio_info(write(tmp_path / "fan.flac"))
    assert (info.rate_hz, info.channels, info.samples, info.encoding) == (RATE_HZ, 2, 5000, "FLAC PCM_16")
    assert info.seconds == 5000 / RATE_HZ


def test_find_audio_files_keeps_files_and_sorts_folders(tmp_path: Path) -> None:
    for name in ("b.wav", "a/z.FLAC", "a/y.ogg", "a/notes.txt", "._b.wav", ".part/x.flac"):
        path = tmp_path / "folder" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    other = tmp_path / "single.aiff"
    other.touch()
    found = find_audio_files([other, tmp_path / "folder"])
    assert [path.relative_to(tmp_path).as_posix() for path in found] == ["single.aiff", "folder/a/y.ogg", "folder/a/z.FLAC", "folder/b.wav"]


def test_find_audio_files_missing_or_without_sound_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(AudioError, match="nowhere: no such file or folder"):
        find_audio_files([tmp_path / "nowhere"])
    with pytest.raises(AudioError, match=r"no audio file \(WAV, FLAC, OGG, MP3\) in this folder"):
        find_audio_files([tmp_path])


def spoil_text(path: Path) -> None:
    path.write_text("this is no sound")


def spoil_empty(path: Path) -> None:
    path.write_bytes(b"")


def spoil_header_only(path: Path) -> None:
    soundfile.write(path, np.zeros((0, 1), np.float32), RATE_HZ, format="WAV")


def spoil_missing(path: Path) -> None:
    path.unlink()


def spoil_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (spoil_text, "not a WAV, FLAC or OGG file"),
        (spoil_empty, "not a WAV, FLAC or OGG file"),
        (spoil_header_only, "holds no sound"),
        (spoil_missing, "No such file"),
        (spoil_folder, "is a folder"),
    ],
)
def test_audio_file_unusable_is_one_line_with_its_name(tmp_path: Path, spoil: object, message: str) -> None:
    path = write(tmp_path / "pump.wav")
    spoil(path)  # type: ignore[operator]
    for use in (audio_info, whole):
        with pytest.raises(AudioError) as caught:
            use(path)
        assert str(caught.value).startswith(f"{path}: ")
        assert message in str(caught.value)
        assert "\n" not in str(caught.value)


def test_audio_file_headerless_points_to_stdin(tmp_path: Path) -> None:
    path = tmp_path / "pump.raw"
    path.write_bytes(bytes(1000))
    with pytest.raises(AudioError, match="stdin"):
        audio_info(path)


def test_read_blocks_truncated_flac_is_damaged(tmp_path: Path) -> None:
    path = write(tmp_path / "pump.flac", noise(50_000, 1))
    path.write_bytes(path.read_bytes()[:60_000])
    with pytest.raises(AudioError, match=r"pump\.flac: damaged"):
        whole(path)


@pytest.mark.parametrize("value", [np.nan, -np.inf, 1e30])
def test_read_blocks_sample_that_is_no_sound_is_refused(tmp_path: Path, value: float) -> None:
    samples = noise(100, 1)
    samples[50] = value
    with pytest.raises(AudioError, match="not sound"):
        whole(write(tmp_path / "pump.wav", samples, subtype="FLOAT"))


def test_audio_info_of_a_pipe_does_not_wait_for_a_writer(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.wav")
    with pytest.raises(AudioError, match="is a pipe"):
        audio_info(tmp_path / "pipe.wav")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_find_audio_files_that_may_not_be_read_says_so(tmp_path: Path) -> None:
    write(tmp_path / "private" / "fan.wav")
    (tmp_path / "private").chmod(0)
    try:
        for path in (tmp_path / "private", tmp_path / "private" / "fan.wav"):
            with pytest.raises(AudioError, match="cannot be read: Permission denied; copy it to a folder that this user may read"):
                find_audio_files([path])
    finally:
        (tmp_path / "private").chmod(0o700)


def test_read_blocks_flac_written_to_a_pipe_is_read_and_its_length_counted(tmp_path: Path) -> None:
    samples = noise(70_000, 2)
    path = piped_flac(tmp_path / "piped.flac", samples, RATE_HZ)
    assert audio_info(path).samples == 70_000
    np.testing.assert_array_equal(whole(path), whole(write(tmp_path / "whole.flac", samples)))


def test_read_blocks_flac_written_to_a_pipe_that_ends_too_soon_is_damaged(tmp_path: Path) -> None:
    path = piped_flac(tmp_path / "piped.flac", noise(70_000, 1), RATE_HZ)
    path.write_bytes(path.read_bytes()[:-100])
    for use in (audio_info, whole):
        with pytest.raises(AudioError, match=r"piped\.flac: damaged"):
            use(path)


def test_read_blocks_of_an_mp3_file_leaves_stderr_to_auscult(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = damaged_mp3(tmp_path / "fan.mp3", noise(70_000, 1), RATE_HZ)
    assert len(whole(path)) == audio_info(path).samples
    assert capfd.readouterr() == ("", "")


def test_read_blocks_of_an_mp3_file_gives_the_same_for_any_block_size(tmp_path: Path) -> None:
    path = write(tmp_path / "fan.mp3", noise(70_000, 1))
    np.testing.assert_array_equal(np.concatenate(list(read_blocks(path, 0, 1000))), np.concatenate(list(read_blocks(path, 0, 70_000))))


def test_find_audio_files_finds_what_cannot_be_read_too_so_that_it_is_named(tmp_path: Path) -> None:
    path = m4a(tmp_path / "monday.M4A")
    assert find_audio_files([tmp_path]) == [path]
    with pytest.raises(AudioError, match=r"monday\.M4A: M4A files cannot be read; convert it to WAV or FLAC first"):
        audio_info(path)


@pytest.mark.parametrize(
    ("suffix", "form", "subtype"),
    [
        ("aiff", "AIFF", "PCM_24"),
        ("aif", "AIFF", "PCM_16"),
        ("caf", "CAF", "ALAC_16"),
        ("rf64", "RF64", "PCM_16"),
        ("w64", "W64", "DOUBLE"),
        ("wav", "WAVEX", "PCM_32"),
        ("wav", "WAV", "PCM_U8"),
        ("wav", "WAV", "DOUBLE"),
        ("wav", "WAV", "ULAW"),
        ("wav", "WAV", "IMA_ADPCM"),
        ("wav", "RF64", "PCM_16"),
    ],
)
def test_read_blocks_reads_what_recorders_write(tmp_path: Path, suffix: str, form: str, subtype: str) -> None:
    samples = (0.3 * np.sin(2 * np.pi * 440 * np.arange(30_300) / RATE_HZ)).astype(np.float32)
    path = tmp_path / f"fan.{suffix}"
    soundfile.write(path, samples, RATE_HZ, format=form, subtype=subtype)
    assert find_audio_files([tmp_path]) == [path]
    read = np.concatenate(list(read_blocks(path, 0, 4096)))
    assert len(read) == audio_info(path).samples  # ADPCM fills its last block up
    np.testing.assert_allclose(read[100:30_300], samples[100:], atol=0.02)  # after which ADPCM has found its step


@pytest.mark.parametrize("data_size", [0xFFFFFFFF, 0x7FFFFFFF])
@pytest.mark.parametrize("riff_size", [0, 36, 0xFFFFFFFF])
def test_read_blocks_reads_wav_whose_sizes_nobody_entered(tmp_path: Path, riff_size: int, data_size: int) -> None:
    path = write(tmp_path / "fan.wav", noise(70_000, 1))
    content = bytearray(path.read_bytes())
    at = content.index(b"data") + 4
    content[4:8], content[at : at + 4] = riff_size.to_bytes(4, "little"), data_size.to_bytes(4, "little")
    path.write_bytes(content)
    assert len(whole(path)) == audio_info(path).samples == 70_000
