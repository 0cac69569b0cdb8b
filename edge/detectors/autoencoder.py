"""The baseline of DCASE 2020 Task 2 for endless sound (Koizumi et al. 2020, section 4.1): a dense autoencoder of five stacked frames.

Sound that is put together as normal sound is comes back as it was; the error is how far it is from that. As published, the error of a stack
is the mean of its squared differences. Here each frame and mel band keeps its own error, the mean over the five stacks that hold it, so the
map tells where; its mean is that of the stacks. Calibrated by calibrate/fitters/autoencoder.py.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from edge.detectors.detector import DetectorStream, Deviation, Parts, real_cells
from edge.detectors.loudness import Loudness, LoudnessStream
from edge.detectors.network import Network
from edge.detectors.standard import Standard
from edge.features.feature_stream import CONTEXT_FRAMES, FeatureBlock
from edge.features.frontend import BLOCK_FRAMES, CELL_FRAMES, CELL_MELS

Float32 = NDArray[np.float32]

AUTOENCODER = "autoencoder"  # the feature
MEMBER = "autoencoder.onnx"
STACKED = 5  # frames
# A cell's first frame is the last of a stack that began four frames before it, and its last frame the first of one that ends four after it:
# a cell waits for the next one, and a block of results needs two cells from before.
LAG_CELLS = 1
FRAMES = BLOCK_FRAMES + 2 * CELL_FRAMES
STACKS = FRAMES - STACKED + 1


class Autoencoder:
    """A fitted autoencoder: its network, and the mean and deviation of normal errors."""

    lag_blocks = 1

    def __init__(self, parts: Parts) -> None:
        """`parts` hold `autoencoder.onnx`, what a `Standard` of the errors needs and what a `Loudness` takes.

        Raises KeyError, ValueError or BundleError when they do not belong together.
        """
        self.bands = parts.bands
        self._standard = Standard(AUTOENCODER, parts.arrays[AUTOENCODER], self.bands)
        self._loudness = Loudness(parts.arrays, self.bands)
        self.features: Mapping[str, int] = {AUTOENCODER: self.bands, **self._loudness.features}
        shape = (STACKS, STACKED * self.bands * CELL_MELS)
        self._network = Network(parts, MEMBER, shape, shape)

    @classmethod
    def load(cls, parts: Parts) -> Autoencoder:
        """Make one of a bundle's parts; see `Detector.load`."""
        return cls(parts)

    def stream(self) -> AutoencoderStream:
        """Start a segment."""
        return AutoencoderStream(self)

    def errors(self, frames: Float32) -> Float32:
        """The squared errors of eight cells, shape = (8, band) dB^2, of their frames and a cell's more on each side, (40, mel) dB.

        Only bands that carry sound are among the mels, and in the result.
        """
        stacks = stacked(frames)
        difference = self._network(stacks) - stacks
        return over_cells(over_stacks(np.square(difference).reshape(STACKS, STACKED, -1)))

    def loudness(self) -> LoudnessStream:
        """The loudness of a new segment, of the cells that the errors are about."""
        return self._loudness.stream(LAG_CELLS)

    def deviation(self, first_cell: int, errors: Float32) -> Deviation:
        """How far errors, shape = (time, band), are from normal ones."""
        return self._standard.deviation(first_cell, errors)


class AutoencoderStream(DetectorStream):
    """The autoencoder's state for one segment."""

    def __init__(self, detector: Autoencoder) -> None:
        self._detector = detector
        self._mels = detector.bands * CELL_MELS
        self._frames = np.zeros((FRAMES, self._mels), np.float32)  # (frame, mel) dB
        self._loudness = detector.loudness()

    def push(self, block: FeatureBlock, cells: int) -> list[Deviation]:
        """Judge the cells `block.first_cell - 1 ... block.first_cell + 6`; see `DetectorStream.push`."""
        self._frames[:-BLOCK_FRAMES] = self._frames[BLOCK_FRAMES:]
        self._frames[-BLOCK_FRAMES:] = block.log_mel[CONTEXT_FRAMES : CONTEXT_FRAMES + BLOCK_FRAMES, : self._mels]
        self._loudness.push(block)
        real = real_cells(block.first_cell - LAG_CELLS, cells)
        if real.stop == real.start:
            return []
        first_cell = block.first_cell - LAG_CELLS + real.start
        own = self._detector.deviation(first_cell, self._detector.errors(self._frames)[real])
        return [own, *self._loudness.deviations(first_cell, len(own.values))]


def stacked(frames: Float32) -> Float32:
    """Every five neighbouring frames of (frame, mel) as one row, shape = (frames - 4, 5 mel): the earliest first."""
    windows = np.lib.stride_tricks.sliding_window_view(frames, STACKED, axis=0)  # (stack, mel, frame of the stack)
    return np.ascontiguousarray(windows.transpose(0, 2, 1)).reshape(len(windows), -1)


def over_stacks(errors: Float32) -> Float32:
    """The mean over the five stacks that hold a frame, shape = (stacks - 4, mel), of (stack, frame of the stack, mel).

    The four first and four last frames, which fewer stacks hold, are left out.
    """
    last = STACKED - 1
    held = [errors[last - place : len(errors) - place, place] for place in range(STACKED)]
    means: Float32 = np.mean(held, axis=0, dtype=np.float32)
    return means


def over_cells(errors: Float32) -> Float32:
    """The mean of each cell, shape = (frames / 4, mels / 4), of (frame, mel)."""
    frames, mels = errors.shape
    cells = errors.reshape(frames // CELL_FRAMES, CELL_FRAMES, mels // CELL_MELS, CELL_MELS)
    means: Float32 = cells.mean(axis=(1, 3), dtype=np.float32)
    return means
