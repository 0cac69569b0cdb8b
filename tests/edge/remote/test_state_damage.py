"""Whatever happens to the state files: the node starts, invents nothing, and reports what it could not use."""

from __future__ import annotations

import logging
import random
import shutil
from pathlib import Path

import pytest

from tests.edge.outbox.damage import DAMAGES, Site, flip, overwrite
from tests.edge.outbox.test_outbox_damage import folder
from tests.edge.remote.state_life import BUNDLE, SOURCES, StateLife

__all__ = ["folder"]


def damage_at_random(folder: Path, caplog: pytest.LogCaptureFixture, seed: int, most: int) -> int:
    """Let a node live, and damage what it has written up to some moment; return how often that was told."""
    rng = random.Random(seed)
    here, told = Site(folder / "site"), 0
    life = StateLife(here.state, rng)
    moments = []
    for _ in range(12):
        life.step()
    for number in range(20):
        for _ in range(3):
            life.step()
        shutil.rmtree(here.state / "clips", ignore_errors=True)  # nobody reads them here
        moments.append((folder / f"moment{number}", life.knowledge()))
        shutil.copytree(here.folder, moments[-1][0])
    for number in range(most):
        at = rng.randrange(1, len(moments))
        moment, right = moments[at]
        shutil.rmtree(here.folder)
        shutil.copytree(moment, here.folder)
        caplog.clear()
        damage = rng.choice(DAMAGES)
        what = f"seed {seed}, damage {number}: {damage(here, moments[rng.randrange(at)][0], rng)}"
        after = StateLife(here.state, random.Random(0), events=life.events)
        found = after.knowledge()
        known = {(name, key, value) for name in found.__struct_fields__ for key, value in getattr(found, name).items()}
        assert not known - life.ever, f"{what}: {known - life.ever}"
        errors = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
        told += bool(errors)
        if damage in (flip, overwrite):
            assert errors or found == right, f"{what}: not told"
            assert len(errors) <= 1, f"{what}: {errors}"
            if found.events != right.events:  # the sound of one that is forgotten must not count as normal
                begins = {source: after.records[source].bin_of(0.0) for source in SOURCES}
                assert {source: after.memory.complete_from(source, BUNDLE) for source in SOURCES} == begins, what
        for _ in range(3):
            after.act()
        now = after.knowledge()
        after.open()
        assert after.knowledge() == now, f"{what}: what came after it is not kept"
    return told


@pytest.mark.parametrize("seed", range(5))
def test_state_damaged_files_are_not_used_and_reported(folder: Path, caplog: pytest.LogCaptureFixture, seed: int) -> None:
    assert damage_at_random(folder, caplog, seed, 60) > 20


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_state_five_thousand_damages(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    for seed in range(100, 150):
        damage_at_random(folder / str(seed), caplog, seed, 100)
