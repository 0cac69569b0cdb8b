"""What a store costs a card, and what a daemon that is killed again and again leaves of it."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np

from edge.learning.packed import Packed, pack
from edge.learning.store import Store
from edge.learning.stretch import HALF, LONE_COLUMNS, SINGLE, WINDOW_COLUMNS, Stretch
from tests.edge.learning.stores import KIND, PROJECTION

PROJECT = Path(__file__).parents[3]
STRETCHES_A_DAY = 2880
BUDGET_BYTES = 64e6
FIRST_DAY_BYTES = 225e6
WEEK_BYTES = 400e6

ADD_FOREVER = """
import sys
from pathlib import Path
from tests.edge.learning.stores import filled, stretch
store = filled(Path(sys.argv[1]), 0)
while True:
    store.add(stretch(store.count))
    print(store.count, flush=True)
"""


def columns(count: int) -> dict[str, Packed]:
    """As many as a stretch has, of all 16 bands."""
    return {name: pack(np.zeros((count, 16, width)), HALF) for name, width in (("cnn14", 64), ("logmel", 32), ("excess", 4))}


def test_store_of_a_week_stays_within_its_budget_and_wears_the_card_as_documented(tmp_path: Path) -> None:
    store = Store.opened(tmp_path / "pump1", "pump1", KIND, PROJECTION)
    stretch = Stretch(
        number=0,
        run=1,
        bundle="0" * 64,
        wall_s=0.0,
        learned_s=30.0,
        window=columns(WINDOW_COLUMNS),
        lone=columns(LONE_COLUMNS),
        averages=pack(np.zeros((7, 458)), SINGLE),
        average_cells=(248,) * 7,
        values=pack(np.zeros((6, 28)), HALF),
    )
    largest = 0
    for number in range(7 * STRETCHES_A_DAY):
        store.add(stretch)
        if number % 64 == 63:
            largest = max(largest, store.stored_bytes)
        if number == STRETCHES_A_DAY - 1:
            assert store.written_bytes < FIRST_DAY_BYTES
    assert largest < BUDGET_BYTES
    assert store.written_bytes < WEEK_BYTES
    assert store.learned_s == 7 * 86_400.0


def test_store_of_a_daemon_that_is_killed_at_random_loses_no_stretch_that_was_added(tmp_path: Path) -> None:
    rng = random.Random(3)
    folder, known = tmp_path / "pump1", 0
    for _ in range(20):
        with subprocess.Popen([sys.executable, "-c", ADD_FOREVER, folder], cwd=PROJECT, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            for _ in range(rng.randrange(1, 40)):
                line = process.stdout.readline()
            process.send_signal(signal.SIGKILL)
            told = int([line, *process.stdout.read().split()][-1])
        store = Store.opened(folder, "pump1", KIND, PROJECTION)
        assert told <= store.count <= told + 1
        assert store.count > known
        known = store.count
        assert [one.number for one in store.stretches() if one.values is not None] == list(range(known))
