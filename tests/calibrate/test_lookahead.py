from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from calibrate.embeddings import Recording, heard_blocks
from calibrate.feature_pass import FeaturePass
from calibrate.lookahead import Lookahead
from edge.detectors.embedding import Embedder, random_projection
from edge.features.backbone import Backbone
from edge.features.feature_extractor import PlacedBlock
from tests.noise import noise_recordings

BANDWIDTH_HZ = 14000.0
FEATURES = ("cnn14", "logmel", "excess")


@pytest.mark.parametrize("blocks", [3, 1000])
def test_lookahead_recordings_that_were_begun_are_computed_once_and_give_the_same(
    blocks: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("calibrate.lookahead.MOST_BEGUN", 1)
    backbone = Backbone.load("cnn14-random")
    projection = random_projection(0, {"block2": 128, "block3": 256, "block4": 512})
    recordings = noise_recordings(tmp_path, 4.0, 2.0, 2.0)
    computed: list[Recording] = []

    def hear(recording: Recording) -> Iterator[PlacedBlock]:
        computed.append(recording)
        yield from heard_blocks(recording, backbone, BANDWIDTH_HZ)

    lookahead = Lookahead(hear)
    for recording in recordings[:2]:
        looked_at = lookahead.first(recording, blocks)
        cells = [one.block.first_cell for one in heard_blocks(recording, backbone, BANDWIDTH_HZ)]
        assert [one.block.first_cell for one in looked_at] == cells[:blocks]
    for recording in recordings:
        fresh = FeaturePass(backbone, BANDWIDTH_HZ, FEATURES, lambda: Embedder(projection, 16))
        begun = FeaturePass(backbone, BANDWIDTH_HZ, FEATURES, lambda: Embedder(projection, 16), lookahead)
        for one, other in zip(fresh.chunks(recording), begun.chunks(recording), strict=True):
            for feature, patches in one.patches.patches.items():
                np.testing.assert_array_equal(other.patches.patches[feature], patches)
            np.testing.assert_array_equal(other.averages.rows, one.averages.rows)
            np.testing.assert_array_equal(other.patches.first_cells, one.patches.first_cells)
    assert computed == [*recordings[:2], recordings[1], recordings[2]]  # one is kept open
