from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edge.detectors.embedding import Embedder, average_neighbours, random_projection
from edge.features.backbone import Features
from edge.features.feature_stream import FeatureBlock

Float32 = NDArray[np.float32]

CHANNELS = {"block2": 128, "block3": 256, "block4": 512}
BLOCKS = 5


def feature_blocks() -> list[FeatureBlock]:
    rng = np.random.default_rng(2)
    log_mel = rng.standard_normal((BLOCKS * 32 + 4, 64)).astype(np.float32)
    blocks = []
    for index in range(BLOCKS):
        shapes = [(8, 16, 128), (4, 8, 256), (2, 4, 512)]
        features = Features(*(np.abs(rng.standard_normal(shape)).astype(np.float32) for shape in shapes))
        levels_db = np.arange(8 * index, 8 * index + 8, dtype=np.float32)
        blocks.append(FeatureBlock(8 * index, log_mel[32 * index : 32 * index + 36], levels_db, features))
    return blocks


def slow_embeddings(blocks: list[FeatureBlock], projection: dict[str, Float32]) -> NDArray[np.float64]:
    """In the paper's order: align and concatenate, average over 3x3, and only then project."""

    def grid(cells: list[Float32], repeat: int) -> NDArray[np.float64]:
        whole = np.concatenate(cells).astype(np.float64)
        return whole.repeat(repeat, axis=0).repeat(repeat, axis=1)

    aligned = np.concatenate(
        [
            grid([block.features.block2 for block in blocks], 1),
            grid([block.features.block3 for block in blocks], 2),
            grid([block.features.block4 for block in blocks], 4),
        ],
        axis=2,
    )  # (time, 16, 896)
    padded = np.pad(aligned, ((0, 0), (1, 1), (0, 0)), mode="edge")
    averaged = np.zeros((len(aligned) - 2, 16, 896))
    for t in range(len(aligned) - 2):
        for band in range(16):
            averaged[t, band] = padded[t : t + 3, band : band + 3].mean(axis=(0, 1))
    return averaged @ np.concatenate([projection[name] for name in CHANNELS]).astype(np.float64)


def test_embedding_equals_the_slow_order() -> None:
    projection = random_projection(0, CHANNELS)
    embedder = Embedder(projection, 16)
    pushed = [embedder.push(block) for block in feature_blocks()]
    assert [embeddings.first_cell for embeddings in pushed] == [8 * index - 1 for index in range(BLOCKS)]
    fast = np.concatenate([embeddings.cnn14 for embeddings in pushed])[2:]  # from cell 1, the first with two neighbours
    slow = slow_embeddings(feature_blocks(), projection)  # (time, band, dimension), from cell 1 too
    assert len(fast) == len(slow)
    np.testing.assert_allclose(fast, slow, rtol=1e-4, atol=1e-3)


def test_embedding_log_mel_patch_holds_eight_frames_around_its_cell() -> None:
    blocks = feature_blocks()
    embedder = Embedder(random_projection(0, CHANNELS), 16)
    pushed = [embedder.push(block) for block in blocks]
    cell, band = 13, 5
    patch = pushed[1].logmel[cell - pushed[1].first_cell, band]
    frames = blocks[1].log_mel[2 + 4 * (cell - 8) - 2 : 2 + 4 * (cell - 8) + 6, 4 * band : 4 * band + 4]
    np.testing.assert_array_equal(patch.reshape(8, 4), frames)


def test_embedding_all_features_are_about_the_same_cells() -> None:
    embedder = Embedder(random_projection(0, CHANNELS), 16)
    for block in feature_blocks():
        embeddings = embedder.push(block)
        if block.first_cell:
            np.testing.assert_array_equal(embeddings.level[:, 0, 0], embeddings.first_cell + np.arange(8))


def test_embedding_only_the_audible_bands_are_embedded_and_unchanged() -> None:
    projection = random_projection(0, CHANNELS)
    all_bands, few_bands = Embedder(projection, 16), Embedder(projection, 11)
    for block in feature_blocks():
        wide, narrow = all_bands.push(block), few_bands.push(block)
        np.testing.assert_array_equal(narrow.cnn14, wide.cnn14[:, :11])
        np.testing.assert_array_equal(narrow.logmel, wide.logmel[:, :11])


def test_embedding_does_not_change_when_the_next_block_comes() -> None:
    embedder = Embedder(random_projection(0, CHANNELS), 16)
    blocks = feature_blocks()
    embedder.push(blocks[0])
    kept = embedder.push(blocks[1])
    copies = kept.cnn14.copy(), kept.logmel.copy(), kept.level.copy()
    embedder.push(blocks[2])
    for array, copy in zip((kept.cnn14, kept.logmel, kept.level), copies, strict=True):
        np.testing.assert_array_equal(array, copy)


def test_embedding_without_a_network_has_log_mel_and_level_only() -> None:
    with_network, without = Embedder(random_projection(0, CHANNELS), 11), Embedder({}, 11)
    for block in feature_blocks():
        full, plain = with_network.push(block), without.push(block)
        assert plain.first_cell == full.first_cell
        assert plain.of("cnn14").shape == (8, 11, 0)
        for feature in ("logmel", "level"):
            np.testing.assert_array_equal(plain.of(feature), full.of(feature))


def test_average_neighbours_of_a_constant_is_the_constant() -> None:
    np.testing.assert_allclose(average_neighbours(np.full((5, 16, 3), 2.0, np.float32)), np.full((3, 16, 3), 2.0), rtol=1e-6)


def test_random_projection_keeps_distances_and_is_the_same_for_a_seed() -> None:
    projection = random_projection(7, CHANNELS)
    again = random_projection(7, CHANNELS)
    matrix = np.concatenate([projection[name] for name in CHANNELS])
    np.testing.assert_array_equal(matrix, np.concatenate([again[name] for name in CHANNELS]))
    points = np.random.default_rng(0).standard_normal((200, len(matrix)))
    ratio = np.linalg.norm(points @ matrix, axis=1) / np.linalg.norm(points, axis=1)
    assert abs(ratio.mean() - 1.0) < 0.05
