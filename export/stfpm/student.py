"""Training of a student: CNN14's blocks 1-4 from random weights, until they give the teacher's features for normal sound.

Loss (Wang et al. 2021, equations 1 to 3): of each cell of blocks 2, 3 and 4, half the squared distance between the channels of teacher and
student, both of unit length; averaged over the cells of a block, and summed over the blocks.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from numpy.random import Generator
from torch import Tensor, nn
from torch.nn import functional

from export.cnn14 import Cnn14Trunk
from export.parity import EDGE_CELLS
from export.random_trunk import random_parameters
from export.stfpm.lesson import Lesson
from export.training.loop import rate_of, run_steps
from export.trunk import Parameters

LEARNING_RATE = 1e-3  # of Adam, at its highest
LEAST_VARIANCE = 1e-3  # dB squared; every band that hears anything varies more
STATISTICS_BATCHES = 10  # over which batch norms average in the end: two minutes of sound


def train_student(lesson: Lesson, steps: int, batch: int, seed: int, rng: Generator, device: torch.device) -> Parameters:
    """Train on `steps` batches of so many excerpts drawn with `rng`; the student's parameters, named as `fold` takes them.

    Raises
    ------
    AudioError : nothing to learn from
    AuscultError : the loss is no number any more
    """
    lesson.check()
    student = Cnn14Trunk.from_parameters(random_parameters(seed)).to(device)
    student.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # a quarter faster on a CPU
    optimizer = torch.optim.Adam(student.parameters(), lr=LEARNING_RATE)
    student.train()

    def learn(step: int) -> float:
        for group in optimizer.param_groups:
            group["lr"] = LEARNING_RATE * rate_of(step, steps)
        log_mel, teacher = lesson.batch(batch, rng, device)
        loss = pyramid_loss(teacher, student(log_mel))
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        return float(loss.detach())

    run_steps("training", steps, learn)
    _settle(student, [lesson.batch(batch, rng, device)[0] for _ in range(STATISTICS_BATCHES)])
    return student.parameters_by_name()


def pyramid_loss(teacher: Mapping[str, Tensor], student: Mapping[str, Tensor]) -> Tensor:
    """The loss of blocks (excerpt, time, mel, channel), of cells whose features do not depend on the ends of an excerpt."""
    losses = []
    for name, features in teacher.items():
        inner = slice(EDGE_CELLS, features.shape[1] - EDGE_CELLS)
        apart = functional.normalize(features[:, inner], dim=-1) - functional.normalize(student[name][:, inner], dim=-1)
        losses.append(0.5 * apart.square().sum(dim=-1).mean())
    return torch.stack(losses).sum()


def _settle(student: Cnn14Trunk, batches: list[Tensor]) -> None:
    """Give all batch norms the statistics of these batches with the final weights: a running mean lags behind them.

    Mel bands that the microphone does not hear are masked by a constant: divided by its deviation, that is nothing but rounding error.
    """
    norms = [module for module in student.modules() if isinstance(module, nn.BatchNorm2d)]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # a plain average over the batches
    with torch.no_grad():
        for log_mel in batches:
            student(log_mel)
        variance = student.bn0.get_buffer("running_var")
        variance[variance < LEAST_VARIANCE] = 1.0
    student.eval()
