"""Normal recordings for detectors that train a network on log-mel: the frames to train on, and the network's results on held-out frames."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import groupby, pairwise

import numpy as np
from numpy.typing import NDArray

from calibrate.embeddings import Recording, heard_blocks
from calibrate.fitters.fitter import FittedDetector
from calibrate.fitters.trained import Trained, judged
from calibrate.held_out import HeldOut
from calibrate.workers_here import WorkersHere
from edge.console.progress import progress
from edge.detectors.detector import Detector
from edge.errors import AudioError, UserError
from edge.features.any_backbone import AnyBackbone
from edge.features.feature_stream import CONTEXT_FRAMES
from edge.features.frontend import BLOCK_FRAMES, CELL_FRAMES, CELL_MELS, DCASE, mels_below
from edge.judgement.heads import Mode

Float16 = NDArray[np.float16]
Float32 = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Stretch:
    """An unbroken stretch of a recording, as detectors are shown it."""

    recording: int
    first_cell: int  # of the recording
    frames: Float16  # (frame, mel) dB, level-normalised, a whole number of cells; halves, so that hours fit into memory


class NormalSound:
    """Normal recordings, split for one training."""

    def __init__(self, recordings: list[Recording], backbone: AnyBackbone, bandwidth_hz: float) -> None:
        """Hears all recordings; those that hold no sound are left out. AudioError when that is all of them."""
        stretches = stretches_of(recordings, backbone, bandwidth_hz)
        if not stretches:
            raise AudioError("recordings", "hold no sound")
        self._heard = sorted({stretch.recording for stretch in stretches})
        self.recordings = [recordings[index] for index in self._heard]
        self.stretches = [replace(stretch, recording=self._heard.index(stretch.recording)) for stretch in stretches]
        self._held_out = HeldOut(self.recordings)
        self.bands = mels_below(backbone.front_end, bandwidth_hz) // CELL_MELS
        self._backbone = backbone
        self._bandwidth_hz = bandwidth_hz

    def learned(self) -> list[Float16]:
        """What a training may use: runs of frames, each (frame, mel) dB, of all folds but the one held out.

        Raises
        ------
        AudioError : that is nothing
        """
        runs = []
        for stretch in self.stretches:
            cells = len(stretch.frames) // CELL_FRAMES
            held_out = [self._held_out.has(stretch.recording, stretch.first_cell + cell) for cell in range(cells)]
            bounds = [0, *(np.flatnonzero(np.diff(held_out)) + 1).tolist(), cells]
            runs += [
                stretch.frames[first * CELL_FRAMES : last * CELL_FRAMES]
                for first, last in pairwise(bounds)
                if last > first and not held_out[first]
            ]
        if not runs:
            raise AudioError("recordings", "hold too little sound to train on and to hold some back for the threshold; record more")
        return runs

    def fitted(
        self,
        kind: type[Detector],
        feature: str,
        blobs: Mapping[str, bytes],
        mode: Mode,
        least: float = 0.0,
        workers: WorkersHere | None = None,
    ) -> FittedDetector:
        """Score the fold that is held out by a detector with these networks; see `judged`."""
        trained = Trained(kind, feature, self.recordings, self._held_out, blobs, {})
        fitted = judged(trained, self._backbone, self._bandwidth_hz, mode, least, workers)
        return replace(fitted, averages={self._heard[index]: own for index, own in fitted.averages.items()})


def require_log_mel_16k(detector: str, backbone: AnyBackbone) -> None:
    """UserError when a backbone is not the plain log-mel that a detector was published with."""
    if backbone.front_end != DCASE or backbone.has_network:
        raise UserError(f"--backbone {backbone.name}", f"is not what {detector} takes; use logmel-16k")


def stretches_of(recordings: list[Recording], backbone: AnyBackbone, bandwidth_hz: float) -> list[Stretch]:
    """What recordings sound like to a detector, in their order."""
    found = []
    for index, recording in enumerate(progress(recordings, label="listening")):
        for _, stretch in groupby(heard_blocks(recording, backbone, bandwidth_hz), key=lambda heard: heard.segment):
            blocks: list[Float16] = []
            for heard in stretch:
                if 0 <= heard.block.first_cell < heard.cells:
                    blocks.append(heard.block.log_mel[CONTEXT_FRAMES : CONTEXT_FRAMES + BLOCK_FRAMES].astype(np.float16))
            if blocks:  # the last of them ends with a mirror image
                frames = np.concatenate(blocks)[: heard.cells * CELL_FRAMES]
                found.append(Stretch(index, heard.base_cell, frames))
    return found
