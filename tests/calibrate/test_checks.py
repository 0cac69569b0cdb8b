from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from calibrate.checks import add_check_arguments, check_recordings, judge_recordings, spectral_distances_db
from calibrate.recordings import Problem, measure_recording
from edge.errors import AudioError
from edge.features.frontend import PANNS
from edge.features.logmel import offline_log_mel

RATE_HZ = 32000


def noise(seconds: float, seed: int, rate_hz: int = RATE_HZ, level: float = 0.05) -> NDArray[np.float32]:
    """White noise, shape (samples,)."""
    samples = np.random.default_rng(seed).standard_normal(round(seconds * rate_hz)) * level
    return samples.astype(np.float32)


def write(path: Path, samples: NDArray[np.float32], rate_hz: int = RATE_HZ, subtype: str = "PCM_16") -> Path:
    soundfile.write(path, samples, rate_hz, subtype=subtype)
    return path


def machine_set(folder: Path, count: int = 6, seconds: float = 2.0) -> list[Path]:
    """Recordings of a machine that sounds the same in all of them."""
    return [write(folder / f"normal{i}.wav", noise(seconds, seed=i)) for i in range(count)]


def test_measure_recording_of_noise_says_how_long_loud_and_wide_it_is(tmp_path: Path) -> None:
    report = measure_recording(write(tmp_path / "noise.wav", noise(2.5, 0)), PANNS)
    assert report.seconds == 2.5
    assert report.rate_hz == RATE_HZ
    assert report.dbfs == pytest.approx(20 * np.log10(0.05), abs=0.1)
    assert report.clipped_fraction == 0.0
    assert report.bandwidth_hz == pytest.approx(14000)
    assert report.problems == ()


def test_measure_recording_mean_spectrum_is_that_of_the_offline_log_mel(tmp_path: Path) -> None:
    samples = noise(2.5, 0)
    report = measure_recording(write(tmp_path / "noise.wav", samples, subtype="FLOAT"), PANNS)
    assert report.spectrum_db == pytest.approx(offline_log_mel(samples, PANNS).mean(axis=0), abs=1e-4)
    assert not report.spectrum_db.flags.writeable


@pytest.mark.parametrize("rate_hz", [8000, 16000, 22050])
def test_measure_recording_of_a_low_rate_is_no_wider_than_half_of_it(tmp_path: Path, rate_hz: int) -> None:
    report = measure_recording(write(tmp_path / "noise.wav", noise(2, 0, rate_hz), rate_hz), PANNS)
    assert report.bandwidth_hz == rate_hz / 2


def test_measure_recording_that_was_upsampled_is_no_wider_than_its_sound(tmp_path: Path) -> None:
    spectrum = np.fft.rfft(noise(2, 0, 44100))
    spectrum[np.fft.rfftfreq(88200, 1 / 44100) > 8000] = 0
    report = measure_recording(write(tmp_path / "upsampled.wav", np.fft.irfft(spectrum).astype(np.float32), 44100), PANNS)
    assert report.bandwidth_hz == pytest.approx(8000, abs=500)  # a mel band is that wide there


def test_measure_recording_of_several_channels_takes_the_one_that_is_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "two.wav"
    soundfile.write(path, np.stack([noise(1, 0), noise(1, 1, level=0.005)], axis=1), RATE_HZ)
    quieter_db = (measure_recording(path, PANNS, channel=0).dbfs or 0.0) - (measure_recording(path, PANNS, channel=1).dbfs or 0.0)
    assert quieter_db == pytest.approx(20, abs=0.5)


def test_measure_recording_of_what_is_no_audio_is_a_finding(tmp_path: Path) -> None:
    (tmp_path / "text.wav").write_text("no sound")
    report = measure_recording(tmp_path / "text.wav", PANNS)
    assert report.has(Problem.UNREADABLE)
    assert not report.usable


@pytest.mark.parametrize(
    ("samples", "problem"),
    [
        (np.zeros(64000, np.float32), Problem.SILENT),
        (np.full(64000, 0.25, np.float32), Problem.SILENT),  # a dead converter's offset is no sound
        (noise(2, 0, level=5e-5), Problem.SILENT),
        (noise(0.3, 0), Problem.TOO_SHORT),
        (np.clip(noise(2, 0, level=0.5), -1, 1), Problem.CLIPPED),
        (np.concatenate([noise(2, 0), np.zeros(32000, np.float32)]), Problem.DROPOUTS),
    ],
)
def test_measure_recording_with_a_fault_names_it(tmp_path: Path, samples: NDArray[np.float32], problem: Problem) -> None:
    report = measure_recording(write(tmp_path / "faulty.wav", samples, subtype="PCM_24"), PANNS)
    assert [finding.problem for finding in report.findings] == [problem]


def test_check_recordings_of_a_good_set_keeps_all_without_a_word(tmp_path: Path) -> None:
    paths = machine_set(tmp_path)
    checked = check_recordings(paths, PANNS)
    assert checked.paths == paths
    assert (checked.dropped, checked.warnings) == ((), ())
    assert checked.seconds == 12.0
    assert checked.bandwidth_hz == pytest.approx(14000)


def test_check_recordings_with_the_same_sound_in_another_container_finds_the_duplicate(tmp_path: Path) -> None:
    paths = [*machine_set(tmp_path), tmp_path / "copy.flac"]
    soundfile.write(paths[-1], soundfile.read(paths[2])[0], RATE_HZ)
    checked = check_recordings(paths, PANNS, bad_recordings="drop")
    assert [report.path.name for report in checked.dropped] == ["copy.flac"]
    assert checked.warnings == (f"{paths[-1]}: left out: the same sound as {paths[2]}",)


