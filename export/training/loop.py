"""The loop around a training's steps: a progress bar, a clean Ctrl-C, and a clear error when the loss is not a number."""

from __future__ import annotations

from collections.abc import Callable
from math import cos, isfinite, pi

from edge.console.progress import Progress
from edge.errors import AuscultError
from export.pretrain.interrupts import deferred_interrupts

WARMUP = 0.05  # part of the steps
LOWEST_RATE = 0.01  # part of the highest, at the end


def run_steps(label: str, steps: int, learn: Callable[[int], float], first: int = 0) -> list[float]:
    """Call `learn`, which returns its loss, with first .. steps - 1; the losses. A Ctrl-C is answered between two steps.

    Raises
    ------
    AuscultError : the loss is no number any more
    """
    losses = []
    with Progress(label, steps) as bar, deferred_interrupts() as interrupts:
        bar.update(first)
        for step in range(first, steps):
            losses.append(learn(step))
            if not isfinite(losses[-1]):
                raise AuscultError(label, f"diverged at step {step}; another --seed may help")
            bar.update()
            interrupts.check()
    return losses


def rate_of(step: int, steps: int) -> float:
    """The part of the highest learning rate for a step: a linear rise, then a cosine decay (Loshchilov and Hutter, "SGDR", equation 5)."""
    rising = max(1, round(WARMUP * steps))
    if step < rising:
        return (step + 1) / rising
    done = (step - rising) / max(1, steps - rising)
    return LOWEST_RATE + (1.0 - LOWEST_RATE) * 0.5 * (1.0 + cos(pi * min(done, 1.0)))
