"""The discrete autoencoder (AudDSR, section 3.1 and figure 1): a spectrogram as two layers of codes, and reconstructed from them.

    x -> encoder 1 -> f_1 -----------------------------(+)-> VQ_2 -> Q_2 -(+)-> general decoder 2 -> x_out
                       └-> encoder 2 -> f_2 -> VQ_1 -> Q_1 -> decoder 1 -> f_U    └- Q_1, upsampled

Q_1 has one code for 8 frames x 8 mels, Q_2 for 4 x 4: a cell. (Section 3.1 says that f_1 is quantized to Q_1; equation 1 and the way of the
arrows say f_2.) Nothing in it reaches far in time: see REACH_FRAMES in export/auddsr/network.py.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn

from export.auddsr.codebook import Codebook


class Residual(nn.Module):
    """A 3x3 and a 1x1 convolution beside the direct way."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.ReLU(), nn.Conv2d(channels, channels // 2, 3, padding=1), nn.ReLU(), nn.Conv2d(channels // 2, channels, 1)
        )

    def forward(self, x: Tensor) -> Tensor:
        """The same shape."""
        return x + cast(Tensor, self.layers(x))


class Decoder(nn.Module):
    """Draws a spectrogram, (excerpt, 1, time, mel), from Q_1 and Q_2."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(2 * channels, channels, 3, padding=1),
            Residual(channels),
            nn.ReLU(),
            nn.ConvTranspose2d(channels, channels // 2, 4, stride=2, padding=1),
            nn.ReLU(),
            nn.ConvTranspose2d(channels // 2, 1, 4, stride=2, padding=1),
        )

    def forward(self, q1: Tensor, q2: Tensor) -> Tensor:
        """Q_1 is upsampled to the places of Q_2."""
        raised = nn.functional.interpolate(q1, scale_factor=2.0, mode="bilinear", align_corners=False)
        return cast(Tensor, self.layers(torch.cat([raised, q2], dim=1)))


class DiscreteAutoencoder(nn.Module):
    """Both encoders, both codebooks and the general decoders."""

    def __init__(self, channels: int, codes: int) -> None:
        super().__init__()
        self.encoder1 = nn.Sequential(
            nn.Conv2d(1, channels // 2, 4, stride=2, padding=1),
            nn.ReLU(),
            nn.Conv2d(channels // 2, channels, 4, stride=2, padding=1),
            Residual(channels),
            Residual(channels),
        )
        self.encoder2 = nn.Sequential(
            nn.ReLU(), nn.Conv2d(channels, channels, 4, stride=2, padding=1), Residual(channels), nn.Conv2d(channels, channels, 1)
        )
        self.codebook1, self.codebook2 = Codebook(codes, channels), Codebook(codes, channels)
        self.decoder1 = nn.Sequential(Residual(channels), nn.ReLU(), nn.ConvTranspose2d(channels, channels, 4, stride=2, padding=1))
        self.joined = nn.Conv2d(2 * channels, channels, 1)
        self.decoder2 = Decoder(channels)

    def features1(self, spectrogram: Tensor) -> tuple[Tensor, Tensor]:
        """f_1, one place for 4 x 4, and f_2, one for 8 x 8, of (excerpt, 1, time, mel)."""
        f1 = self.encoder1(spectrogram)
        return f1, self.encoder2(f1)

    def features2(self, f1: Tensor, q1: Tensor) -> Tensor:
        """The input of VQ_2: f_1 together with Q_1."""
        return cast(Tensor, self.joined(torch.cat([self.decoder1(q1), f1], dim=1)))

    def codes(self, spectrogram: Tensor) -> tuple[Tensor, Tensor]:
        """The codes of Q_1 and Q_2, (excerpt, time / 8, mel / 8) and (excerpt, time / 4, mel / 4)."""
        f1, f2 = self.features1(spectrogram)
        codes1 = self.codebook1.nearest(f2)
        return codes1, self.codebook2.nearest(self.features2(f1, self.codebook1.told(codes1)))
