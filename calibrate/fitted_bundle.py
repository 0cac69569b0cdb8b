"""A bundle that is fitted and has to be written, whatever it was fitted on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from calibrate.bundle_manifest import DataFacts, bundle_manifest, embedded
from calibrate.detection_limit import DetectionLimit
from calibrate.probe import probe_of
from calibrate.settings import CalibrationSettings
from calibrate.threshold_note import settable_false_alarms_per_week
from edge.bundles.bundle import write_bundle
from edge.bundles.signature import SigningKey
from edge.features.any_backbone import AnyBackbone
from edge.judgement.fusion import Units
from edge.judgement.head_scale import HeadScale
from edge.judgement.steady import STEADY, SteadyChoice
from edge.judgement.tail import Tail


@dataclass(frozen=True, slots=True)
class FittedBundle:
    """What goes into a bundle."""

    data: DataFacts
    arrays: Mapping[str, Mapping[str, NDArray[np.generic]]]  # of the detector
    scales: Mapping[str, HeadScale]
    steady: tuple[SteadyChoice, Mapping[str, NDArray[np.generic]]] | None  # the heads of steady sound, and their arrays
    units: Units
    tail: Tail
    limit: DetectionLimit
    blobs: Mapping[str, bytes] = field(default_factory=dict)  # networks

    def write(self, output: Path, settings: CalibrationSettings, backbone: AnyBackbone, key: SigningKey | None = None) -> None:
        """Write it, at the end and at once; BundleError when it cannot be."""
        choice, steady = self.steady or (None, {})
        arrays = {**self.arrays, "probe": probe_of(backbone, self.data.bandwidth_hz)}
        if choice is not None:
            arrays[STEADY] = steady
        manifest = bundle_manifest(settings, backbone, self.data, self.scales, choice, self.units, self.tail, self.limit)
        write_bundle(output, manifest, arrays, {**embedded(settings.backbone or settings.fitting.backbone), **self.blobs}, key)


def alarm_surprise(tail: Tail, unheard_s: float, false_alarms_per_week: float) -> float:
    """The surprise of the threshold."""
    return tail.surprise_at(settable_false_alarms_per_week(unheard_s, false_alarms_per_week))
