"""The learning rate over a training: a linear rise, then a cosine decay (Loshchilov and Hutter, "SGDR", 2017, equation 5)."""

from __future__ import annotations

from math import cos, pi

from export.pretrain.settings import Settings


def learning_rate(step: int, settings: Settings) -> float:
    """The rate of step `step`, counted from 0."""
    rising = max(1, round(settings.warmup * settings.steps))
    if step < rising:
        return settings.learning_rate * (step + 1) / rising
    done = (step - rising) / max(1, settings.steps - rising)
    share = settings.lowest_rate + (1.0 - settings.lowest_rate) * 0.5 * (1.0 + cos(pi * min(done, 1.0)))
    return settings.learning_rate * share
