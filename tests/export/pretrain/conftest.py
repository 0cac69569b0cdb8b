"""A few synthesised machines, and a teacher of exactly the real form with random weights."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from export.pretrain.pool import Piece, synthesised_pieces
from export.pretrain.teacher import Teacher


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def generated_teacher() -> Teacher:
    torch.manual_seed(0)
    teacher = Teacher()
    for module in teacher.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean = torch.randn(module.num_features) * 0.1
    return teacher


@pytest.fixture(scope="session")
def teacher_file(generated_teacher: Teacher, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("teacher") / "mn04.pt"
    torch.save(generated_teacher.state_dict(), path)
    return path


@pytest.fixture(scope="session")
def pieces() -> list[Piece]:
    return synthesised_pieces(6, seed=3, for_teacher=True)
