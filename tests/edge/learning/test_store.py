from __future__ import annotations

import os
from pathlib import Path

import msgspec
import pytest

from edge.errors import StoreError
from edge.learning.store import FROZEN, SEGMENT_STRETCHES, STORE, Store, forget
from edge.learning.stretch import MOST_WINDOWS
from tests.edge.learning.stores import KIND, PROJECTION, filled, stretch


def test_store_opened_again_goes_on_where_it_was(tmp_path: Path) -> None:
    filled(tmp_path / "pump1", 3)
    again = Store.opened(tmp_path / "pump1", "pump1", KIND, PROJECTION)
    assert (again.count, again.learned_s, again.last_wall_s) == (3, 90.0, 5.0)
    again.add(stretch(3))
    kept = list(Store(tmp_path / "pump1").stretches())
    assert [one.number for one in kept] == [0, 1, 2, 3]
    assert [one.learned_s for one in kept] == [30.0, 60.0, 90.0, 120.0]
    assert Store(tmp_path / "pump1").projection["block2"].tolist() == PROJECTION["block2"].tolist()


@pytest.mark.parametrize("cut", [1, 5, 11, 12, 13, 1000])
def test_store_after_a_power_cut_has_all_whole_records_and_goes_on(tmp_path: Path, cut: int) -> None:
    store = filled(tmp_path / "pump1", 4)
    (path,) = store.segments
    os.truncate(path, path.stat().st_size - cut)
    again = Store.opened(tmp_path / "pump1", "pump1", KIND, PROJECTION)
    assert again.count == 3
    again.add(stretch(9))
    assert [one.number for one in Store(tmp_path / "pump1").stretches()] == [0, 1, 2, 3]


def test_store_with_a_damaged_byte_reads_what_comes_before_it(tmp_path: Path) -> None:
    store = filled(tmp_path / "pump1", 4)
    (path,) = store.segments
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    assert [one.number for one in Store(tmp_path / "pump1").stretches()] in ([0], [0, 1])


def test_store_is_thinned_when_it_grows_and_stays_bounded(tmp_path: Path) -> None:
    store = filled(tmp_path / "pump1", MOST_WINDOWS)
    assert len(list(store.stretches())) == MOST_WINDOWS
    full = store.stored_bytes
    for _ in range(SEGMENT_STRETCHES // 2):
        store.add(stretch())
    assert store.stored_bytes < 0.8 * full
    windows = sum(bool(one.window) for one in store.stretches())
    assert 0.35 * store.count < windows < 0.65 * store.count
    assert sum(one.values is not None for one in store.stretches()) == store.count
    again = Store(tmp_path / "pump1")
    assert (again.count, again.learned_s) == (store.count, store.learned_s)


def test_store_of_another_kind_is_refused_with_the_remedy(tmp_path: Path) -> None:
    filled(tmp_path / "pump1", 1)
    with pytest.raises(StoreError, match="auscult learn --forget"):
        Store.opened(tmp_path / "pump1", "pump1", msgspec.structs.replace(KIND, bandwidth_hz=4000.0), PROJECTION)


@pytest.mark.parametrize("content", [b"", b"{}", b"\xff"])
def test_store_with_a_damaged_description_is_refused_with_the_remedy(tmp_path: Path, content: bytes) -> None:
    filled(tmp_path / "pump1", 1)
    (tmp_path / "pump1" / STORE).write_bytes(content)
    with pytest.raises(StoreError, match="auscult learn --forget"):
        Store(tmp_path / "pump1")


def test_store_where_there_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no store here"):
        Store(tmp_path)


def test_store_frozen_and_thawed(tmp_path: Path) -> None:
    store = filled(tmp_path / "pump1", 1)
    store.freeze()
    assert Store(tmp_path / "pump1").is_frozen
    assert (tmp_path / "pump1" / FROZEN).exists()
    store.thaw()
    assert not store.is_frozen


def test_store_forgotten_is_gone_and_begins_anew(tmp_path: Path) -> None:
    store = filled(tmp_path / "pump1", 3)
    forget(tmp_path / "pump1")
    assert not (tmp_path / "pump1").exists()
    assert not store.is_there
    with pytest.raises(OSError, match="No such file"):
        store.add(stretch())
    assert filled(tmp_path / "pump1", 1).count == 1


def test_store_is_for_this_user_alone(tmp_path: Path) -> None:
    store = filled(tmp_path / "learning" / "pump1", 2)
    assert all(path.stat().st_mode & 0o077 == 0 for path in (store.folder, store.folder.parent, *store.folder.iterdir()))
