from __future__ import annotations

import csv
import signal
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from edge.errors import AuscultError, UserError
from export.pretrain.batches import Batches
from export.pretrain.distillation import TAPS, Distillation
from export.pretrain.loss_log import LossLog
from export.pretrain.pool import Piece
from export.pretrain.precision import precision_named
from export.pretrain.schedule import learning_rate
from export.pretrain.settings import Settings, default_scenes
from export.pretrain.teacher import Teacher
from export.pretrain.trainer import LOSS_FILE, STATE_FILE, Training
from export.trunk import trunk_shapes

SETTINGS = Settings(steps=8, batch=2, views=0.1)


@pytest.fixture(autouse=True)
def _few_statistics(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("export.pretrain.trainer.STATISTICS_BATCHES", 4)


def _training(pieces: list[Piece], teacher: Teacher, folder: Path, settings: Settings = SETTINGS) -> Training:
    batches = Batches(pieces, [], size=settings.batch, seed=0, wants_view=True, wants_teacher=True)
    return Training(settings, batches, teacher, folder, torch.device("cpu"))


def _losses(folder: Path) -> list[dict[str, str]]:
    with (folder / LOSS_FILE).open() as file:
        return list(csv.DictReader(file))


def _equal(one: Mapping[str, NDArray[Any]], other: Mapping[str, NDArray[Any]]) -> bool:
    return one.keys() == other.keys() and all(np.array_equal(one[name], other[name]) for name in one)


@pytest.mark.slow
def test_training_interrupted_and_resumed_gives_the_same_weights_as_unbroken(
    pieces: list[Piece], generated_teacher: Teacher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    unbroken = _training(pieces, generated_teacher, tmp_path / "unbroken").run()
    assert {name: value.shape for name, value in unbroken.items()} == trunk_shapes()
    _training(pieces, generated_teacher, tmp_path / "broken").run(until=3)
    second = _training(pieces, generated_teacher, tmp_path / "broken")
    assert second.step == 3
    learn = second._learn

    def stopped_in_step_5(batch: Any) -> dict[str, float]:
        if second.step == 5:
            signal.raise_signal(signal.SIGINT)  # it waits for the end of the step
        return learn(batch)

    monkeypatch.setattr(second, "_learn", stopped_in_step_5)
    with pytest.raises(KeyboardInterrupt):
        second.run()
    third = _training(pieces, generated_teacher, tmp_path / "broken")
    assert third.step == 6
    assert _equal(third.run(), unbroken)
    rows = {folder: _losses(tmp_path / folder) for folder in ("unbroken", "broken")}
    assert [row["step"] for row in rows["broken"]] == [str(step) for step in range(8)]
    assert [row["loss"] for row in rows["broken"]] == [row["loss"] for row in rows["unbroken"]]


@pytest.mark.slow
@pytest.mark.skipif(precision_named("auto", torch.device("cpu")) != "bfloat16", reason="the processor has no bfloat16")
def test_training_in_bfloat16_steps_about_alike_and_resumes_bit_for_bit(
    pieces: list[Piece], generated_teacher: Teacher, tmp_path: Path
) -> None:
    full, half = (replace(SETTINGS, steps=3, precision=precision) for precision in ("float32", "bfloat16"))
    _training(pieces, generated_teacher, tmp_path / "full", full).run(until=1)
    unbroken = _training(pieces, generated_teacher, tmp_path / "unbroken", half).run()
    _training(pieces, generated_teacher, tmp_path / "broken", half).run(until=1)
    assert _equal(_training(pieces, generated_teacher, tmp_path / "broken", half).run(), unbroken)
    assert {value.dtype for name, value in unbroken.items() if "num_batches" not in name} == {np.dtype(np.float32)}
    exact, rounded = (float(_losses(tmp_path / folder)[0]["loss"]) for folder in ("full", "unbroken"))
    assert exact != rounded
    assert rounded == pytest.approx(exact, rel=0.02)
    with pytest.raises(UserError, match="precision was bfloat16 and is now float32"):
        _training(pieces, generated_teacher, tmp_path / "broken", full)


def test_training_leaves_every_norm_with_the_statistics_of_what_it_hears_in_the_end(
    pieces: list[Piece], generated_teacher: Teacher, tmp_path: Path
) -> None:
    """A running mean would lag behind weights that changed a moment ago."""
    training = _training(pieces, generated_teacher, tmp_path, replace(SETTINGS, steps=3, learning_rate=1e-2))
    training.run()
    norms = {name: module for name, module in training._networks.named_modules() if isinstance(module, torch.nn.BatchNorm2d)}
    assert any("heads" in name for name in norms)
    assert any("shares" in name for name in norms)
    known = {name: _statistics(norm) for name, norm in norms.items()}
    heard: dict[str, list[torch.Tensor]] = {name: [] for name in norms}

    def hear(name: str) -> Callable[[torch.nn.Module, tuple[torch.Tensor]], None]:
        return lambda module, given: heard[name].append(given[0].detach().clone())

    for name, norm in norms.items():
        norm.register_forward_pre_hook(hear(name))
    training._networks.train()
    with torch.no_grad():
        for batch in training._loaded(-4, 0, 0):
            training._losses(batch)
    for name, (mean, variance) in known.items():
        assert torch.allclose(mean, torch.stack([given.mean(dim=(0, 2, 3)) for given in heard[name]]).mean(dim=0), rtol=1e-3, atol=1e-3), (
            name
        )
        expected = torch.stack([given.var(dim=(0, 2, 3)) for given in heard[name]]).mean(dim=0)
        assert torch.allclose(variance, expected, rtol=1e-2, atol=1e-4), name


def _statistics(norm: torch.nn.BatchNorm2d) -> tuple[torch.Tensor, torch.Tensor]:
    assert norm.running_mean is not None
    assert norm.running_var is not None
    assert norm.momentum == 0.1
    return norm.running_mean.clone(), norm.running_var.clone()


def test_training_with_other_settings_is_refused_and_says_which(pieces: list[Piece], generated_teacher: Teacher, tmp_path: Path) -> None:
    _training(pieces, generated_teacher, tmp_path).run(until=1)
    with pytest.raises(UserError, match=r"training\.pt: .*seed was 0 and is now 3.*another --output"):
        _training(pieces, generated_teacher, tmp_path, replace(SETTINGS, seed=3))
    (tmp_path / STATE_FILE).write_bytes(b"PK half a file")
    with pytest.raises(UserError, match="is damaged"):
        _training(pieces, generated_teacher, tmp_path)


@pytest.mark.slow
def test_training_makes_every_loss_fall(pieces: list[Piece], generated_teacher: Teacher, tmp_path: Path) -> None:
    settings = replace(SETTINGS, steps=16, batch=3)
    _training(pieces, generated_teacher, tmp_path, settings).run()
    rows = _losses(tmp_path)
    for column in ("loss", "distillation", "synthesis", "views"):
        values = [float(row[column]) for row in rows]
        assert np.mean(values[-4:]) < np.mean(values[:4]), column


def test_training_that_diverges_says_so(pieces: list[Piece], generated_teacher: Teacher, tmp_path: Path) -> None:
    training = _training(pieces, generated_teacher, tmp_path)
    with torch.no_grad():
        training.trunk.bn0.bias.fill_(float("nan"))
    with pytest.raises(AuscultError, match="diverged at step 0"):
        training.run()


def test_distillation_targets_are_whitened(pieces: list[Piece], generated_teacher: Teacher) -> None:
    batches = Batches(pieces, [], size=4, seed=0, wants_view=False, wants_teacher=True)
    objective = Distillation(generated_teacher)
    seen = [batches[number] for number in range(4)]
    objective.prepare(seen)
    for number, tap in enumerate(TAPS):
        cells = torch.cat([objective._targets(batch)[number].flatten(0, 2) for batch in seen])
        assert len(cells) == 16 * (128 >> tap.block) * (64 >> tap.block)
        assert torch.allclose(cells.mean(dim=0), torch.zeros(cells.shape[1]), atol=0.02)
        assert float(cells.std(dim=0).max()) < 1.1
        assert float(objective.get_buffer(f"time{number}").sum(dim=1).sub(1.0).abs().max()) < 1e-5


def test_learning_rate_rises_then_falls_to_its_lowest() -> None:
    settings = Settings(steps=100)
    rates = [learning_rate(step, settings) for step in range(100)]
    assert rates[0] == pytest.approx(2e-4)
    assert max(rates) == pytest.approx(settings.learning_rate)
    assert rates[5:] == sorted(rates[5:], reverse=True)
    assert rates[-1] < 0.02 * settings.learning_rate


def test_default_scenes_grow_with_the_training_within_limits() -> None:
    assert [default_scenes(*run) for run in ((20, 2), (1000, 8), (10**6, 32))] == [16, 800, 3000]


def test_loss_log_drops_what_came_after_the_state(tmp_path: Path) -> None:
    path = tmp_path / "losses.csv"
    values = {"seconds": 1.0, "learning_rate": 0.1, "loss": 2.0}
    for first in (0, 2):
        losses = LossLog(path, [], first)
        for step in range(first, first + 4):
            losses.add(step, values)
        losses.close()
    assert [line.partition(",")[0] for line in path.read_text().splitlines()] == ["step", "0", "1", "2", "3", "4", "5"]
