from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("onnx")

import torch

from edge.errors import AudioError
from edge.features.backbone import DEFAULT_BACKBONE, Backbone
from edge.features.feature_stream import FeatureStream
from export.cnn14 import Cnn14Trunk
from export.stfpm.lesson import Lesson
from export.stfpm.student import pyramid_loss, train_student
from export.trunk import Parameters

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def lesson() -> Lesson:
    """Five seconds of noise, heard by the built-in backbone."""
    lesson = Lesson(np.random.default_rng(0))
    stream = FeatureStream(Backbone.load(DEFAULT_BACKBONE), 16000.0)
    for block in stream.push(0.05 * np.random.default_rng(1).standard_normal(5 * 32000).astype(np.float32)):
        lesson.add(block)
    lesson.interrupt()
    return lesson


def test_pyramid_loss_by_hand() -> None:
    """Half the squared distance is 0.04 between (3, 4) and (4, 3), and 1 at right angles; blocks are summed, cells averaged."""
    one = torch.tensor([3.0, 4.0]).expand(2, 6, 1, 2).clone()
    other = torch.tensor([4.0, 3.0]).expand(2, 6, 1, 2).clone()
    assert float(pyramid_loss({"block2": one}, {"block2": 7.0 * other})) == pytest.approx(0.04, abs=1e-6)
    across = one.clone()
    across[:, 3] = torch.tensor([-4.0, 3.0])  # one of the two inner cells in time
    assert float(pyramid_loss({"block2": one, "block3": one}, {"block2": other, "block3": across})) == pytest.approx(0.04 + 0.5, abs=1e-6)
    across[:, [0, 1, 4, 5]] = torch.tensor([-4.0, 3.0])  # cells that know that the excerpt ends
    assert float(pyramid_loss({"block3": one}, {"block3": across})) == pytest.approx(0.5, abs=1e-6)


def loss_of(parameters: Parameters, lesson: Lesson) -> float:
    """Of new draws, as the student will be used: with the statistics that it has learned."""
    log_mel, teacher = lesson.batch(8, np.random.default_rng(99), CPU)
    with torch.inference_mode():
        return float(pyramid_loss(teacher, Cnn14Trunk.from_parameters(parameters)(log_mel)))


def trained(lesson: Lesson, steps: int, seed: int = 0) -> Parameters:
    return train_student(lesson, steps, 2, seed, np.random.default_rng(seed), CPU)


@pytest.fixture(autouse=True)
def _little_statistics(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("export.stfpm.student.STATISTICS_BATCHES", 2)


@pytest.mark.slow
def test_train_student_comes_closer_to_its_teacher(lesson: Lesson) -> None:
    assert loss_of(trained(lesson, 10), lesson) < 0.6 * loss_of(trained(lesson, 1), lesson)


def test_train_student_is_the_same_for_a_seed_and_another_for_another(lesson: Lesson) -> None:
    one, same, other = trained(lesson, 2), trained(lesson, 2), trained(lesson, 2, seed=1)
    assert all(np.array_equal(one[name], same[name]) for name in one)
    assert not np.array_equal(one["conv_block4.conv2.weight"], other["conv_block4.conv2.weight"])


def test_train_student_without_sound_says_so() -> None:
    with pytest.raises(AudioError, match="hold no second of unbroken sound"):
        trained(Lesson(np.random.default_rng(0)), 1)
