"""A thousand things that can happen to the outbox's files: no alarm is skipped by a consumer, and no loss is uncounted."""

from __future__ import annotations

import random
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge.outbox import high_water
from tests.edge.outbox.damage import DAMAGES, SOURCES, Site, lived, reboot

MEMORY = Path("/dev/shm")


@pytest.fixture
def folder() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="outbox", dir=MEMORY if MEMORY.exists() else None))
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def boots(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    boots = ["boot 0"]
    monkeypatch.setattr(high_water, "boot_id", lambda: boots[-1])
    return boots


def witnesses(site: Site) -> set[bytes]:
    """What the marks on the card say."""
    return {path.read_bytes().partition(b"\n")[0] for path in site.state.glob("*.high-water-*")}


def check(site: Site, what: str, *, is_countable: bool) -> None:
    """The next run delivers what waits, and new alarms."""
    undelivered = site.promised - set(site.consumers[0].processed)
    outbox = site.open()
    site.deliver(outbox)
    new = [site.put(outbox, source) for source in (*SOURCES, *SOURCES)]
    site.deliver(outbox)
    dropped = outbox.report().dropped
    outbox.close()
    for consumer in site.consumers:
        assert consumer.processed[-len(new) :] == new, f"{what}: a consumer skipped an alarm"
        lost = undelivered - set(consumer.processed)
        assert not is_countable or len(lost) <= dropped, f"{what}: {len(lost)} lost, {dropped} counted"


def damage_at_random(folder: Path, boots: list[str], seed: int, most: int) -> int:
    """Let a daemon live, kill it at some moments, and damage what it leaves."""
    rng = random.Random(seed)
    moments: list[Site] = []
    here = folder / "site"
    boots[1:] = []
    for site in lived(here, rng):
        moments.append(site.copy_to(folder / f"moment{len(moments)}"))
    for number in range(most):
        at = rng.randrange(1, len(moments))
        shutil.rmtree(here)
        boots[1:] = []
        site = moments[at].copy_to(here)
        marks = witnesses(site)
        what = rng.choice(DAMAGES)(site, moments[rng.randrange(at)].folder, rng)
        is_countable = True
        if rng.random() < 0.3:
            reboot(site, boots)
            what += ", reboot"
            is_countable = bool(marks & witnesses(site))  # else there is nobody left who knows
        site.now_s += rng.choice([0.0, 1.0, 3600.0])
        check(site, f"seed {seed}, damage {number}: {what}", is_countable=is_countable)
    return most


@pytest.mark.parametrize("seed", range(5))
def test_outbox_damaged_files_no_alarm_is_skipped_and_no_loss_uncounted(folder: Path, boots: list[str], seed: int) -> None:
    damage_at_random(folder, boots, seed, 40)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_outbox_a_thousand_damages_no_alarm_is_skipped_and_no_loss_uncounted(folder: Path, boots: list[str]) -> None:
    done = 0
    for seed in range(100, 150):
        done += damage_at_random(folder / str(seed), boots, seed, 20)
    assert done == 1000
