"""The power fails at any moment: what was answered is kept, and nothing is invented."""

from __future__ import annotations

import random
import shutil
from pathlib import Path

import pytest

from tests.edge.outbox.crash import Image, lay
from tests.edge.outbox.test_outbox_damage import folder
from tests.edge.remote.recorded_disk import RecordedDisk
from tests.edge.remote.state_life import SYNCED, Knowledge, StateLife

__all__ = ["folder"]


def check(life: StateLife, place: Path, image: Image, allowed: tuple[Knowledge, ...], what: str) -> None:
    """The next run, after a crash, knows one of what is `allowed`."""
    lay(image, place)
    after = StateLife(place, random.Random(0), events=life.events)
    found = after.knowledge()
    for name in SYNCED:
        assert getattr(found, name) in [getattr(one, name) for one in allowed], f"{what}: {name}"
    for name in ("events", "bins"):
        never = {(name, key, value) for key, value in getattr(found, name).items()} - life.ever
        assert not never, f"{what}: {never}"
    for _ in range(3):
        after.act()
    now = after.knowledge()
    after.open()
    assert after.knowledge() == now, f"{what}: what came after it is not kept"
    shutil.rmtree(place)


def crash_at_random(folder: Path, monkeypatch: pytest.MonkeyPatch, seed: int, steps: int, crashes_each: int) -> int:
    """Let a node live, and let the power go in each of its steps and after it."""
    rng = random.Random(seed)
    disk = RecordedDisk(folder / "alive", rng)
    life = StateLife(disk.folder, rng)
    count = 0
    for number in range(steps):
        before = life.knowledge()
        with disk.recording(monkeypatch, crashes_each):
            if rng.random() < 0.1:
                life.open()
            else:
                life.step()
            during = disk.taken()
            disk.crash(crashes_each)
        after = life.knowledge()
        for allowed, images in (((before, after), during), ((after,), disk.taken())):
            for at, image in enumerate(images):
                count += 1
                if image not in images[:at]:  # a third of them leave what another has left
                    check(life, folder / "crashed", image, allowed, f"seed {seed}, step {number}")
    disk.close()
    return count


@pytest.mark.parametrize("seed", range(3))
def test_state_power_cut_what_was_answered_is_kept(folder: Path, monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    assert crash_at_random(folder, monkeypatch, seed, steps=40, crashes_each=2) > 100


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_state_ten_thousand_power_cuts(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    count, seed = 0, 100
    while count < 10_000:
        count += crash_at_random(folder / str(seed), monkeypatch, seed, steps=100, crashes_each=6)
        seed += 1
