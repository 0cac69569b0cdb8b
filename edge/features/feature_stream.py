"""Audio in, level-normalised features out, cell by cell: the part that every detector and the calibration share."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from edge.features.backbone import Features
from edge.features.frontend import BLOCK_CELLS, BLOCK_FRAMES, CELL_FRAMES, FrontEnd, mels_below
from edge.features.level import PRIMING_BLOCKS, LevelTracker
from edge.features.logmel import LogMel
from edge.features.low_bands import LowBands
from edge.stopwatch import Stopwatch

Float32 = NDArray[np.float32]

CONTEXT_FRAMES = 2  # log-mel frames that a block shows beyond its own, on each side
NO_LOW = np.zeros(0, np.float32)  # bands
BACKBONE_LAG_BLOCKS = 1  # mirrored blocks after the end that push out what the backbone holds; the detector's lag comes on top


@dataclass(frozen=True, slots=True)
class FeatureBlock:
    """All that is known of 8 cells (32 frames) of a segment. The arrays are views that the next block overwrites."""

    first_cell: int  # of the segment; negative while the stream is primed, past the end while it is flushed
    log_mel: Float32  # (2 + 32 + 2, mel) float32 dB, level-normalised
    level_db: Float32  # (8,) float32, absolute
    features: Features
    # (32, mel) float32 dB: the frames after its own, which the backbone was pushed last. A second network that is pushed these, and the
    # 32 frames of the segment's first block before all else, is at the same cells as the backbone.
    ahead: Float32 = field(default_factory=lambda: np.zeros((0, 0), np.float32))
    sound_db: Float32 = field(default_factory=lambda: np.zeros((0, 0), np.float32))  # (32, mel) float32 dB, its own frames, absolute
    low_db: Float32 = field(default_factory=lambda: np.zeros(0, np.float32))  # (band,) float32 dB; empty where the block is cut off


class FeatureSourceStream(Protocol):
    """The backbone's state for one segment."""

    def push(self, log_mel: Float32) -> Features:
        """See `BackboneStream.push`."""
        ...


class FeatureSource(Protocol):
    """Turns log-mel into features: a `Backbone`, or a replacement for one."""

    front_end: FrontEnd

    def stream(self) -> FeatureSourceStream:
        """Start a segment."""
        ...


class FrameSource(Protocol):
    """What turns what is pushed into blocks of log-mel frames: a `LogMel`, or what has the frames already."""

    def push(self, samples: Float32) -> list[Float32]:
        """See `LogMel.push`."""
        ...

    def finish(self) -> Float32:
        """See `LogMel.finish`."""
        ...


