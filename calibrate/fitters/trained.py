"""Detectors whose network was trained on all folds but one: that fold gives the scale of normal sound, and all folds the loudness."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from calibrate.embeddings import Recording, heard_blocks
from calibrate.fitters.fitter import FittedDetector
from calibrate.fitters.loudness import fit_loudness, loudness_store
from calibrate.fitters.standard import standardise
from calibrate.held_out import HeldOut
from calibrate.workers_here import WorkersHere
from edge.console.progress import progress
from edge.detectors.detector import EXCESS, Detector, Parts
from edge.errors import AudioError
from edge.features.any_backbone import AnyBackbone
from edge.features.frontend import CELL_MELS, mels_below
from edge.judgement.heads import Mode

Float32 = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Trained:
    """What a training made, as the bundle will hold it, and what it was made from."""

    kind: type[Detector]
    feature: str  # the detector's own
    recordings: list[Recording]
    held_out: HeldOut  # of these
    blobs: Mapping[str, bytes]
    arrays: Mapping[str, Mapping[str, NDArray[np.generic]]]  # but for those of its own feature and of the loudness


def judged(
    trained: Trained, backbone: AnyBackbone, bandwidth_hz: float, mode: Mode, least: float = 0.0, workers: WorkersHere | None = None
) -> FittedDetector:
    """Fit the loudness, and standardise the detector's deviations on the held-out fold by the scale of normal sound.

    Parameters
    ----------
    least : what a deviation of the detector's own feature is at the least.

    Raises
    ------
    AudioError
        When nothing was heard in that fold.
    """
    bands = mels_below(backbone.front_end, bandwidth_hz) // CELL_MELS
    store = loudness_store(trained.recordings, backbone.front_end, bandwidth_hz, workers)
    loudness = fit_loudness(store, backbone.front_end.cell_s)
    plain = {"mean": np.zeros(bands, np.float32), "deviation": np.ones(bands, np.float32)}
    arrays: dict[str, dict[str, NDArray[np.generic]]] = {
        **{name: dict(one) for name, one in trained.arrays.items()},
        trained.feature: {**plain},
        **loudness.arrays,
    }
    detector = trained.kind.load(Parts(arrays, bands, trained.blobs, backbone.front_end))
    maps = []
    for index, one in zip(progress(loudness.heard, label="calibrating"), loudness.deviations, strict=True):
        values = np.full((len(one[EXCESS]), bands), np.nan, np.float32)
        if not trained.held_out.has_none(index):
            _put_plain(values, trained, index, detector, backbone, bandwidth_hz)
        maps.append(trained.held_out.only(index, values))
    if not any(np.isfinite(values).any() for values in maps):
        raise AudioError("recordings", "hold too little sound to hold some back for the threshold; record more")
    arrays[trained.feature] = {**standardise(maps, mode, least)}
    features = {trained.feature: bands, **loudness.features}
    return FittedDetector(arrays, features, loudness.beside(trained.feature, maps), trained.blobs, loudness.averages)


def _put_plain(values: Float32, trained: Trained, index: int, detector: Detector, backbone: AnyBackbone, bandwidth_hz: float) -> None:
    """Put what a detector whose scale is 0 and 1 says of a recording, its plain distances, into a map, (cell, band)."""
    segment = -1
    for heard in heard_blocks(trained.recordings[index], backbone, bandwidth_hz, detector.lag_blocks):
        if heard.segment != segment:
            stream, segment = detector.stream(), heard.segment
        for deviation in stream.push(heard.block, heard.cells):
            if deviation.feature == trained.feature:
                first = heard.base_cell + deviation.first_cell
                values[first : first + len(deviation.values)] = deviation.values
