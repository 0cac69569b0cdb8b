"""Audio at its own rate in, features out, without the gaps: the same for the daemon, `auscult score` and calibration."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge.audio.audio_file import audio_info, read_blocks
from edge.audio.channels import Channel
from edge.audio.gaps import Gaps
from edge.audio.resampler import Resampler
from edge.features.feature_stream import FeatureBlock, FeatureSource, FeatureStream
from edge.stopwatch import Stopwatch

Float32 = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class PlacedBlock:
    """Eight cells of an unbroken stretch of sound."""

    segment: int  # counts the stretches
    base_cell: int  # absolute cell at which the stretch starts
    block: FeatureBlock
    cells: int  # of real sound in the stretch, as far as is known by now


@dataclass(frozen=True, slots=True)
class Gap:
    """There was no sound up to an absolute cell."""

    until_cell: int


class FeatureExtractor:
    """Resamples, cuts at gaps, and computes features, for one source.

    Every stretch of sound starts on a cell boundary of the stream and has states of its own, primed by its own beginning;
    what lies between a gap and the boundary counts as lost.
    """

    def __init__(
        self, source: FeatureSource, rate_hz: int, bandwidth_hz: float, stopwatch: Stopwatch | None = None, lag_blocks: int = 1
    ) -> None:
        """`lag_blocks` is that of the detector which will hear it."""
        self._source = source
        self._rate_hz = rate_hz
        self._bandwidth_hz = bandwidth_hz
        self._stopwatch = stopwatch or Stopwatch()
        self._lag_blocks = lag_blocks
        self._gaps = Gaps(rate_hz)
        self._segment = -1
        self._base_cell = 0
        self._skip_samples = 0  # native, to drop so that a stretch starts on the cell grid
        self.samples = 0  # native, pushed or lost, since the stream began
        self._start_segment()

    def push(self, samples: Float32) -> Iterator[PlacedBlock | Gap]:
        """Take mono audio at the native rate, shape = (n,) float32; digital silence and what is not a number count as lost.

        Each block is to be used before the next.
        """
        for part in self._gaps.push(samples):
            yield from self._lose(part) if isinstance(part, int) else self._hear(part)

    def lose(self, samples: int) -> Iterator[PlacedBlock | Gap]:
        """So many native samples were lost here."""
        if samples > 0:
            yield from self._hear(self._gaps.interrupt())
            yield from self._lose(samples)

    @property
    def taken_samples(self) -> int:
        """Native samples since the stream began, pushed or lost, those included of which it is not known yet whether they are a gap."""
        return self.samples + self._gaps.held

    def finish(self) -> Iterator[PlacedBlock | Gap]:
        """The stream ends."""
        yield from self._hear(self._gaps.flush())
        yield from self._end_segment()

    def _start_segment(self) -> None:
        self._segment += 1
        self._resampler = Resampler(self._rate_hz, self._source.front_end.sample_rate_hz)
        self._features = FeatureStream(self._source, self._bandwidth_hz, self._stopwatch, self._lag_blocks)
        self._is_empty = True

    def _hear(self, samples: Float32) -> Iterator[PlacedBlock]:
        self.samples += len(samples)
        if self._skip_samples:
            skipped = min(self._skip_samples, len(samples))
            self._skip_samples -= skipped
            samples = samples[skipped:]
        if len(samples):
            self._is_empty = False
            with self._stopwatch.stage("resample"):
                resampled = self._resampler.push(samples)
            yield from self._told(self._features.push(resampled))

    def _lose(self, samples: int) -> Iterator[PlacedBlock | Gap]:
        if not self._is_empty:
            yield from self._end_segment()
            self._start_segment()
        self.samples += samples
        cell_samples = self._source.front_end.cell_s * self._rate_hz  # native samples per cell, may be fractional
        self._base_cell = math.ceil(self.samples / cell_samples - 1e-9)
        self._skip_samples = round(self._base_cell * cell_samples) - self.samples
        yield Gap(self._base_cell)

    def _end_segment(self) -> Iterator[PlacedBlock]:
        yield from self._told(self._features.push(self._resampler.finish()))
        yield from self._told(self._features.finish())

    def _told(self, blocks: Iterator[FeatureBlock]) -> Iterator[PlacedBlock]:
        for block in blocks:
            yield PlacedBlock(self._segment, self._base_cell, block, self._features.cells)


def file_features(
    path: Path, channel: Channel, source: FeatureSource, bandwidth_hz: float, lag_blocks: int = 1
) -> Iterator[PlacedBlock | Gap]:
    """Extract the features of a recording, from its beginning to its end; each block is to be used before the next."""
    extractor = FeatureExtractor(source, audio_info(path).rate_hz, bandwidth_hz, lag_blocks=lag_blocks)
    for samples in read_blocks(path, channel):
        yield from extractor.push(samples)
    yield from extractor.finish()
