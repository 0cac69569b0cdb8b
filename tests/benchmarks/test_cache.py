from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

import benchmarks.cache
from benchmarks.cache import Cache, default_folder, digests


@dataclass(frozen=True, slots=True)
class Result:
    value: float
    areas: NDArray[np.float64]
    by_ratio: dict[float, float]


KEPT = Result(1 / 3, np.array([0.1, 2 / 3]), {-6.0: 0.5, 6.0: 0.25})


def test_cache_gives_back_what_was_put_bit_for_bit(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "new" / "folder")
    cache.put({"seed": 0, "fit": ["ab"]}, KEPT)
    found = cache.get({"fit": ["ab"], "seed": 0}, Result)
    assert found is not None
    assert (found.value, found.by_ratio) == (KEPT.value, KEPT.by_ratio)
    np.testing.assert_array_equal(found.areas, KEPT.areas)
    assert cache.get({"seed": 1, "fit": ["ab"]}, Result) is None


def test_cache_of_another_source_is_empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = Cache(tmp_path)
    cache.put({"seed": 0}, KEPT)
    monkeypatch.setattr(benchmarks.cache, "source_digest", lambda: "another")
    assert cache.get({"seed": 0}, Result) is None


def test_cache_that_is_damaged_is_measured_again(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    cache.put({"seed": 0}, KEPT)
    (kept,) = tmp_path.iterdir()
    kept.write_bytes(kept.read_bytes()[:-9])
    assert cache.get({"seed": 0}, Result) is None


def test_cache_of_no_folder_keeps_nothing() -> None:
    cache = Cache(None)
    cache.put({"seed": 0}, KEPT)
    assert cache.get({"seed": 0}, Result) is None


def test_digests_are_of_content_not_of_names(tmp_path: Path) -> None:
    for name, content in (("a", b"one"), ("b", b"one"), ("c", b"two")):
        (tmp_path / name).write_bytes(content)
    first, second, third = digests([tmp_path / name for name in "abc"])
    assert first == second != third
    (tmp_path / "a").write_bytes(b"new")
    os.utime(tmp_path / "a", ns=(1, 1))
    assert digests([tmp_path / "a"]) != [first]


def test_default_folder_is_where_caches_belong(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "/var/tmp/cache")
    assert default_folder() == Path("/var/tmp/cache/auscult/benchmarks")
    monkeypatch.setenv("XDG_CACHE_HOME", "")
    assert default_folder() == Path.home() / ".cache" / "auscult" / "benchmarks"
