"""The power fails at any moment: what was promised arrives, and no `seq` is used twice."""

from __future__ import annotations

import random
import shutil
from pathlib import Path

import pytest

from tests.edge.outbox.crash import Image, crashes, image_of, lay
from tests.edge.outbox.damage import NAME, SOURCES, Site, reboot
from tests.edge.outbox.test_outbox_damage import boots, folder

__all__ = ["boots", "folder"]

MARKS = [f"{NAME}.high-water-1", f"{NAME}.high-water-2"]
SAVES = [f"{NAME}-wal", NAME, *MARKS]  # a commit, perhaps a checkpoint, the marks
CLOSES = [NAME, f"{NAME}-wal"]  # when all is saved: a checkpoint, and the log goes


def check(moment: Site, image: Image, boots: list[str], what: str) -> None:
    """After the crash: nothing that was promised is missing, and new alarms are seen."""
    promised = set(moment.promised)
    shutil.rmtree(moment.state, ignore_errors=True)
    lay(image, moment.state)
    reboot(moment, boots)
    outbox = moment.open()
    moment.deliver(outbox)
    new = [moment.put(outbox, source) for source in SOURCES]
    moment.deliver(outbox)
    outbox.close()
    for consumer in moment.consumers:
        assert consumer.processed[-len(new) :] == new, f"{what}: a consumer skipped an alarm"
        assert promised <= set(consumer.processed), f"{what}: {promised - set(consumer.processed)} is missing"


def crash_at_random(folder: Path, boots: list[str], seed: int, steps: int, crashes_each: int) -> int:
    """Let a daemon live, and let the power go in each of its steps."""
    rng = random.Random(seed)
    site, count = Site(folder / "alive"), 0
    site.folder.mkdir(parents=True)

    def crash_in(step: str, before: Site, was: Image, synced: list[str]) -> None:
        nonlocal count
        images = list(crashes(was, image_of(site.state), synced, crashes_each, rng))
        for at, image in enumerate(images):
            count += 1
            if image not in images[:at]:  # half of them leave what another has left
                check(before.copy_to(folder / "crashed"), image, boots, f"seed {seed}, crash {count}, in {step}")
                shutil.rmtree(folder / "crashed")
        shutil.rmtree(before.folder)

    boots[1:] = []
    outbox = site.open()
    for number in range(steps):
        step = rng.choices(["put", "work", "restart"], [10, 4, 1])[0]
        if step == "restart":
            site.now_s += 20.0
            outbox.work()
        before, was = site.copy_to(folder / f"before{number}"), image_of(site.state)
        if step == "put":
            site.put(outbox, rng.choice(SOURCES), closes=rng.random() < 0.5, size_bytes=rng.choice([10, 300, 3000]))
            crash_in(step, before, was, SAVES)
            site.deliver(outbox, rng.choice([0, 0, 1, 20]))
        elif step == "work":
            site.now_s += 20.0
            outbox.work()
            crash_in(step, before, was, SAVES)
        else:
            outbox.close()
            crash_in(step, before, was, CLOSES)
            before, was = site.copy_to(folder / f"reopened{number}"), image_of(site.state)
            outbox = site.open()
            crash_in("open", before, was, SAVES)
    outbox.close()
    return count


@pytest.mark.parametrize("seed", range(3))
def test_outbox_power_cut_nothing_promised_is_missing_and_no_seq_is_given_twice(folder: Path, boots: list[str], seed: int) -> None:
    assert crash_at_random(folder, boots, seed, steps=40, crashes_each=4) > 80


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_outbox_ten_thousand_power_cuts(folder: Path, boots: list[str]) -> None:
    count, seed = 0, 100
    while count < 10_000:
        count += crash_at_random(folder / str(seed), boots, seed, steps=100, crashes_each=12)
        seed += 1
