"""AudDSR for endless sound (Zavrtanik et al., "Anomalous Sound Detection by Feature-Level Anomaly Simulation").

A spectrogram is told in codes, and drawn again twice: as it is, and as it would be if the machine were well. A network that has seen
simulated faults only says where the two differ in the way of a fault (calibrate/fitters/auddsr.py, export/auddsr/). The score of a clip is
the mean of that map.

The network sees a chunk of 64 frames with 96 frames of context on each side; the context is more than its reach, so a chunk's result is
what it would be if all were seen. Chunks lie on a grid that starts with the segment, and before its first frame there is its mirror image.
So the result does not depend on how the sound came in. A cell waits for the end of its chunk and for the context: 2.05 + 3.07 s at most.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from edge.detectors.detector import DetectorStream, Deviation, Parts
from edge.detectors.loudness import Loudness, LoudnessStream
from edge.detectors.network import Network
from edge.detectors.standard import Standard
from edge.features.feature_stream import CONTEXT_FRAMES as SHOWN_FRAMES
from edge.features.feature_stream import FeatureBlock
from edge.features.frontend import BLOCK_CELLS, BLOCK_FRAMES

Float32 = NDArray[np.float32]

AUDDSR = "auddsr"  # the feature
MEMBER = "auddsr.onnx"
CHUNK_BLOCKS, CONTEXT_BLOCKS = 2, 3
CHUNK_CELLS = CHUNK_BLOCKS * BLOCK_CELLS
CONTEXT_CELLS = CONTEXT_BLOCKS * BLOCK_CELLS
CONTEXT_FRAMES = CONTEXT_BLOCKS * BLOCK_FRAMES
SEEN_BLOCKS = CHUNK_BLOCKS + 2 * CONTEXT_BLOCKS
SEEN_FRAMES = SEEN_BLOCKS * BLOCK_FRAMES  # 256
LAG_CELLS = (CHUNK_BLOCKS - 1 + CONTEXT_BLOCKS) * BLOCK_CELLS  # the first of a chunk


class AudDsr:
    """A fitted AudDSR: its networks as one, and the mean and deviation of its map of normal sound."""

    lag_blocks = CHUNK_BLOCKS - 1 + CONTEXT_BLOCKS

    def __init__(self, parts: Parts) -> None:
        """`parts` hold `auddsr.onnx`, what a `Standard` of its map needs and what a `Loudness` takes.

        Raises KeyError, ValueError or BundleError when they do not belong together.
        """
        self.bands = parts.bands
        self._standard = Standard(AUDDSR, parts.arrays[AUDDSR], self.bands)
        self._loudness = Loudness(parts.arrays, self.bands)
        self.features: Mapping[str, int] = {AUDDSR: self.bands, **self._loudness.features}
        self.mels = parts.front_end.mel_bands
        self._network = Network(parts, MEMBER, (SEEN_FRAMES, self.mels), (CHUNK_CELLS, parts.front_end.bands))

    @classmethod
    def load(cls, parts: Parts) -> AudDsr:
        """Make one of a bundle's parts; see `Detector.load`."""
        return cls(parts)

    def stream(self) -> AudDsrStream:
        """Start a segment."""
        return AudDsrStream(self)

    def anomalies(self, frames: Float32) -> Float32:
        """How likely each cell of a chunk is a fault, shape = (16, band) in 0 .. 1, from the chunk with its context, (256, mel) dB."""
        return self._network(frames)[:, : self.bands]

    def loudness(self) -> LoudnessStream:
        """The loudness of a new segment, of the cells of a chunk."""
        return self._loudness.stream(LAG_CELLS)

    def deviation(self, first_cell: int, anomalies: Float32) -> Deviation:
        """How far the map, shape = (time, band), is from that of normal sound."""
        return self._standard.deviation(first_cell, anomalies)


class AudDsrStream(DetectorStream):
    """AudDSR's state for one segment."""

    def __init__(self, detector: AudDsr) -> None:
        self._detector = detector
        self._frames = np.zeros((SEEN_FRAMES, detector.mels), np.float32)  # (frame, mel) dB, the latest last
        self._loudness = detector.loudness()

    def push(self, block: FeatureBlock, cells: int) -> list[Deviation]:
        """Take one block; judge the chunk whose context it completes, if there is one. See `DetectorStream.push`."""
        if block.first_cell < 0:  # the mirror is made here: one block of it is too little
            return []
        self._frames[:-BLOCK_FRAMES] = self._frames[BLOCK_FRAMES:]
        self._frames[-BLOCK_FRAMES:] = block.log_mel[SHOWN_FRAMES : SHOWN_FRAMES + BLOCK_FRAMES]
        self._loudness.push(block)
        first_cell = block.first_cell - LAG_CELLS
        if first_cell < 0 or first_cell % CHUNK_CELLS or first_cell >= cells:
            return []
        if first_cell == 0:
            self._frames[:CONTEXT_FRAMES] = self._frames[2 * CONTEXT_FRAMES : CONTEXT_FRAMES : -1]
        judged = min(CHUNK_CELLS, cells - first_cell)
        own = self._detector.deviation(first_cell, self._detector.anomalies(self._frames)[:judged])
        return [own, *self._loudness.deviations(first_cell, judged)]
