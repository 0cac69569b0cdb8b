"""The training loop: seeded, resumable, on CPU or GPU."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from math import isfinite
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from edge.console.progress import Progress
from edge.errors import AuscultError
from export.cnn14 import Cnn14Trunk
from export.pretrain.batches import Batch, Batches
from export.pretrain.distillation import Distillation
from export.pretrain.interrupts import deferred_interrupts
from export.pretrain.loss_log import LossLog
from export.pretrain.recognition import Recognition
from export.pretrain.schedule import learning_rate
from export.pretrain.settings import Settings
from export.pretrain.state import read_state, save_state
from export.pretrain.teacher import Teacher
from export.pretrain.views import Views
from export.random_trunk import random_parameters
from export.trunk import Parameters

log = logging.getLogger("auscult.export")

STATE_FILE = "training.pt"
LOSS_FILE = "losses.csv"
SAVE_EVERY_S = 60.0
STATISTICS_BATCHES = 32  # before the first step: for the batch norms, and for the whitening
AVERAGED_STEPS = 100


class Training:
    """A trunk, the heads of its objectives, an optimizer, and a folder where they are kept."""

    def __init__(self, settings: Settings, batches: Batches, teacher: Teacher | None, folder: Path, device: torch.device) -> None:
        """Start, or go on where `folder` says that a training stopped; UserError when it is another training."""
        self._settings = settings
        self._batches = batches
        self._device = device
        self._state_path, self._log_path = folder / STATE_FILE, folder / LOSS_FILE
        folder.mkdir(parents=True, exist_ok=True)
        state = read_state(self._state_path, settings)
        torch.manual_seed(settings.seed)
        self._weights = {"distillation": settings.distillation, "synthesis": settings.synthesis, "views": settings.views}
        objectives: list[nn.Module] = []
        if settings.distillation and teacher is not None:
            objectives.append(Distillation(teacher))
        if settings.synthesis:
            objectives.append(Recognition())
        if settings.views:
            objectives.append(Views())
        self._objectives = objectives
        self.trunk = Cnn14Trunk.from_parameters(random_parameters(settings.seed))
        self._networks = nn.ModuleList([self.trunk, *objectives]).to(device)
        self.trunk.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # a quarter faster on a CPU
        decayed = [p for p in self._networks.parameters() if p.ndim > 1]
        others = [p for p in self._networks.parameters() if p.ndim <= 1]
        groups: list[dict[str, Any]] = [{"params": decayed}, {"params": others, "weight_decay": 0.0}]
        self._optimizer = torch.optim.AdamW(groups, lr=settings.learning_rate, weight_decay=settings.weight_decay)
        self.step = 0
        self.seconds = 0.0  # of training, over all its parts
        self.recent_loss = float("nan")  # averaged over some hundred steps
        if state is None:
            self._prepare()
        else:
            self._restore(state)

    def run(self, *, until: int | None = None, workers: int = 0) -> Parameters:
        """Train to the end, or to step `until`; the state is saved, also on Ctrl-C. Returns the trunk's parameters.

        Raises
        ------
        AuscultError : the loss is no number any more
        """
        last = self._settings.steps if until is None else min(until, self._settings.steps)
        self._networks.train()
        losses = LossLog(self._log_path, [str(objective.name) for objective in self._objectives], self.step)
        started_s, saved_s = time.monotonic() - self.seconds, time.monotonic()
        try:
            with Progress("training", self._settings.steps) as bar, deferred_interrupts() as interrupts:
                bar.update(self.step)
                for batch in self._loaded(self.step, last, workers):
                    values = self._learn(batch)
                    self.seconds = time.monotonic() - started_s
                    losses.add(self.step, values | {"seconds": self.seconds})
                    self._average(values["loss"])
                    self.step += 1
                    bar.update()
                    if time.monotonic() - saved_s > SAVE_EVERY_S:
                        losses.flush()
                        self._save()
                        saved_s = time.monotonic()
                    interrupts.check()
        except KeyboardInterrupt:
            self._save()
            raise
        finally:
            losses.close()
        self._save()
        self._settle()
        self._networks.eval()
        return self.trunk.parameters_by_name()

    def _learn(self, batch: Batch) -> dict[str, float]:
        """One step; the losses."""
        rate = learning_rate(self.step, self._settings)
        for group in self._optimizer.param_groups:
            group["lr"] = rate
        losses = self._losses(batch)
        loss = torch.stack([self._weights[name] * value for name, value in losses.items()]).sum()
        if not bool(torch.isfinite(loss)):
            raise AuscultError("training", f"diverged at step {self.step}; a lower --learning-rate and a new --output may help")
        self._optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self._networks.parameters(), self._settings.largest_gradient)
        self._optimizer.step()
        return {"learning_rate": rate, "loss": float(loss.detach())} | {name: float(value.detach()) for name, value in losses.items()}

    def _average(self, loss: float) -> None:
        known = self.recent_loss if isfinite(self.recent_loss) else loss
        self.recent_loss = known + (loss - known) / min(self.step + 1, AVERAGED_STEPS)

    def _losses(self, batch: Batch) -> dict[str, Tensor]:
        blocks = self._blocks(batch.log_mel)
        losses = {}
        for objective in self._objectives:
            if isinstance(objective, Views):
                losses[objective.name] = objective(blocks, self._blocks(batch.other_view))
            elif isinstance(objective, Distillation | Recognition):
                losses[objective.name] = objective(blocks, batch)
        return losses

    def _blocks(self, log_mel: Tensor) -> dict[str, Tensor]:
        """What the trunk makes of excerpts, float32."""
        with torch.autocast(self._device.type, torch.bfloat16, enabled=self._settings.precision == "bfloat16"):
            blocks: dict[str, Tensor] = self.trunk(log_mel)
        return {name: block.float() for name, block in blocks.items()}

    def _settle(self) -> list[Batch]:
        """Give all batch norms the statistics of some batches, which are returned: a running mean lags behind the weights."""
        batches = list(self._loaded(-STATISTICS_BATCHES, 0, 0))
        norms = [module for module in self._networks.modules() if isinstance(module, nn.BatchNorm2d)]
        self._networks.train()
        with torch.no_grad():
            for norm in norms:
                norm.reset_running_stats()
                norm.momentum = None  # a plain average over the batches
            for batch in batches:
                self._losses(batch)
        for norm in norms:
            norm.momentum = 0.1
        return batches

    def _prepare(self) -> None:
        """Before the first step: batch norms with the statistics of real batches, and what the objectives need to know."""
        batches = self._settle()
        for objective in self._objectives:
            if isinstance(objective, Distillation | Recognition | Views):
                objective.prepare(batches)

    def _restore(self, state: dict[str, Any]) -> None:
        self._networks.load_state_dict(state["networks"])
        self._optimizer.load_state_dict(state["optimizer"])
        torch.set_rng_state(state["random"])
        self.step, self.seconds, self.recent_loss = int(state["step"]), float(state["seconds"]), float(state["loss"])
        log.info("resumed at step %d of %d", self.step, self._settings.steps)

    def _save(self) -> None:
        save_state(self._state_path, self._settings, self.step, self.seconds, self.recent_loss, self._networks, self._optimizer)

    def _loaded(self, first: int, last: int, workers: int) -> Iterator[Batch]:
        """Batches `first` .. `last` - 1, on the device; those before 0 only prepare."""
        numbers = [number if number >= 0 else _PREPARING - number for number in range(first, last)]
        loader: DataLoader[Batch] = DataLoader(
            self._batches, None, sampler=numbers, num_workers=workers, prefetch_factor=4 if workers else None
        )
        for batch in loader:
            yield batch.to(self._device)


_PREPARING = 1 << 40  # numbers of batches that no training reaches
