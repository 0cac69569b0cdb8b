"""Sounds without end: the same samples however they are asked for, where they belong in the spectrum, and never clipped."""

from __future__ import annotations

import numpy as np
import pytest

from export.synthesis.fir import StreamingFir, convolve, fast_length, minimum_phase
from export.synthesis.hum import Hum
from export.synthesis.leak import Leak
from export.synthesis.level import level_dbfs
from export.synthesis.load import Load
from export.synthesis.rotating_machine import MachineDesign, RotatingMachine
from export.synthesis.sound_stream import SoundStream

RATE_HZ = 32000


def streams(sample_rate_hz: int) -> list[SoundStream]:
    return [
        RotatingMachine(5, sample_rate_hz),
        RotatingMachine(6, sample_rate_hz, MachineDesign.random(np.random.default_rng(1))),
        Hum(5, sample_rate_hz),
        Leak(5, sample_rate_hz, 2000.0, 3000.0),
    ]


@pytest.mark.parametrize("index", range(4))
def test_stream_rendered_in_odd_pieces_equals_one_rendering(index: int) -> None:
    whole = streams(16000)[index].render(4.2)
    in_pieces = streams(16000)[index]
    pieces = [in_pieces.render(seconds) for seconds in (0.3, 1.0, 0.0, 0.0001, 1.7, 1.1)]
    joined = np.concatenate(pieces)
    np.testing.assert_array_equal(joined, whole[: len(joined)])


@pytest.mark.parametrize("sample_rate_hz", [8000, 16000, 32000, 44100, 48000])
def test_stream_at_any_rate_lasts_exactly_and_stays_below_full_scale(sample_rate_hz: int) -> None:
    for stream in streams(sample_rate_hz)[:2]:
        samples = stream.render(2.5)
        assert samples.dtype == np.float32
        assert samples.shape == (round(2.5 * sample_rate_hz),)
        assert np.all(np.isfinite(samples))
        assert 0.0 < np.max(np.abs(samples)) < 1.0


def test_machine_across_block_seams_makes_no_click() -> None:
    design = MachineDesign(bearing_db=-60.0, corner_hz=100.0, slope_db_per_octave=-12.0, noise_floor_dbfs=-110.0)
    samples = RotatingMachine(3, RATE_HZ, design).render(30.0)
    jumps = np.abs(np.diff(samples, n=2))  # a click is a sudden bend
    seams = jumps[np.arange(1, 30)[:, None] * RATE_HZ + np.arange(-3, 3)]
    assert seams.max() < np.quantile(jumps, 0.9999)


def test_machine_with_another_seed_or_design_sounds_different() -> None:
    first = RotatingMachine(1, RATE_HZ).render(1.0)
    assert not np.array_equal(first, RotatingMachine(2, RATE_HZ).render(1.0))
    assert not np.array_equal(first, RotatingMachine(1, RATE_HZ, MachineDesign(blades=5)).render(1.0))
    np.testing.assert_array_equal(first, RotatingMachine(1, RATE_HZ).render(1.0))


def test_machine_level_is_near_its_design() -> None:
    for seed in range(5):
        assert level_dbfs(RotatingMachine(seed, RATE_HZ, MachineDesign(level_dbfs=-30.0)).render(5.0)) == pytest.approx(-30.0, abs=6.0)


def test_machine_harmonics_stand_at_multiples_of_the_shaft() -> None:
    design = MachineDesign(shaft_hz=25.0, slip=0.0, tonal_db=10.0, rolloff=0.3)
    power = np.abs(np.fft.rfft(RotatingMachine(4, RATE_HZ, design).render(4.0))) ** 2  # 0.25 Hz per bin
    at_harmonics = power[100 * np.arange(4, 40)]
    between = power[100 * np.arange(4, 40) + 50]
    assert np.median(at_harmonics) > 100 * np.median(between)


def test_pieces_of_a_long_sound_sum_to_its_length() -> None:
    lengths = [len(piece) for piece in Hum(1, 8000).pieces(7.3, piece_s=2.0)]
    assert lengths == [16000, 16000, 16000, 10400]


def test_stream_asked_for_negative_time_or_low_rate_refuses() -> None:
    with pytest.raises(ValueError, match="cannot render"):
        Hum(1, 8000).render(-1.0)
    with pytest.raises(ValueError, match="at least 8000"):
        Hum(1, 4000)


def test_leak_fills_its_band_only() -> None:
    power = np.abs(np.fft.rfft(Leak(1, RATE_HZ, 2000.0, 4000.0).render(4.0))) ** 2
    frequency_hz = np.fft.rfftfreq(4 * RATE_HZ, 1 / RATE_HZ)
    near = (frequency_hz > 1400.0) & (frequency_hz < 5700.0)  # half an octave of its edges is 12 dB
    assert power[near].sum() > 0.95 * power.sum()


def test_hum_has_only_harmonics_of_the_mains() -> None:
    power = np.abs(np.fft.rfft(Hum(1, RATE_HZ, 60.0).render(10.0))) ** 2
    frequency_hz = np.fft.rfftfreq(10 * RATE_HZ, 0.1 / RATE_HZ) / 10
    distance_hz = np.abs(frequency_hz - 60.0 * np.round(frequency_hz / 60.0))
    assert power[distance_hz < 3.0].sum() > 0.99 * power.sum()


def test_load_over_an_hour_stays_in_its_range_and_changes_without_jumps() -> None:
    load = Load(np.random.default_rng(0), hold_s=20.0)
    values = np.concatenate([load.next_block(50) for _ in range(3600)])
    assert values.min() >= 0.0
    assert values.max() <= 1.0
    assert values.max() - values.min() > 0.5
    assert np.abs(np.diff(values)).max() < 0.02


def test_streaming_fir_in_blocks_equals_whole_convolution() -> None:
    rng = np.random.default_rng(0)
    kernel = rng.standard_normal(700).astype(np.float32)
    samples = rng.standard_normal(8 * 500).astype(np.float32)
    fir = StreamingFir(kernel, 500)  # the kernel is longer than a block
    streamed = np.concatenate([fir.push(block) for block in samples.reshape(8, 500)])
    np.testing.assert_allclose(streamed, np.convolve(samples, kernel)[: len(samples)], atol=2e-4)
    np.testing.assert_allclose(convolve(samples, kernel), np.convolve(samples, kernel), atol=2e-4)


def test_minimum_phase_kernel_keeps_the_magnitude_and_starts_at_once() -> None:
    frequency = np.linspace(0.0, 1.0, 1025)
    magnitude = 1.0 + 4.0 / (1.0 + ((frequency - 0.3) / 0.05) ** 2)
    kernel = minimum_phase(magnitude)
    np.testing.assert_allclose(np.abs(np.fft.rfft(kernel)), magnitude, rtol=1e-3)
    assert np.sum(kernel[:256] ** 2) > 0.99 * np.sum(kernel**2)


@pytest.mark.parametrize(("n", "size"), [(1, 1), (2, 2), (7, 8), (31, 32), (1001, 1024), (40001, 40500), (32000, 32000)])
def test_fast_length_is_the_next_smooth_number(n: int, size: int) -> None:
    assert fast_length(n) == size
