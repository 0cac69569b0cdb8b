from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from benchmarks.clips import CHANNEL, Clip, read_clip, write_clip
from benchmarks.mixing import BackgroundMixer, LevelMixer
from edge.errors import AudioError

RATE_HZ = 16000


def backgrounds(folder: Path, count: int = 4, seconds: float = 0.5) -> list[Path]:
    """Noises of very different loudness, at another sample rate than the machine's."""
    paths = []
    for i in range(count):
        samples = np.random.default_rng(i).standard_normal(round(seconds * 22050)) * 0.2 / 10**i
        paths.append(folder / f"background{i}.wav")
        soundfile.write(paths[-1], samples, 22050, subtype="FLOAT")
    return paths


def machine(seconds: float = 2.0) -> Clip:
    samples = 0.1 * np.sin(2 * np.pi * 440 * np.arange(round(seconds * RATE_HZ)) / RATE_HZ)
    return Clip(samples.astype(np.float32), RATE_HZ)


@pytest.mark.parametrize("snr_db", [-18.0, -6.0, 0.0, 12.0])
def test_mixed_clip_has_the_ratio_that_was_asked_for_and_keeps_its_loudness(tmp_path: Path, snr_db: float) -> None:
    clip = machine()
    mixed = BackgroundMixer(backgrounds(tmp_path), snr_db).mixed(clip, np.random.default_rng(0))
    machine_share = float(np.dot(mixed.samples, clip.samples) / np.dot(clip.samples, clip.samples))  # what of the tone is left
    rest = Clip(mixed.samples - np.float32(machine_share) * clip.samples, RATE_HZ)
    assert 10 * np.log10(machine_share**2 * clip.power / rest.power) == pytest.approx(snr_db, abs=0.3)
    assert mixed.power == pytest.approx(clip.power, rel=0.1)
    assert (len(mixed.samples), mixed.rate_hz) == (len(clip.samples), RATE_HZ)


def test_mixed_clips_keep_their_loudness_relative_to_each_other(tmp_path: Path) -> None:
    mixer = BackgroundMixer(backgrounds(tmp_path), -12.0)
    loud = machine()
    soft = Clip(loud.samples * np.float32(0.1), RATE_HZ)
    mixed_loud, mixed_soft = (mixer.mixed(clip, np.random.default_rng(1)) for clip in (loud, soft))
    assert mixed_soft.samples == pytest.approx(mixed_loud.samples * 0.1, abs=1e-6)


@pytest.mark.parametrize("noise_db", [-6.0, 0.0, 12.0])
def test_level_mixer_puts_one_level_of_background_into_loud_and_soft_clips(tmp_path: Path, noise_db: float) -> None:
    loud = machine()
    soft = Clip(loud.samples * np.float32(0.1), RATE_HZ)
    mixer = LevelMixer(backgrounds(tmp_path), noise_db)
    mix = mixer.of_unit([loud, soft])
    mixtures = [mix(clip, np.random.default_rng(1)) for clip in (loud, soft)]
    factor = np.float32(1 / np.sqrt(1 + 10 ** (noise_db / 10)))  # the same for both
    noises = [mixed.samples - factor * clip.samples for mixed, clip in zip(mixtures, (loud, soft), strict=True)]
    assert noises[0] == pytest.approx(noises[1], abs=1e-6)
    above_db = 10 * np.log10(np.var(noises[0]) / factor**2 / np.mean([loud.power, soft.power]))
    assert above_db == pytest.approx(noise_db, abs=0.3)
    again = LevelMixer(backgrounds(tmp_path), noise_db).of_unit([loud, soft])(loud, np.random.default_rng(1))
    assert np.array_equal(mixtures[0].samples, again.samples)


def test_level_mixer_does_not_bring_the_background_of_each_clip_to_one_power(tmp_path: Path) -> None:
    mix = LevelMixer(backgrounds(tmp_path), 0.0).of_unit([machine()])
    silence = Clip(np.zeros(RATE_HZ // 4, np.float32), RATE_HZ)
    powers = [mix(silence, np.random.default_rng(seed)).power for seed in range(4)]
    assert max(powers) != pytest.approx(min(powers), rel=1e-3)
    assert np.mean(powers) == pytest.approx(machine().power / 2, rel=0.3)


def test_level_mixer_of_a_silent_machine_is_refused(tmp_path: Path) -> None:
    mixer = LevelMixer(backgrounds(tmp_path), 0.0)
    for fit in ([], [Clip(np.zeros(100, np.float32), RATE_HZ)]):
        with pytest.raises(AudioError, match="no level of background can be derived from them"):
            mixer.of_unit(fit)


def test_background_is_as_long_as_asked_and_even_although_its_recordings_are_not(tmp_path: Path) -> None:
    background = BackgroundMixer(backgrounds(tmp_path), 0.0).background(3 * RATE_HZ, RATE_HZ, np.random.default_rng(0))
    assert len(background) == 3 * RATE_HZ
    powers = np.square(background).reshape(-1, RATE_HZ // 4).mean(axis=1)
    assert 0.5 < powers.min() <= powers.max() < 2.0


def test_background_with_the_same_seed_is_the_same_and_with_another_is_not(tmp_path: Path) -> None:
    mixer = BackgroundMixer(backgrounds(tmp_path), 0.0)
    first, again, other = (mixer.background(RATE_HZ, RATE_HZ, np.random.default_rng(seed)) for seed in (3, 3, 4))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_background_of_silence_alone_is_refused(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "silence.wav", np.zeros(8000), RATE_HZ)
    with pytest.raises(AudioError, match="all of them are silent"):
        BackgroundMixer([tmp_path / "silence.wav"], 0.0).background(RATE_HZ, RATE_HZ, np.random.default_rng(0))


def test_read_clip_of_a_microphone_array_is_its_first_channel_and_survives_writing(tmp_path: Path) -> None:
    channels = np.random.default_rng(0).uniform(-2, 2, (1000, 8)).astype(np.float32)  # louder than full scale, as a mixture may be
    soundfile.write(tmp_path / "array.wav", channels, RATE_HZ, subtype="FLOAT")
    clip = read_clip(tmp_path / "array.wav")
    assert np.array_equal(clip.samples, channels[:, CHANNEL])
    write_clip(tmp_path / "one.wav", clip)
    assert np.array_equal(read_clip(tmp_path / "one.wav").samples, clip.samples)
