from __future__ import annotations

import json
from pathlib import Path

import pytest

from export.architecture import SOURCES, checkpoint_shapes

KEY_LISTS = Path(__file__).parents[3] / "shared" / "weights" / "cnn14_expected_state_dict_keys.json"


@pytest.mark.skipif(not KEY_LISTS.is_file(), reason="the key lists are not beside this checkout")
@pytest.mark.parametrize(
    ("source", "listed"), [("panns", "panns_Cnn14_32k"), ("clap2022", 'clap2022_file_audio_part (under top-level "model")')]
)
def test_checkpoint_shapes_equal_the_real_files(source: str, listed: str) -> None:
    expected = json.loads(KEY_LISTS.read_text())[listed]
    assert {name: list(shape) for name, shape in checkpoint_shapes(SOURCES[source]).items()} == expected


@pytest.mark.parametrize(("source", "tensors"), [("panns", 84), ("clap2022", 88)])
def test_checkpoint_shapes_count_every_tensor(source: str, tensors: int) -> None:
    assert len(checkpoint_shapes(SOURCES[source])) == tensors
