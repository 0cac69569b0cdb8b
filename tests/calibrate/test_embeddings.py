from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from calibrate.embedding_store import EmbeddingStore
from calibrate.embeddings import Recording, StoredBlock
from edge.detectors.embedding import Embedder, random_projection
from edge.detectors.patchcore import FEATURES
from edge.features.backbone import Backbone
from edge.features.logmel_backbone import LogMelBackbone
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

        super().__init__(recordings, backbone, BANDWIDTH_HZ, FEATURES, new_embedder)

    def read(self, index: int) -> list[StoredBlock]:
        return list(self.blocks(index))


def size_bytes(blocks: list[StoredBlock]) -> int:
    return sum(patches.nbytes for block in blocks for patches in block.patches.values())


def same(first: list[StoredBlock], second: list[StoredBlock]) -> bool:
    return all(
        a.first_cell == b.first_cell
        and a.patches.keys() == b.patches.keys()
        and all(np.array_equal(patches, b.patches[feature]) for feature, patches in a.patches.items())
        for a, b in zip(first, second, strict=True)
    )


def test_store_read_twice_computes_once_and_gives_the_same_rows(tmp_path: Path, backbone: Backbone) -> None:
    store = CountedStore(noise_recordings(tmp_path, 2.0, 1.0), backbone)
    first = [store.read(0), store.read(1)]
    assert store.computed == 2
    assert same(store.read(0), first[0])
    assert same(store.read(1), first[1])
    assert store.computed == 2


def test_store_without_memory_computes_once_and_reads_the_same_rows_from_a_file_without_a_name(
    tmp_path: Path, backbone: Backbone, monkeypatch: pytest.MonkeyPatch
) -> None:
    recordings = noise_recordings(tmp_path, 25.0, 1.0)
    cached = CountedStore(recordings, backbone)
    monkeypatch.setattr("calibrate.embedding_store.CACHE_BYTES", 1)
    (tmp_path / "disk").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "disk"))
    monkeypatch.setattr("tempfile.tempdir", None)
    store = CountedStore(recordings, backbone)
    for index in (0, 1, 0, 1):
        assert same(store.read(index), cached.read(index))
        assert list((tmp_path / "disk").iterdir()) == []
    assert store.computed == 2


@pytest.mark.parametrize("why", ["the disk is nearly full", "no folder can be written"])
def test_store_without_memory_and_disk_computes_again_and_gives_the_same_rows(
    why: str, tmp_path: Path, backbone: Backbone, monkeypatch: pytest.MonkeyPatch
) -> None:
    recordings = noise_recordings(tmp_path, 2.0, 1.0)
    cached = CountedStore(recordings, backbone)
    no_room(monkeypatch, tmp_path, why)
    monkeypatch.setattr("calibrate.embedding_store.CACHE_BYTES", 1)
    store = CountedStore(recordings, backbone)
    store.listen()
    assert store.computed == 2
    for index in (0, 1, 0, 1):
        assert same(store.read(index), cached.read(index))
    assert store.computed == 6


def no_room(monkeypatch: pytest.MonkeyPatch, folder: Path, why: str) -> None:
    if why == "the disk is nearly full":
        monkeypatch.setattr("calibrate.spool.SPARED_BYTES", 1 << 60)
    else:
        monkeypatch.setattr("calibrate.spool._folder", lambda: str(folder / "missing"))


def test_store_keeps_what_fits_and_gives_back_the_memory_of_what_does_not(
    tmp_path: Path, backbone: Backbone, monkeypatch: pytest.MonkeyPatch
) -> None:
    recordings = noise_recordings(tmp_path, 2.0, 2.0, 0.6, 2.0)
    monkeypatch.setattr("calibrate.embedding_store.CACHE_BYTES", size_bytes(CountedStore(recordings, backbone).read(0)) * 3 // 2)
    no_room(monkeypatch, tmp_path, "the disk is nearly full")
    store = CountedStore(recordings, backbone)
    for index in (0, 1, 2, 3):
        store.read(index)
    computed = {}
    for index in (0, 1, 2, 3):
        before = store.computed
        store.read(index)
        computed[index] = store.computed - before
    assert computed == {0: 0, 1: 1, 2: 0, 3: 1}


@pytest.mark.parametrize("seconds", [0.3, 0.5, 3.0])
def test_store_holds_every_cell_once_of_every_feature_in_half_precision(seconds: float, tmp_path: Path, backbone: Backbone) -> None:
    blocks = CountedStore(noise_recordings(tmp_path, seconds), backbone).read(0)
    cell = 0
    for block in blocks:
        assert block.first_cell == cell
        cell += len(block.patches["excess"])
        assert {feature: patches.shape[1:] for feature, patches in block.patches.items()} == {
            "cnn14": (BANDS, 64),
            "logmel": (BANDS, 32),
            "excess": (BANDS, 4),
        }
        for patches in block.patches.values():
            assert len(patches) == len(block.patches["excess"])
            assert patches.dtype == np.float16
            assert np.isfinite(patches).all()
    assert cell == int(seconds / 0.04 + 1e-6)


def test_store_counts_cells_over_digital_silence(tmp_path: Path, backbone: Backbone) -> None:
    rate_hz = 32000
    samples = 0.05 * np.random.default_rng(0).standard_normal(4 * rate_hz)
    samples[rate_hz : 2 * rate_hz] = 0.0
    soundfile.write(tmp_path / "a.wav", samples, rate_hz)
    blocks = CountedStore([Recording(tmp_path / "a.wav", 0, 100)], backbone).read(0)
    cells = [block.first_cell + row for block in blocks for row in range(len(block.patches["excess"]))]
    assert cells == sorted(set(cells))
    assert len(cells) == pytest.approx(75, abs=2)
    assert not set(range(26, 50)) & set(cells)


def test_store_without_a_network_holds_log_mel_and_level(tmp_path: Path) -> None:
    store = EmbeddingStore(
        noise_recordings(tmp_path, 1.0), LogMelBackbone(), BANDWIDTH_HZ, ("logmel", "level"), lambda: Embedder({}, BANDS)
    )
    for block in store.blocks(0):
        assert {feature: patches.shape[2] for feature, patches in block.patches.items()} == {"logmel": 32, "level": 1}


def test_store_clips_features_that_halves_cannot_hold(tmp_path: Path, backbone: Backbone) -> None:
    recordings = noise_recordings(tmp_path, 0.5)
    huge = {name: matrix * np.float32(1e6) for name, matrix in random_projection(0, CHANNELS).items()}
    store = EmbeddingStore(recordings, backbone, BANDWIDTH_HZ, FEATURES, lambda: Embedder(huge, BANDS))
    values = np.concatenate([block.patches["cnn14"] for block in store.blocks(0)])
    assert np.isfinite(values).all()
    assert np.abs(values).max() >= 59_000
