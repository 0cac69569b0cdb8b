"""The default backbone: CNN14's trunk with seeded random weights, its batch norms calibrated on synthesised machines.

Nothing in it is learned. Random convolutions over a well-scaled log-mel are a usable texture description all the same, and the batch norms
keep every layer in the range that real features have, which is what int8 needs.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from export.cnn14 import Cnn14Trunk
from export.graph import INT8_STEPS
from export.sound import Clip
from export.trunk import Float32Array, trunk_shapes

EXCERPT_FRAMES = 192  # of each clip: many machines teach a batch norm more than long ones, and all must fit in memory at once
LARGEST_BATCH = 96


def random_parameters(seed: int) -> dict[str, NDArray[Any]]:
    """He-initialised convolutions (He et al. 2015, equation 10) and batch norms that do nothing yet."""
    rng = np.random.default_rng(seed)
    parameters: dict[str, NDArray[Any]] = {}
    for name, shape in trunk_shapes().items():
        if ".conv" in name:
            parameters[name] = _on_int8_grid(rng.standard_normal(shape) * np.sqrt(2.0 / np.prod(shape[1:])))
        elif name.endswith("num_batches_tracked"):
            parameters[name] = np.array(0, np.int64)
        else:
            parameters[name] = np.full(shape, float(name.endswith((".weight", ".running_var"))), np.float32)
    return parameters


def _on_int8_grid(weight: NDArray[np.float64]) -> Float32Array:
    """The nearest weights that int8 holds exactly: any random weights serve, so take those with which int8 and fp32 are the same trunk."""
    scale = np.abs(weight).max(axis=(1, 2, 3), keepdims=True) / INT8_STEPS
    snapped: Float32Array = (np.rint(weight / scale) * scale).astype(np.float32)
    return snapped


def calibrated_random_trunk(seed: int, clips: list[Clip]) -> dict[str, NDArray[np.generic]]:
    """Random parameters whose batch norms, bn0 included, hold the statistics of `clips`."""
    trunk = Cnn14Trunk.from_parameters(random_parameters(seed))
    for module in trunk.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = 1.0  # the running statistics become those of the one batch
    trunk.train()
    with torch.no_grad():
        trunk(torch.from_numpy(_excerpts(clips)))
    return trunk.parameters_by_name()


def _excerpts(clips: list[Clip]) -> Float32Array:
    """The middle of each clip that hears all bands, shape = (clip, EXCERPT_FRAMES, mel) float32 dB."""
    chosen = [clip.log_mel for clip in clips if clip.is_full_band and len(clip.log_mel) >= EXCERPT_FRAMES][:LARGEST_BATCH]
    starts = [(len(log_mel) - EXCERPT_FRAMES) // 2 for log_mel in chosen]
    return np.stack([log_mel[start : start + EXCERPT_FRAMES] for log_mel, start in zip(chosen, starts, strict=True)])