class FeatureStream:
    """One unbroken segment of audio on its way through front end, level and backbone.

    The start is primed and the end flushed with mirrored frames, the same way for files and live audio, so a file's
    features do not depend on who computes them. Lag: one block, plus about a second at the start until the level is known. A detector that
    waits for later cells declares so (`Detector.lag_blocks`), and the end is flushed by as much.
    """

    def __init__(
        self,
        backbone: FeatureSource,
        bandwidth_hz: float,
        stopwatch: Stopwatch | None = None,
        lag_blocks: int = 1,
        frames: FrameSource | None = None,
    ) -> None:
        """`lag_blocks` is the detector's; `frames` makes log-mel of what is pushed, `LogMel` if None."""
        self.front_end = backbone.front_end
        self._flush_frames = (BACKBONE_LAG_BLOCKS + lag_blocks) * BLOCK_FRAMES
        self.mels = mels_below(self.front_end, bandwidth_hz)
        self._log_mel: FrameSource = frames or LogMel(self.front_end)
        self._backbone = backbone.stream()
        self._stopwatch = stopwatch or Stopwatch()
        self._low = LowBands(self.front_end) if frames is None else None  # frames that were never sound have no finer bands
        self._lows: deque[Float32] = deque()  # of blocks whose log-mel is to come
        self._held: list[Float32] = []  # blocks that wait until the level is known
        self._level: LevelTracker | None = None
        self._last = np.zeros((0, self.front_end.mel_bands), np.float32)  # (frames, mel) the latest two blocks, for the mirror
        self._recent = np.zeros((CONTEXT_FRAMES + 2 * BLOCK_FRAMES, self.front_end.mel_bands), np.float32)  # (frame, mel) dB
        self._levels_db = np.zeros(2 * BLOCK_CELLS, np.float32)  # (cell,)
        self._sound = (self._last, NO_LOW)  # frames and low bands of the latest block, absolute
        self._frames = 0  # real frames so far
        self._next_cell = -2 * BLOCK_CELLS  # of the features that the next step returns: one block of mirror, one of lag

    def push(self, samples: Float32) -> Iterator[FeatureBlock]:
        """Take samples at the front end's rate, shape = (n,) float32; yield completed blocks, each to be used before the next."""
        with self._stopwatch.stage("log_mel"):
            blocks = self._log_mel.push(samples)
            self._lows.extend(self._low.push(samples) if self._low else [])
        for block in blocks:
            self._frames += BLOCK_FRAMES
            yield from self._take(block)

    def finish(self) -> Iterator[FeatureBlock]:
        """End the segment: yield what the lag still held. Cells from `cells` on are mirror images and do not count."""
        rest = self._log_mel.finish()
        self._frames += len(rest)
        known = np.concatenate([self._last, rest])
        if len(known) < 2:
            return
        missing = -len(rest) % BLOCK_FRAMES + self._flush_frames
        flushed = np.pad(known, ((0, missing), (0, 0)), mode="reflect")[len(self._last) :]
        if self._level is None:
            self._held += [flushed[b : b + BLOCK_FRAMES] for b in range(0, len(flushed), BLOCK_FRAMES)]
            yield from self._prime(np.concatenate(self._held)[: self._frames])
            return
        for start in range(0, len(flushed), BLOCK_FRAMES):
            yield from self._step(flushed[start : start + BLOCK_FRAMES])

    @property
    def cells(self) -> int:
        """Whole cells of real sound so far."""
        return self._frames // CELL_FRAMES

    def _take(self, block: Float32) -> Iterator[FeatureBlock]:
        self._last = np.concatenate([self._last, block])[-2 * BLOCK_FRAMES :]
        if self._level is not None:
            yield from self._step(block)
            return
        self._held.append(block)
        if len(self._held) == PRIMING_BLOCKS:
            yield from self._prime(np.concatenate(self._held))

    def _prime(self, heard: Float32) -> Iterator[FeatureBlock]:
        """Start with the level of what was heard so far and its mirror image, then catch up."""
        self._level = LevelTracker(self.front_end, self.mels, heard)
        mirror = np.pad(heard, ((BLOCK_FRAMES, 0), (0, 0)), mode="reflect")[:BLOCK_FRAMES]
        for block in [mirror, *self._held]:
            yield from self._step(block)
        self._held.clear()

    def _step(self, block: Float32) -> Iterator[FeatureBlock]:
        assert self._level is not None
        with self._stopwatch.stage("level"):
            normalised, levels_db = self._level.push(block)
            self._recent[: CONTEXT_FRAMES + BLOCK_FRAMES] = self._recent[BLOCK_FRAMES:]
            self._recent[CONTEXT_FRAMES + BLOCK_FRAMES :] = normalised
            self._levels_db[:BLOCK_CELLS] = self._levels_db[BLOCK_CELLS:]
            self._levels_db[BLOCK_CELLS:] = levels_db
        with self._stopwatch.stage("backbone"):
            features = self._backbone.push(normalised)
        first_cell = self._next_cell
        self._next_cell += BLOCK_CELLS
        sound_db, low_db = self._sound
        is_real = first_cell >= -BLOCK_CELLS  # the block pushed now is the one after, and the first of all is the mirror
        self._sound = block, self._lows.popleft() if is_real and self._lows else NO_LOW
        if first_cell >= -BLOCK_CELLS:  # the block before the mirror is nothing but the empty state
            shown = self._recent[: BLOCK_FRAMES + 2 * CONTEXT_FRAMES]
            ahead = self._recent[CONTEXT_FRAMES + BLOCK_FRAMES :]
            yield FeatureBlock(first_cell, shown, self._levels_db[:BLOCK_CELLS], features, ahead, sound_db, low_db)
