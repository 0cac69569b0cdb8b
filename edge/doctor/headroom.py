"""Check that the processor keeps up with all sources."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

import numpy as np

from edge.doctor.finding import Finding, fail, ok, warn
from edge.model import Model
from edge.pipeline import Listener

CHECK = "processor"
USUAL_RATE_HZ = 48000  # of a source that could not be asked
NOISE_S = 2.0
WARM_UP_S = 10.0  # the first window is due only then
PUSH_S = 0.1  # of sound at a time, as a microphone gives it
TIGHT = 0.7  # of real time: a hot day, an update or a second program takes the rest


def check_headroom(sources: Sequence[tuple[Model, int]]) -> Finding:
    """Score noise with each different pair of model and sample rate, and add up the costs of all sources: one worker serves them."""
    costs: dict[tuple[int, int], float] = {}
    for model, rate_hz in sources:
        if (key := (id(model), rate_hz)) not in costs:
            costs[key] = cost_per_second(model, rate_hz)
    return judge_load([costs[id(model), rate_hz] for model, rate_hz in sources])


def cost_per_second(model: Model, rate_hz: int) -> float:
    """Seconds that a second of noise takes, once caches and windows are warm."""
    listener = Listener(model, rate_hz)
    generator = np.random.default_rng(0)
    spent_s = 0.0
    warm_up = round(min(model.window_s, WARM_UP_S) / PUSH_S)
    pushes = round(NOISE_S / PUSH_S)
    for push in range(warm_up + pushes):
        samples = (0.05 * generator.standard_normal(round(PUSH_S * rate_hz))).astype(np.float32)
        started_s = time.perf_counter()
        listener.push(samples)
        if push >= warm_up:
            spent_s += time.perf_counter() - started_s
    return spent_s / NOISE_S


def judge_load(costs: Sequence[float]) -> Finding:
    """Hold the cost of all sources, in seconds per second of sound, against real time."""
    load = sum(costs)
    plural = "source takes" if len(costs) == 1 else "sources take"
    told = f"{len(costs)} {plural} {1000 * load:.0f} ms for each second of sound"
    remedy = "use fewer sources, more cooling or a faster board, or calibrate with --backbone logmel"
    if load > 1.0:
        return fail(CHECK, f"{told}: too slow, sound would be left out", remedy)
    if load > TIGHT:
        return warn(CHECK, f"{told}: little is left", remedy)
    return ok(CHECK, f"{told}: {1 / max(load, 1e-9):.0f} times faster than real time")


def known_models(models: Mapping[str, Model | None], rates_hz: Mapping[str, int | None]) -> list[tuple[Model, int]]:
    """Pair each source's model with its rate; sources whose bundle cannot be used have a finding of their own."""
    return [(model, rates_hz.get(name) or USUAL_RATE_HZ) for name, model in models.items() if model is not None]
