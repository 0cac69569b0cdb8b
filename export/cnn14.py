"""CNN14's first four blocks in torch: the reference for every exported graph.

Source: Kong et al., "PANNs" (2020), table I. Parameter names are those of PANNs' checkpoints.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from export.trunk import BATCH_NORM_EPSILON, BLOCK_CHANNELS, FIRST_OUTPUT_BLOCK, KERNEL, MEL_BANDS, POOL, Float32Array, Parameters


class ConvBlock(nn.Module):
    """Two 3x3 convolutions, each with batch norm and ReLU, then a 2x2 average pool."""

    def __init__(self, channels_in: int, channels_out: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels_in, channels_out, KERNEL, padding=1, bias=False)
        self.conv2 = nn.Conv2d(channels_out, channels_out, KERNEL, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels_out, BATCH_NORM_EPSILON)
        self.bn2 = nn.BatchNorm2d(channels_out, BATCH_NORM_EPSILON)

    def forward(self, x: Tensor) -> Tensor:
        """From (clip, channel in, time, mel) to (clip, channel out, time / 2, mel / 2)."""
        x = functional.relu_(self.bn1(self.conv1(x)))
        x = functional.relu_(self.bn2(self.conv2(x)))
        return functional.avg_pool2d(x, POOL)


class Cnn14Trunk(nn.Module):
    """Blocks 1-4, offline: whole clips, zero-padded at all four edges."""

    def __init__(self) -> None:
        super().__init__()
        self.bn0 = nn.BatchNorm2d(MEL_BANDS, BATCH_NORM_EPSILON)
        channels = (1, *BLOCK_CHANNELS)
        for number in range(1, len(channels)):
            self.add_module(f"conv_block{number}", ConvBlock(channels[number - 1], channels[number]))
        self.eval()

    @classmethod
    def from_parameters(cls, parameters: Parameters) -> Cnn14Trunk:
        """A trunk with the given parameters, named and shaped as `trunk_shapes` says; anything else is a KeyError or RuntimeError."""
        trunk = cls()
        trunk.load_state_dict({name: torch.from_numpy(np.array(value)) for name, value in parameters.items()})
        return trunk

    def parameters_by_name(self) -> dict[str, NDArray[np.generic]]:
        """Every parameter and statistic, as `fold` takes them."""
        return {name: value.detach().cpu().numpy().copy() for name, value in self.state_dict().items()}

    def forward(self, log_mel: Tensor) -> dict[str, Tensor]:
        """From log-mel in dB, (clip, time, mel), to `block2` .. `block4`, each (clip, time, mel, channel)."""
        x = self.bn0(log_mel[:, None].transpose(1, 3)).transpose(1, 3)  # (clip, 1, time, mel)
        blocks = {}
        for number in range(1, len(BLOCK_CHANNELS) + 1):
            x = self.get_submodule(f"conv_block{number}")(x)
            if number >= FIRST_OUTPUT_BLOCK:
                blocks[f"block{number}"] = x.permute(0, 2, 3, 1)
        return blocks


def offline_blocks(parameters: Parameters, log_mel: Float32Array) -> Mapping[str, Float32Array]:
    """torch's features of one whole clip of log-mel, shape = (time, mel): `block2` .. `block4`, each (time, mel, channel) float32."""
    with torch.inference_mode():
        blocks: dict[str, Tensor] = Cnn14Trunk.from_parameters(parameters)(torch.from_numpy(log_mel)[None])
    return {name: block[0].contiguous().numpy() for name, block in blocks.items()}
