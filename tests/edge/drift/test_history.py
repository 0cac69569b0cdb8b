from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import pytest

from edge.drift.history import DAYS, History
from edge.errors import StoreError
from tests.drift_scenes import heard, history, spectrum


def filled(hours: int, first: int = 0) -> History:
    kept, rng = history(), np.random.default_rng(1)
    for at in range(first, first + hours):
        kept.add(heard(at, spectrum(at), rng))
    return kept


def test_history_survives_a_restart(tmp_path: Path) -> None:
    kept = filled(30)
    kept.write(tmp_path / "drift" / "pump1.drift")
    again = History.read(tmp_path / "drift" / "pump1.drift")
    assert again is not None
    assert msgspec.msgpack.encode(again) == msgspec.msgpack.encode(kept)
    again.add(heard(30, spectrum(30), np.random.default_rng(2)))
    assert again.hours[-1].at == 30


def test_history_is_bounded() -> None:
    kept = filled(24 * (DAYS + 4))
    assert kept.hours[0].at == 24 * 4
    assert kept.began == 0
    assert len(msgspec.msgpack.encode(kept)) < 500_000


def test_history_keeps_the_order_of_hours_when_the_clock_is_set_back() -> None:
    kept = filled(30, first=1000)
    kept.add(heard(500, spectrum(500), np.random.default_rng(2)))
    assert [hour.at for hour in kept.hours] == list(range(470, 501))


def test_history_finds_the_regimes_of_a_machine_that_idles_runs_and_stands() -> None:
    assert len(filled(24 * 7).regimes) == 3


def test_history_that_is_damaged_is_refused_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "pump1.drift"
    path.write_bytes(b"\x93 not a history")
    with pytest.raises(StoreError, match="damaged"):
        History.read(path)
    assert History.read(tmp_path / "none.drift") is None
