"""A training that can be stopped and continued with the same result, bit for bit on a CPU.

A step may depend on nothing but its number, the networks and the optimizer: what is random in it comes from a generator that is seeded with
the number. So these are all that a state file holds.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from edge.atomic_file import SHARED, replacing
from edge.errors import UserError
from export.pretrain.loss_log import LossLog
from export.training.loop import run_steps

SCHEMA = 1
SAVE_EVERY_S = 60.0


@dataclass(frozen=True, slots=True)
class Keeping:
    """Where the states of a training are kept, and its settings: a state of another training is refused."""

    folder: Path
    told: Mapping[str, Any]  # plain values

    def restore(self, stage: str, networks: nn.Module, optimizer: torch.optim.Optimizer) -> int:
        """Load the state of a stage, if there is one; the number of steps it has seen.

        Raises
        ------
        UserError : damaged, or of a training that was told something else
        """
        path = self.folder / f"{stage}.pt"
        if not path.exists():
            return 0
        try:
            state = torch.load(path, map_location="cpu", weights_only=True)
        except Exception as error:  # torch raises whatever its parsers ran into
            raise UserError(path, "is damaged; remove it to start over") from error
        if not isinstance(state, dict) or state.get("schema") != SCHEMA:
            raise UserError(path, "was written by another version of Auscult; give another folder")
        differing = [name for name, value in self.told.items() if state["told"].get(name) != value]
        if differing:
            was = ", ".join(f"{name} was {state['told'].get(name)} and is now {self.told[name]}" for name in differing)
            raise UserError(path, f"holds another training ({was}); give the same settings and recordings, or another folder")
        networks.load_state_dict(state["networks"])
        optimizer.load_state_dict(state["optimizer"])
        return int(state["steps"])

    def save(self, stage: str, steps: int, networks: nn.Module, optimizer: torch.optim.Optimizer) -> None:
        """Write the state after so many steps; the file is always a whole one."""
        state = {
            "schema": SCHEMA,
            "told": dict(self.told),
            "steps": steps,
            "networks": networks.state_dict(),
            "optimizer": optimizer.state_dict(),
        }
        with replacing(self.folder / f"{stage}.pt", SHARED) as file:
            torch.save(state, file)


def run_resumable(
    stage: str,
    steps: int,
    learn: Callable[[int], Mapping[str, float]],
    networks: nn.Module,
    optimizer: torch.optim.Optimizer,
    keeping: Keeping | None,
    columns: Sequence[str] = (),
) -> None:
    """Call `learn` for every step that the kept state has not seen; it returns `loss` and its `columns`, which go to <stage>.csv.

    Without `keeping` nothing is written.
    """
    if keeping is None:
        run_steps(stage, steps, lambda step: learn(step)["loss"])
        return
    keeping.folder.mkdir(parents=True, exist_ok=True)
    done = keeping.restore(stage, networks, optimizer)
    log = LossLog(keeping.folder / f"{stage}.csv", columns, done)
    started_s = saved_s = time.monotonic()

    def learn_and_keep(step: int) -> float:
        nonlocal done, saved_s
        losses = learn(step)
        done = step + 1
        now_s = time.monotonic()
        log.add(step, {"seconds": now_s - started_s, "learning_rate": optimizer.param_groups[0]["lr"], **losses})
        if now_s - saved_s > SAVE_EVERY_S:
            log.flush()
            keeping.save(stage, done, networks, optimizer)
            saved_s = now_s
        return losses["loss"]

    try:
        run_steps(stage, steps, learn_and_keep, done)
    except KeyboardInterrupt:
        keeping.save(stage, done, networks, optimizer)
        raise
    finally:
        log.close()
    keeping.save(stage, done, networks, optimizer)
