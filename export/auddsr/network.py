"""The networks of AudDSR's second stage, and all of them as one (section 3.2 and figure 2).

    x -> codes -> Q_1, Q_2 -> general decoder -----------------------------------> X_G -(+)-> anomaly detection module -> map
                     └-> subspace restriction -> object-specific decoder -> X_S ----------┘

The paper follows DSR (Zavrtanik et al. 2022); here are three differences, of which sound without end asks for two. Batch norms stand where
DSR normalises each picture by itself: that would need the whole clip. The networks look far along frequency, but in time no further than
REACH_FRAMES. And as convolutions do not know where in the spectrum they are, the subspace restriction is told by a learned vector for every
band.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn

from edge.detectors.auddsr import CHUNK_CELLS, CONTEXT_CELLS
from edge.features.frontend import CELL_FRAMES, CELL_MELS
from export.auddsr.codebook import Codebook
from export.auddsr.discrete_autoencoder import Decoder, DiscreteAutoencoder

REACH_FRAMES = 96  # no value of a map depends on frames further away than that
USUAL_ODDS = -3.0  # logarithm of the odds of a fault, before anything was learned (as in the paper of the focal loss, section 3.3)


def convolved(inputs: int, outputs: int, kernel: tuple[int, int] = (3, 3)) -> nn.Sequential:
    """A convolution of (time, mel) that keeps the shape, a batch norm and a rectifier."""
    padding = (kernel[0] // 2, kernel[1] // 2)
    return nn.Sequential(nn.Conv2d(inputs, outputs, kernel, padding=padding, bias=False), nn.BatchNorm2d(outputs), nn.ReLU())


class SubspaceRestriction(nn.Module):
    """Turns quantized features that may be disturbed into those that normal sound would have; what comes out is quantized again.

    Places are pooled along frequency only.
    """

    def __init__(self, channels: int, bands: int) -> None:
        super().__init__()
        self.band = nn.Parameter(torch.zeros(1, channels, 1, bands))
        self.fine = convolved(channels, channels)
        self.coarse = nn.Sequential(nn.MaxPool2d((1, 4)), convolved(channels, channels), nn.Upsample(scale_factor=(1, 4), mode="nearest"))
        self.restored = nn.Sequential(convolved(2 * channels, channels, (1, 3)), nn.Conv2d(channels, channels, 1))

    def forward(self, quantized: Tensor) -> Tensor:
        """Features of the same shape."""
        fine = self.fine(quantized + self.band)
        return cast(Tensor, self.restored(torch.cat([fine, self.coarse(fine)], dim=1)))


class ObjectDecoder(nn.Module):
    """The object-specific decoder: draws what the machine would sound like if it were well."""

    def __init__(self, channels: int, mels: int) -> None:
        super().__init__()
        self.restriction1 = SubspaceRestriction(channels, mels // 8)
        self.restriction2 = SubspaceRestriction(channels, mels // 4)
        self.decoder = Decoder(channels)

    def forward(self, q1: Tensor, q2: Tensor, codebook1: Codebook, codebook2: Codebook) -> tuple[Tensor, Tensor, Tensor]:
        """X_S, and the restored features before they were quantized."""
        restored1, restored2 = self.restriction1(q1), self.restriction2(q2)
        return self.decoder(codebook1.quantized(restored1), codebook2.quantized(restored2)), restored1, restored2


class AnomalyDetection(nn.Module):
    """A U-Net (Ronneberger et al. 2015) over X_G and X_S; its two deepest levels are pooled along frequency only.

    It is shown their difference as well, which it would have to find out by itself otherwise: that is most of what a short training does.
    """

    def __init__(self, channels: int) -> None:
        """A quarter of `channels` in the first level, and as many in the deepest."""
        super().__init__()
        width = channels // 4
        widths = (width, 2 * width, 4 * width, 4 * width)
        self.pool, self.pools = nn.functional.max_pool2d, ((2, 2), (1, 2), (1, 2))  # (time, mel)
        self.down = nn.ModuleList(
            nn.Sequential(convolved(inputs, outputs), convolved(outputs, outputs))
            for inputs, outputs in zip((3, *widths[:-1]), widths, strict=True)
        )
        self.up = nn.ModuleList(convolved(widths[level + 1] + widths[level], widths[level]) for level in (2, 1, 0))
        self.mask = nn.Conv2d(width, 1, 1)
        nn.init.constant_(self.mask.bias, USUAL_ODDS)  # type: ignore[arg-type]  # it has one

    def forward(self, general: Tensor, specific: Tensor) -> Tensor:
        """The logarithm of the odds that a place is part of a fault, (excerpt, 1, time, mel), of X_G and X_S of that shape."""
        x = torch.cat([general, specific, torch.abs(general - specific)], dim=1)
        passed = []
        for level, down in enumerate(self.down):
            x = down(self.pool(x, self.pools[level - 1]) if level else x)
            passed.append(x)
        for level, up in zip((2, 1, 0), self.up, strict=True):
            pool = (float(self.pools[level][0]), float(self.pools[level][1]))
            raised = nn.functional.interpolate(x, scale_factor=pool, mode="nearest")
            x = up(torch.cat([raised, passed[level]], dim=1))
        return cast(Tensor, self.mask(x))


def drawn_twice(autoencoder: DiscreteAutoencoder, decoder: ObjectDecoder, spectrogram: Tensor) -> tuple[Tensor, Tensor]:
    """X_G and X_S of a scaled spectrogram, each (excerpt, 1, time, mel)."""
    codebook1, codebook2 = autoencoder.codebook1, autoencoder.codebook2
    codes1, codes2 = autoencoder.codes(spectrogram)
    q1, q2 = codebook1.told(codes1), codebook2.told(codes2)
    return autoencoder.decoder2(q1, q2), decoder(q1, q2, codebook1, codebook2)[0]


class AudDsrNetwork(nn.Module):
    """All of it, as edge/detectors/auddsr.py runs it: log-mel of a chunk and its context in, the map of the chunk out."""

    def __init__(
        self, autoencoder: DiscreteAutoencoder, decoder: ObjectDecoder, detection: AnomalyDetection, scale: tuple[float, float]
    ) -> None:
        """`scale` is the mean and the deviation of log-mel, in dB, that the networks see as 0 and 1."""
        super().__init__()
        self.autoencoder, self.decoder, self.detection = autoencoder, decoder, detection
        self.mean_db, self.deviation_db = scale

    def cells(self, log_mel: Tensor) -> Tensor:
        """The mean of the map over each cell, (time / 4, mel / 4) in 0 .. 1, of (time, mel) dB."""
        general, specific = drawn_twice(self.autoencoder, self.decoder, ((log_mel - self.mean_db) / self.deviation_db)[None, None])
        likely = torch.sigmoid(self.detection(general, specific))
        return nn.functional.avg_pool2d(likely, (CELL_FRAMES, CELL_MELS))[0, 0]

    def forward(self, log_mel: Tensor) -> Tensor:
        """The chunk in the middle, (16, mel / 4), of (256, mel) dB."""
        return self.cells(log_mel)[CONTEXT_CELLS : CONTEXT_CELLS + CHUNK_CELLS]
