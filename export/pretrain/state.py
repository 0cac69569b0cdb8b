"""training.pt: everything that an interrupted training needs to continue as if it had not been interrupted."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import nn

from edge.atomic_file import SHARED, replacing
from edge.errors import UserError
from export.pretrain.settings import Settings

SCHEMA = 1


def save_state(
    path: Path, settings: Settings, step: int, seconds: float, loss: float, networks: nn.Module, optimizer: torch.optim.Optimizer
) -> None:
    """Write the state after `step` steps; the file is always a whole one."""
    kept = {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(settings).items()}
    state = {
        "schema": SCHEMA,
        "settings": kept,
        "step": step,
        "seconds": seconds,
        "loss": loss,
        "networks": networks.state_dict(),
        "optimizer": optimizer.state_dict(),
        "random": torch.get_rng_state(),
    }
    with replacing(path, SHARED) as file:
        torch.save(state, file)


def read_state(path: Path, settings: Settings) -> dict[str, Any] | None:
    """Read the state at `path`; None when there is none.

    Raises
    ------
    UserError : damaged, or of a training with other settings
    """
    if not path.exists():
        return None
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises whatever its parsers ran into
        raise UserError(path, "is damaged; remove it to start over") from error
    if not isinstance(state, dict) or state.get("schema") != SCHEMA:
        raise UserError(path, "was written by another version of Auscult; give another --output")
    settings.must_equal(state["settings"], path)
    return state
