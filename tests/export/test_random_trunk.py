from __future__ import annotations

import numpy as np
import pytest

from edge.features.backbone import BUILT_IN, DEFAULT_BACKBONE, Backbone
from edge.features.frontend import BLOCK_FRAMES, PANNS
from export.parity import BOUNDS
from export.random_trunk import calibrated_random_trunk, random_parameters
from export.sound import Clip, synthesised_clips
from export.streamed import StreamedGraph
from export.trunk import fold, trunk_shapes
from export.twin import fp32_twin


def test_random_parameters_are_seeded_and_of_the_right_shapes() -> None:
    first, again, other = random_parameters(0), random_parameters(0), random_parameters(1)
    assert {name: value.shape for name, value in first.items()} == trunk_shapes()
    assert all(np.array_equal(value, again[name]) for name, value in first.items())
    assert not np.array_equal(first["conv_block1.conv1.weight"], other["conv_block1.conv1.weight"])


def test_calibrated_random_trunk_normalises_what_it_was_calibrated_on() -> None:
    clips = synthesised_clips(PANNS, 16.0, seed=5)
    trunk = fold(calibrated_random_trunk(0, clips))
    heard = np.concatenate([clip.log_mel for clip in clips if clip.is_full_band])
    seen = heard * trunk.mel_scale + trunk.mel_offset
    assert abs(float(seen.mean())) < 0.2
    assert 0.8 < float(seen.std()) < 1.2


@pytest.mark.parametrize(("name", "source"), [(DEFAULT_BACKBONE, "ESC-10 (CC BY 3.0)"), ("cnn14-random", "none: random weights")])
def test_built_in_backbones_come_with_a_whole_card(name: str, source: str) -> None:
    card = Backbone.load(name).card
    assert (card.name, card.precision, card.front_end, card.seed) == (name, "int8", PANNS.name, 0)
    assert card.training_data[0].startswith(source)
    assert card.licence == "Apache-2.0"
    assert {comparison for comparison, *_ in BOUNDS} == card.parity["features"].keys()
    assert (BUILT_IN / f"{name}.onnx").stat().st_size < 6_000_000


def test_built_in_backbone_int8_is_near_its_fp32_twin(clips: list[Clip]) -> None:
    model = (BUILT_IN / f"{DEFAULT_BACKBONE}.onnx").read_bytes()
    log_mel = clips[0].log_mel[: 8 * BLOCK_FRAMES]
    int8, fp32 = StreamedGraph(model).blocks(log_mel), StreamedGraph(fp32_twin(model)).blocks(log_mel)
    for name, cells in fp32.items():
        assert np.sqrt(np.mean((int8[name] - cells) ** 2) / np.mean(cells**2)) < 0.08
