"""The output of a block for an objective: each channel standardised, then a linear map of every cell.

The features of a block differ in size by orders of magnitude, and the largest would be all that a bare linear map learns in the time that
there is. Both steps are linear once trained, so they fold into one matrix and one offset.
"""

from __future__ import annotations

from torch import Tensor, nn

EPSILON = 1e-5


class Head(nn.Module):
    """From a block's features, (excerpt, time, mel, channel), to (excerpt, time, mel, output), both float32."""

    def __init__(self, channels: int, outputs: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(channels, EPSILON, affine=False)
        self.linear = nn.Conv2d(channels, outputs, kernel_size=1)

    def forward(self, features: Tensor) -> Tensor:
        """Read every cell."""
        read: Tensor = self.linear(self.norm(features.permute(0, 3, 1, 2)))
        return read.permute(0, 2, 3, 1)