def test_check_recordings_with_bad_ones_refuses_in_one_line_that_names_them(tmp_path: Path) -> None:
    paths = [*machine_set(tmp_path), write(tmp_path / "quiet.wav", np.zeros(64000, np.float32)), tmp_path / "text.wav"]
    paths[-1].write_text("no sound")
    with pytest.raises(AudioError) as error:
        check_recordings(paths, PANNS)
    message = str(error.value)
    assert message.startswith("2 of 8 recordings: nothing can be learned from ")
    assert "quiet.wav (silent)" in message
    assert "text.wav (not a WAV, FLAC or OGG file" in message
    assert "--bad-recordings drop" in message
    assert "\n" not in message


def test_check_recordings_with_many_bad_ones_counts_those_it_does_not_name(tmp_path: Path) -> None:
    paths = [write(tmp_path / f"quiet{i}.wav", np.zeros(32000 + i, np.float32)) for i in range(9)]
    with pytest.raises(AudioError, match=r"quiet4.wav \(silent\) and 4 more; "):
        check_recordings(paths, PANNS)


def test_check_recordings_of_too_little_sound_says_how_much_there_is(tmp_path: Path) -> None:
    with pytest.raises(AudioError, match=r"hold 4.0 s of sound; at least 10 s are needed"):
        check_recordings(machine_set(tmp_path, count=2), PANNS)


def test_check_recordings_of_which_none_is_left_says_so(tmp_path: Path) -> None:
    with pytest.raises(AudioError, match=r"hold 0.0 s of sound after 1 were left out"):
        check_recordings([write(tmp_path / "quiet.wav", np.zeros(32000, np.float32))], PANNS, bad_recordings="drop")


def test_check_recordings_with_an_odd_one_keeps_it_with_a_warning_or_drops_it(tmp_path: Path) -> None:
    tone = (0.3 * np.sin(2 * np.pi * 1000 * np.arange(64000) / RATE_HZ)).astype(np.float32) + noise(2, 9, level=0.001)
    paths = [*machine_set(tmp_path), write(tmp_path / "other_machine.wav", tone)]
    kept = check_recordings(paths, PANNS)
    assert kept.paths == paths
    (warning,) = kept.warnings
    assert warning.startswith(f"{paths[-1]}: outlier: its mean spectrum lies ")
    dropped = check_recordings(paths, PANNS, odd_recordings="drop")
    assert dropped.paths == paths[:-1]
    assert dropped.warnings[0].startswith(f"{paths[-1]}: left out: outlier")


def test_check_recordings_of_a_very_steady_machine_has_no_outliers(tmp_path: Path) -> None:
    """Spreads of hundredths of a decibel make large z-scores of nothing."""
    tone = (0.3 * np.sin(2 * np.pi * 1000 * np.arange(64000) / RATE_HZ)).astype(np.float32) + noise(2, 0, level=0.01)
    paths = [write(tmp_path / f"{i}.wav", tone * np.float32(1 + 0.01 * i**2)) for i in range(6)]
    assert check_recordings(paths, PANNS).warnings == ()


def test_check_recordings_of_mixed_rates_says_so_and_narrows_the_bandwidth(tmp_path: Path) -> None:
    paths = [*machine_set(tmp_path), write(tmp_path / "narrow.wav", noise(2, 9, 16000), 16000)]
    checked = check_recordings(paths, PANNS)
    assert checked.bandwidth_hz == 8000
    assert any("narrow: its sound ends at 8000 Hz, most end at 14000 Hz" in warning for warning in checked.warnings)
    assert any("mixed sample rates (16000, 32000 Hz); nothing above 8000 Hz will be used" in warning for warning in checked.warnings)


def test_check_recordings_with_a_quiet_one_does_not_narrow_the_bandwidth(tmp_path: Path) -> None:
    hum = (1e-3 * np.sin(2 * np.pi * 100 * np.arange(64000) / RATE_HZ)).astype(np.float32)
    checked = check_recordings([*machine_set(tmp_path), write(tmp_path / "off.wav", hum, subtype="PCM_24")], PANNS)
    assert checked.kept[-1].bandwidth_hz < 1000
    assert checked.kept[-1].has(Problem.NARROW)
    assert checked.bandwidth_hz == pytest.approx(14000)


def test_judge_recordings_with_twins_that_are_equal_structs_drops_only_what_is_marked(tmp_path: Path) -> None:
    reports = [measure_recording(path, PANNS) for path in machine_set(tmp_path)]
    copies = [replace(report, digest=reports[0].digest) for report in reports[1:3]]
    checked = judge_recordings([reports[0], *copies, *reports[3:]], PANNS, bad_recordings="drop", min_total_s=1.0)
    assert len(checked.kept) == 4
    assert len(checked.dropped) == 2


def test_spectral_distances_are_taken_from_the_median() -> None:
    spectra_db = np.array([[0, 0], [1, 1], [1, 1], [1, 1], [4, 5]], np.float32)
    assert spectral_distances_db(spectra_db) == pytest.approx([1, 0, 0, 0, np.sqrt((9 + 16) / 2)])


def test_check_arguments_left_out_refuse_bad_recordings_and_keep_outliers() -> None:
    parser = argparse.ArgumentParser()
    add_check_arguments(parser)
    parsed = parser.parse_args([])
    assert (parsed.bad_recordings, parsed.odd_recordings) == ("refuse", "keep")


def test_check_recordings_of_an_unreadable_file_given_twice_drops_both(tmp_path: Path) -> None:
    broken = tmp_path / "broken.wav"
    broken.write_bytes(b"RIFF")
    checked = check_recordings([*machine_set(tmp_path), broken, broken], PANNS, bad_recordings="drop")
    assert len(checked.kept) == 6
    assert len(checked.dropped) == 2
