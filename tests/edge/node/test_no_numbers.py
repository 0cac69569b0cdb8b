"""A microphone whose driver gives samples that are not numbers is offline, and the daemon continues."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from edge.audio.block import Block
from edge.judgement.event import Event
from edge.judgement.window import Window
from edge.node.availability import NO_NUMBERS
from edge.node.progress import UNSCORED_S
from edge.node.source_report import source_health
from tests.edge.node.scripted_source import RATE_HZ, ScriptedSource, make_worker, noise
from tests.edge.node.tiny_daemon import LoudnessListener


class DeafListener(LoudnessListener):
    """Everything it hears is lost, so no window comes of it."""

    def push(self, samples: NDArray[np.float32]) -> list[Window | Event]:
        return []


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_worker_microphone_without_a_number_is_offline_until_it_is_well(tmp_path: Path, value: float) -> None:
    source = ScriptedSource([Block(np.full(RATE_HZ, value, np.float32)) for _ in range(3)])
    worker, said = make_worker(source, tmp_path)
    worker.open()
    while worker.step():
        pass
    assert said.of("availability") == ["offline"]
    assert source_health(worker).reason == NO_NUMBERS
    source.steps = [noise(1.0)]
    worker.step()
    assert said.of("availability") == ["offline", "online"]


def test_worker_sound_with_holes_of_no_numbers_need_not_be_scored(tmp_path: Path) -> None:
    def holed() -> Block:
        samples = noise(1.0).samples.copy()
        samples[::1600] = np.nan
        return Block(samples)

    source = ScriptedSource([holed() for _ in range(50)])
    worker, _ = make_worker(source, tmp_path, DeafListener)
    worker.open()
    while worker.step():
        pass
    assert worker.listening is not None
    assert worker.listening.unscored_s < UNSCORED_S
