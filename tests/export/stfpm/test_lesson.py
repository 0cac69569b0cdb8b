from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch")

import torch

from edge.errors import AudioError
from edge.features.backbone import BLOCK_SHAPES, Features
from edge.features.feature_stream import FeatureBlock
from export.stfpm.lesson import EXCERPT_BLOCKS, STRETCH_BLOCKS, Lesson

CPU = torch.device("cpu")
FRAMES_OF = {"block2": 4, "block3": 8, "block4": 16}


def block_of(number: int) -> FeatureBlock:
    """A block in which every frame and cell says at which frame it begins."""
    frames = np.arange(32 * number, 32 * number + 32, dtype=np.float32)
    log_mel = np.pad(frames, 2, constant_values=-1.0)[:, None] * np.ones(64, np.float32)
    features = Features(
        *(frames[:: FRAMES_OF[name], None, None] * np.ones((1, *shape[1:]), np.float32) for name, shape in BLOCK_SHAPES.items())
    )
    return FeatureBlock(8 * number, log_mel, np.zeros(8, np.float32), features)


def taught(*blocks: int, most_stretches: int = 100) -> Lesson:
    """A lesson of runs of so many blocks, all of which say other numbers."""
    lesson = Lesson(np.random.default_rng(0), most_stretches)
    first = 0
    for count in blocks:
        for number in range(first, first + count):
            lesson.add(block_of(number))
        lesson.interrupt()
        first += 100
    return lesson


def test_lesson_batch_gives_frames_with_the_features_of_the_same_frames() -> None:
    lesson = taught(12, 7)
    log_mel, blocks = lesson.batch(40, np.random.default_rng(1), CPU)
    assert log_mel.shape == (40, 32 * EXCERPT_BLOCKS, 64)
    starts = log_mel[:, 0, 0]
    assert set(starts.tolist()) == {32.0 * n for n in (*range(7), 100, 101)}  # every block that begins an excerpt
    np.testing.assert_array_equal(log_mel[:, :, 5] - starts[:, None], np.tile(np.arange(192.0), (40, 1)))
    for name, frames in FRAMES_OF.items():
        assert blocks[name].dtype == torch.float32
        assert blocks[name].shape[2:] == BLOCK_SHAPES[name][1:]
        np.testing.assert_array_equal(blocks[name][:, :, 0, 0], log_mel[:, ::frames, 0])


def test_lesson_keeps_copies() -> None:
    lesson = Lesson(np.random.default_rng(0))
    block = block_of(3)
    for _ in range(EXCERPT_BLOCKS):
        lesson.add(block)
    block.log_mel[:] = 0.0
    block.features.block3[:] = 0.0
    lesson.interrupt()
    assert lesson.stretches[0].log_mel.min() == 96.0
    assert lesson.stretches[0].blocks["block3"].min() == 96.0


def test_lesson_leaves_out_what_is_too_short_for_an_excerpt() -> None:
    lesson = taught(EXCERPT_BLOCKS - 1, EXCERPT_BLOCKS, 2)
    assert [stretch.starts for stretch in lesson.stretches] == [1]
    with pytest.raises(AudioError, match="longer ones are needed"):
        taught(EXCERPT_BLOCKS - 1).check()


def test_lesson_of_much_sound_is_a_sample_of_all_of_it() -> None:
    """A long recording is cut into stretches, and of these as many are drawn as may be kept."""
    lesson = taught(STRETCH_BLOCKS * 50, most_stretches=10)
    firsts = sorted(int(stretch.log_mel[0, 0]) for stretch in lesson.stretches)
    assert len(set(firsts)) == 10
    assert all(first % (32 * STRETCH_BLOCKS) == 0 for first in firsts)
    assert firsts[-1] > 32 * STRETCH_BLOCKS * 25  # the first ten would all be below


def test_lesson_clips_come_evenly_from_all_stretches() -> None:
    lesson = taught(*[EXCERPT_BLOCKS] * 9)
    assert [int(clip.log_mel[0, 0]) // 3200 for clip in lesson.clips(3, 8000.0)] == [0, 4, 8]
    assert len(taught(EXCERPT_BLOCKS).clips(16, 8000.0)) == 1
