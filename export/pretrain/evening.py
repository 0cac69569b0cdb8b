"""After the training: every channel of every block as lively as the others.

A block's output may be scaled channel by channel, if the next convolution is scaled back: what the trunk computes stays the same. The
heads of the training did not mind the scale, but detectors compare cells by plain distance, where a channel counts by its deviation.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable

import torch
from torch import Tensor, nn

from export.cnn14 import Cnn14Trunk, ConvBlock
from export.pretrain.batches import Batch
from export.trunk import BLOCK_CHANNELS, FIRST_OUTPUT_BLOCK

MOST = 8.0  # a channel is not raised or lowered more than this against the middle one: what hardly moves is mostly noise
DEVIATION = 0.5  # afterwards, about that of a random trunk's channels


@torch.no_grad()
def evened(trunk: Cnn14Trunk, batches: Iterable[Batch]) -> Cnn14Trunk:
    """A copy of the trunk whose blocks 2-4 have channels of equal standard deviation over `batches`."""
    even = copy.deepcopy(trunk).eval()
    sums: dict[str, list[Tensor]] = {}
    for batch in batches:
        for name, block in even(batch.log_mel).items():
            cells = block.flatten(0, 2).double()  # (cell, channel)
            sums.setdefault(name, []).append(torch.stack([torch.ones_like(cells[0]) * len(cells), cells.sum(0), cells.square().sum(0)]))
    for number in range(FIRST_OUTPUT_BLOCK, len(BLOCK_CHANNELS) + 1):
        count, total, squares = torch.stack(sums[f"block{number}"]).sum(dim=0)
        deviation = (squares / count - (total / count).square()).clamp(min=0.0).sqrt()
        middle = deviation.median().clamp(min=1e-9)
        gain = (DEVIATION / deviation.clamp(middle / MOST, middle * MOST)).float()  # (channel,)
        block = _block(even, number)
        block.bn2.weight.mul_(gain)
        block.bn2.bias.mul_(gain)
        if number < len(BLOCK_CHANNELS):
            _block(even, number + 1).conv1.weight.div_(gain[None, :, None, None])
    return even


def _block(trunk: nn.Module, number: int) -> ConvBlock:
    block = trunk.get_submodule(f"conv_block{number}")
    assert isinstance(block, ConvBlock)
    return block
