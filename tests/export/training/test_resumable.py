from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")

import torch
from torch import nn

from edge.errors import AuscultError, UserError
from export.training.device import device_named
from export.training.resumable import Keeping, run_resumable


def training(stop_at: int | None = None) -> tuple[nn.Module, torch.optim.Optimizer, Callable[[int], Mapping[str, float]]]:
    """A small network that follows noise that depends on the step alone."""
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 1))
    optimizer = torch.optim.Adam(network.parameters(), lr=0.01)

    def learn(step: int) -> dict[str, float]:
        if step == stop_at:
            raise KeyboardInterrupt
        x = torch.from_numpy(np.random.default_rng(step).standard_normal((8, 3)).astype(np.float32))
        loss = (network(x) - x.sum(dim=1, keepdim=True)).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return {"loss": float(loss.detach()), "half": float(loss.detach()) / 2}

    return network, optimizer, learn


def run(folder: Path | None, steps: int, stop_at: int | None = None, told: int = 1) -> nn.Module:
    network, optimizer, learn = training(stop_at)
    run_resumable("stage", steps, learn, network, optimizer, Keeping(folder, {"told": told}) if folder else None, ("half",))
    return network


def same(one: nn.Module, other: nn.Module) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one.state_dict().values(), other.state_dict().values(), strict=True))


def losses(folder: Path) -> list[list[str]]:
    lines = [line.split(",") for line in (folder / "stage.csv").read_text().splitlines()]
    return [[line[0], *line[2:]] for line in lines]  # all but the seconds


def test_run_resumable_continues_bit_for_bit_after_a_ctrl_c(tmp_path: Path) -> None:
    whole = run(tmp_path / "whole", 20)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "parts", 20, stop_at=7)
    assert not same(run(None, 7), whole)
    assert same(run(tmp_path / "parts", 20), whole)
    assert same(run(None, 20), whole)
    assert losses(tmp_path / "parts") == losses(tmp_path / "whole")
    assert len(losses(tmp_path / "whole")) == 21


def test_run_resumable_finished_training_is_not_run_again(tmp_path: Path) -> None:
    whole = run(tmp_path, 20)
    assert same(run(tmp_path, 20, stop_at=0), whole)


def test_run_resumable_state_of_another_training_is_refused(tmp_path: Path) -> None:
    run(tmp_path, 3)
    with pytest.raises(UserError, match=r"stage\.pt: holds another training \(told was 1 and is now 2\)"):
        run(tmp_path, 3, told=2)


def test_run_resumable_damaged_state_is_refused(tmp_path: Path) -> None:
    run(tmp_path, 3)
    state = tmp_path / "stage.pt"
    state.write_bytes(state.read_bytes()[:100])
    with pytest.raises(UserError, match="is damaged; remove it to start over"):
        run(tmp_path, 3)


def test_run_resumable_state_of_another_version_is_refused(tmp_path: Path) -> None:
    torch.save({"schema": 0}, tmp_path / "stage.pt")
    with pytest.raises(UserError, match="by another version"):
        run(tmp_path, 3)


def test_run_resumable_loss_that_is_no_number_ends_it(tmp_path: Path) -> None:
    network, optimizer, _ = training()
    with pytest.raises(AuscultError, match="diverged at step 0"):
        run_resumable("stage", 3, lambda step: {"loss": float("nan")}, network, optimizer, Keeping(tmp_path, {}))
    assert not (tmp_path / "stage.pt").exists()


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_device_named_cuda_without_a_gpu_is_refused() -> None:
    assert device_named("auto") == device_named("cpu") == torch.device("cpu")
    with pytest.raises(UserError, match="--device cuda"):
        device_named("cuda")
