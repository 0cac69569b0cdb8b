"""The first minutes of a source without a bundle: in memory, and told as windows without a score."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from edge.judgement.window import Window
from edge.learning.gathering import Gathering
from edge.learning.starting_sound import MOST_HZ, START_S, StartingSound
from tests.bundles import Float32

RATE_HZ = 16000


def noise(seconds: float, rate_hz: int = RATE_HZ) -> Float32:
    samples: Float32 = (0.1 * np.random.default_rng(0).standard_normal(round(seconds * rate_hz))).astype(np.float32)
    return samples


@pytest.fixture
def sound() -> StartingSound:
    return StartingSound(RATE_HZ)


def ends(gathering: Gathering, samples: Float32) -> list[float]:
    windows = gathering.push(samples)
    assert all(isinstance(one, Window) and one.score is None and not one.anomalous and not one.localization.regions for one in windows)
    return [one.t_end_s for one in windows]


def test_gathering_tells_a_window_without_a_score_every_half_second(sound: StartingSound) -> None:
    gathering = Gathering(sound)
    assert ends(gathering, noise(9.9)) == []
    assert ends(gathering, noise(1.2)) == [10.0, 10.5, 11.0]


def test_gathering_over_a_gap_of_days_tells_no_window_within_it(sound: StartingSound) -> None:
    gathering = Gathering(sound)
    ends(gathering, noise(11.0))
    assert gathering.lose(10 * 86_400 * RATE_HZ) == []
    assert ends(gathering, noise(0.8)) == [864_011.0, 864_011.5]
    assert sound.seconds == pytest.approx(11.8)


def test_starting_sound_is_what_was_heard_until_it_is_enough(sound: StartingSound) -> None:
    heard = noise(20.0)
    while not sound.is_full:
        sound.add(heard)
    sound.add(heard)
    samples, rate_hz = soundfile.read(sound.path, dtype="float32")
    assert (rate_hz, len(samples)) == (RATE_HZ, START_S * RATE_HZ)
    assert np.abs(samples[: len(heard)] - heard).max() < 1e-6


def test_starting_sound_is_in_no_folder_and_gone_when_it_is_closed(sound: StartingSound) -> None:
    sound.add(noise(1.0))
    path = Path(sound.path)
    assert str(path.readlink()).startswith("/memfd:")
    sound.close()
    assert not path.exists()


def test_starting_sound_of_a_wide_microphone_takes_no_more_memory(sound: StartingSound) -> None:
    wide = StartingSound(192_000)
    wide.add(noise(10.0, 192_000))
    assert soundfile.info(wide.path).samplerate == MOST_HZ
    assert wide.seconds == pytest.approx(10.0, abs=0.05)
    assert Path(wide.path).stat().st_size < 10.0 * MOST_HZ * 3 + 1000


def test_starting_sound_leaves_out_silence_and_what_is_no_sound(sound: StartingSound) -> None:
    sound.add(np.zeros(RATE_HZ, np.float32))
    sound.add(np.full(RATE_HZ, np.nan, np.float32))
    assert sound.seconds == 0.0


def test_starting_sound_that_begins_anew_holds_nothing_of_before(sound: StartingSound) -> None:
    sound.add(noise(5.0))
    sound.begin_anew()
    assert sound.seconds == 0.0
    sound.add(noise(2.0))
    assert soundfile.info(sound.path).frames == 2 * RATE_HZ
