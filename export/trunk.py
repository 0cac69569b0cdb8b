"""CNN14's first four blocks as plain arrays: what the streaming graph is built from, with every batch norm folded in.

Source: Kong et al., "PANNs: Large-Scale Pretrained Audio Neural Networks for Audio Pattern Recognition" (2020), table I, CNN14.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Float32Array = NDArray[np.float32]
Precision = Literal["fp32", "int8"]
Parameters = Mapping[str, NDArray[np.generic]]  # named as in PANNs' checkpoints

MEL_BANDS = 64
BLOCK_CHANNELS = (64, 128, 256, 512)
CONVS_PER_BLOCK = 2
KERNEL = 3
POOL = 2
FIRST_OUTPUT_BLOCK = 2  # detectors use blocks 2, 3 and 4
BATCH_NORM_EPSILON = 1e-5
FRAMES_PER_STEP = POOL ** len(BLOCK_CHANNELS)  # a call takes a multiple of this many frames: four pools of two


@dataclass(frozen=True, slots=True)
class FoldedConv:
    """One 3x3 convolution with its batch norm folded in; a ReLU follows it."""

    name: str  # "block2_conv1"
    weight: Float32Array  # (channel out, channel in, 3 time, 3 mel) float32
    bias: Float32Array  # (channel out,) float32


@dataclass(frozen=True, slots=True)
class FoldedTrunk:
    """Blocks 1-4 of CNN14: an affine over mel (bn0), then eight convolutions, a 2x2 average pool after every second one."""

    mel_scale: Float32Array  # (mel,) float32
    mel_offset: Float32Array  # (mel,) float32
    convs: tuple[FoldedConv, ...]

    @property
    def blocks(self) -> tuple[tuple[FoldedConv, ...], ...]:
        """The convolutions, two by two."""
        return tuple(self.convs[i : i + CONVS_PER_BLOCK] for i in range(0, len(self.convs), CONVS_PER_BLOCK))


def trunk_shapes(blocks: int = len(BLOCK_CHANNELS)) -> dict[str, tuple[int, ...]]:
    """Names and shapes of the parameters of bn0 and the first `blocks` blocks, as PANNs' checkpoints name them."""
    shapes = _batch_norm_shapes("bn0", MEL_BANDS)
    channels_in = 1
    for block in range(1, blocks + 1):
        channels_out = BLOCK_CHANNELS[0] * 2 ** (block - 1)
        name = f"conv_block{block}"
        shapes[f"{name}.conv1.weight"] = (channels_out, channels_in, KERNEL, KERNEL)
        shapes[f"{name}.conv2.weight"] = (channels_out, channels_out, KERNEL, KERNEL)
        for index in range(1, CONVS_PER_BLOCK + 1):
            shapes |= _batch_norm_shapes(f"{name}.bn{index}", channels_out)
        channels_in = channels_out
    return shapes


def fold(parameters: Parameters) -> FoldedTrunk:
    """Fold the batch norms of a CNN14 (parameters named as in PANNs) into its convolutions.

    bn0 stands before a zero-padded convolution, so it stays an affine of its own: folding it in would change the padding's value.
    """
    mel_scale, mel_offset = _affine(parameters, "bn0")
    convs = []
    for block in range(1, len(BLOCK_CHANNELS) + 1):
        for index in range(1, CONVS_PER_BLOCK + 1):
            scale, offset = _affine(parameters, f"conv_block{block}.bn{index}")
            weight = np.asarray(parameters[f"conv_block{block}.conv{index}.weight"], np.float64) * scale[:, None, None, None]
            convs.append(FoldedConv(f"block{block}_conv{index}", weight.astype(np.float32), offset.astype(np.float32)))
    return FoldedTrunk(mel_scale.astype(np.float32), mel_offset.astype(np.float32), tuple(convs))


def _batch_norm_shapes(name: str, channels: int) -> dict[str, tuple[int, ...]]:
    vectors = ("weight", "bias", "running_mean", "running_var")
    return {f"{name}.{vector}": (channels,) for vector in vectors} | {f"{name}.num_batches_tracked": ()}


def _affine(parameters: Parameters, name: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return scale and offset of a batch norm at inference: y = scale * x + offset."""
    weight, bias, mean, variance = (
        np.asarray(parameters[f"{name}.{v}"], np.float64) for v in ("weight", "bias", "running_mean", "running_var")
    )
    scale = weight / np.sqrt(variance + BATCH_NORM_EPSILON)
    return scale, bias - mean * scale
