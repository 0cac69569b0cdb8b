from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from calibrate.embeddings import EmbeddingStore, Recording, StoredInput
from edge.detectors.embedding import Embedder, random_projection
from edge.detectors.patchcore import HEADS
from edge.features.backbone import Backbone
from tests.noise import noise_recordings

BANDWIDTH_HZ = 14000.0
BANDS = 16
CHANNELS = {"block2": 128, "block3": 256, "block4": 512}


@pytest.fixture(scope="module")
def backbone() -> Backbone:
    return Backbone.load("cnn14-random")


class CountedStore(EmbeddingStore):
    """Counts how often a recording was computed."""

    def __init__(self, recordings: list[Recording], backbone: Backbone) -> None:
        self.computed = 0
        projection = random_projection(0, CHANNELS)

        def new_embedder() -> Embedder:
            self.computed += 1
            return Embedder(projection, BANDS)

        super().__init__(recordings, backbone, BANDWIDTH_HZ, new_embedder)

    def read(self, index: int) -> list[list[StoredInput]]:
        return list(self.blocks(index))


def size_bytes(blocks: list[list[StoredInput]]) -> int:
    return sum(compared.values.nbytes for block in blocks for compared in block)


def same(first: list[list[StoredInput]], second: list[list[StoredInput]]) -> bool:
    pairs = [pair for blocks in zip(first, second, strict=True) for pair in zip(*blocks, strict=True)]
    return all((a.head, a.first_cell) == (b.head, b.first_cell) and np.array_equal(a.values, b.values) for a, b in pairs)


def test_store_read_twice_computes_once_and_gives_the_same_rows(tmp_path: Path, backbone: Backbone) -> None:
    store = CountedStore(noise_recordings(tmp_path, 2.0, 1.0), backbone)
    first = [store.read(0), store.read(1)]
    assert store.computed == 2
    assert same(store.read(0), first[0])
    assert same(store.read(1), first[1])
    assert store.computed == 2


def test_store_without_memory_computes_again_and_gives_the_same_rows(
    tmp_path: Path, backbone: Backbone, monkeypatch: pytest.MonkeyPatch
) -> None:
    recordings = noise_recordings(tmp_path, 2.0, 1.0)
    cached = CountedStore(recordings, backbone)
    monkeypatch.setattr("calibrate.embeddings.CACHE_BYTES", 1)
    store = CountedStore(recordings, backbone)
    for index in (0, 1, 0, 1):
        assert same(store.read(index), cached.read(index))
    assert store.computed == 4


def test_store_keeps_what_fits_and_gives_back_the_memory_of_what_does_not(
    tmp_path: Path, backbone: Backbone, monkeypatch: pytest.MonkeyPatch
) -> None:
    recordings = noise_recordings(tmp_path, 2.0, 2.0, 0.6, 2.0)
    monkeypatch.setattr("calibrate.embeddings.CACHE_BYTES", size_bytes(CountedStore(recordings, backbone).read(0)) * 3 // 2)
    store = CountedStore(recordings, backbone)
    for index in (0, 1, 2, 3):
        store.read(index)
    computed = {}
    for index in (0, 1, 2, 3):
        before = store.computed
        store.read(index)
        computed[index] = store.computed - before
    assert computed == {0: 0, 1: 1, 2: 0, 3: 1}


def test_store_reads_rows_of_every_head_in_half_precision(tmp_path: Path, backbone: Backbone) -> None:
    seconds = 3.0
    blocks = CountedStore(noise_recordings(tmp_path, seconds), backbone).read(0)
    rows = Counter[str]()
    for compared in (compared for block in blocks for compared in block):
        rows[compared.head] += len(compared.values)
        assert compared.values.dtype == np.float16
        assert np.isfinite(compared.values).all()
        assert compared.values.shape[1] == (1 if compared.head == "level" else BANDS)
    assert set(rows) == set(HEADS)
    cells = round(seconds / 0.04)
    assert rows["cnn14_patch"] == rows["logmel_patch"] == cells
    assert rows["cnn14_texture"] == rows["logmel_texture"] == rows["level"] <= cells // 8 + 1


def test_store_of_a_recording_shorter_than_a_texture_has_one_of_its_own_length(tmp_path: Path, backbone: Backbone) -> None:
    blocks = CountedStore(noise_recordings(tmp_path, 0.5), backbone).read(0)
    heads = [compared.head for block in blocks for compared in block]
    assert [heads.count(head) for head in ("cnn14_texture", "logmel_texture", "level")] == [1, 1, 1]


def test_store_clips_features_that_halves_cannot_hold(tmp_path: Path, backbone: Backbone) -> None:
    recordings = noise_recordings(tmp_path, 0.5)
    huge = {name: matrix * np.float32(1e6) for name, matrix in random_projection(0, CHANNELS).items()}
    store = EmbeddingStore(recordings, backbone, BANDWIDTH_HZ, lambda: Embedder(huge, BANDS))
    values = [compared.values for block in store.blocks(0) for compared in block if compared.head == "cnn14_patch"]
    assert np.isfinite(np.concatenate(values)).all()
    assert np.abs(np.concatenate(values)).max() >= 59_000
