"""A bundle, loaded and checked: everything that is needed to score the sound of one machine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from itertools import chain
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from edge.bundles.bundle import AGAIN, Bundle
from edge.bundles.signature import Trust
from edge.detectors import detector_named
from edge.detectors.detector import Detector, Parts
from edge.errors import BackboneError, BundleError
from edge.features.any_backbone import AnyBackbone, load_backbone
from edge.features.backbone import Backbone
from edge.features.card import decode_card
from edge.features.cell_averages import AverageLayout
from edge.features.feature_stream import FeatureSource, FeatureStream
from edge.features.frontend import CELL_MELS, FrontEnd, front_end_named, mels_below
from edge.judgement.fusion import Units
from edge.judgement.head_scale import HeadScale
from edge.judgement.heads import Heads, Mode
from edge.judgement.steady import STEADY, Steady, SteadyChoice
from edge.judgement.tail import Tail
from edge.judgement.threshold import Threshold

Float32 = NDArray[np.float32]

BACKBONE_MEMBER = "backbone.onnx"
CARD_MEMBER = "backbone.json"
PROBE_SECONDS = 2.0
LONGEST_WINDOW_S = 3600.0
LONGEST_NAME = 100


class Model:
    """What a `Listener` scores with. Loading verifies the bundle, finds its backbone and runs the probe, once."""

    def __init__(self, bundle: Bundle, providers: tuple[str, ...] = ("cpu",), threads: int = 1) -> None:
        """Raises BundleError when the bundle needs a backbone, detector or arithmetic that is not to be had here."""
        manifest = bundle.manifest
        self.bundle = replace(bundle, arrays={}, blobs={})  # what is in them lives on in the backbone and the detector
        self.front_end: FrontEnd = front_end_named(manifest.front_end, bundle.path)
        self.bandwidth_hz = manifest.bandwidth_hz
        self.backbone = _backbone_of(bundle, providers, threads)
        self.feature_source: FeatureSource = self.backbone
        parameters = manifest.detector.parameters
        bands = mels_below(self.front_end, self.bandwidth_hz) // CELL_MELS
        parts = Parts(bundle.arrays, bands, bundle.blobs, self.front_end, providers, threads, bundle.path, self.backbone.has_network)
        try:
            self.detector: Detector = detector_named(manifest.detector.name, bundle.path).load(parts)
            if self.detector.bands != bands:
                raise BundleError(bundle.path, f"its detector does not fit its bandwidth of {self.bandwidth_hz:.0f} Hz; {AGAIN}")
            self.tail = msgspec.convert(parameters["tail"], Tail)
            self.tail.check()
            scales = msgspec.convert(parameters["heads"], dict[str, HeadScale])
            self.heads = Heads(self.detector.features, scales, msgspec.convert(parameters["mode"], Mode))
            self.steady = _steady_of(bundle, AverageLayout(self.front_end, mels_below(self.front_end, self.bandwidth_hz)))
            self.units = msgspec.convert(parameters.get("units", {}), Units)
            self.units.check()
            if not len(self.heads) and self.steady is None:
                raise ValueError("no heads")
            self.window_s = float(parameters["window_s"])
            self.hop_s = float(parameters["hop_s"])
        except (KeyError, TypeError, ValueError, AttributeError, IndexError, OverflowError, msgspec.ValidationError) as error:
            raise BundleError(bundle.path, f"its detector is incomplete ({error}); {AGAIN}") from error
        self.alarm_surprise = manifest.threshold.score_scale
        if not self.alarm_surprise > 0:
            raise BundleError(bundle.path, f"its threshold is not a positive number; {AGAIN}")
        self.threshold = Threshold(self.alarm_surprise, self.tail)
        if not self.front_end.cell_s <= self.hop_s <= self.window_s <= LONGEST_WINDOW_S:
            raise BundleError(bundle.path, f"its windows of {self.window_s:g} s every {self.hop_s:g} s make no sense; {AGAIN}")
        self.window_cells = int(self.window_s / self.front_end.cell_s + 1e-6)  # whole cells, so that the first window begins at 0
        self._check_probe(bundle)

    @classmethod
    def load(cls, path: Path | str, providers: tuple[str, ...] = ("cpu",), threads: int = 1, trust: Trust | None = None) -> Model:
        """Load a bundle file, if it is signed as `trust` wants it."""
        return cls(Bundle.read(path, trust), providers, threads)

    def check_rate(self, rate_hz: int, source: object) -> None:
        """Refuse audio that cannot carry what the bundle was calibrated on; a wider microphone is fine, its extra bands are not scored."""
        if rate_hz / 2 < self.bandwidth_hz:
            raise BundleError(
                self.bundle.path,
                f"was calibrated on sound up to {self.bandwidth_hz:.0f} Hz, but {source} carries only {rate_hz / 2:.0f} Hz "
                f"({rate_hz} Hz sample rate); use a rate of at least {2 * self.bandwidth_hz:.0f} Hz or calibrate again with this source",
            )

    def anomaly_map(self, deviations: Mapping[str, Float32]) -> Float32:
        """Score every cell separately: shape = (time, band) float32, in units of the alarm threshold, NaN where there was no sound."""
        scores: Float32 = self.heads.cell_surprise(deviations) / np.float32(self.alarm_surprise)
        return scores

    def _check_probe(self, bundle: Bundle) -> None:
        probe = bundle.manifest.probe
        if probe is None:
            return
        try:
            arrays = bundle.arrays[probe.members[0]]
            expected = np.asarray(arrays["cells"], np.float32)
            samples = np.asarray(arrays["samples"], np.float32)
            if samples.ndim != 1:
                raise ValueError("no sound")
            cells = probe_cells(self.backbone, self.bandwidth_hz, samples)
        except (KeyError, IndexError, ValueError) as error:
            raise BundleError(self.bundle.path, f"its probe is missing or damaged; {AGAIN}") from error
        difference = relative_difference(cells, expected)
        if not difference <= probe.tolerance:
            raise BundleError(
                self.bundle.path,
                f"this processor computes the backbone {self.backbone.name} ({self.backbone.precision}) differently from the one that "
                f"calibrated (relative difference {difference:.3f}, at most {probe.tolerance:g}); calibrate on this device or use "
                "an fp32 backbone",
            )


def probe_cells(backbone: AnyBackbone, bandwidth_hz: float, samples: Float32) -> Float32:
    """The backbone's result for the probe: block 3's features, (cell, mel, channel), deep enough to differ; or log-mel, (frame, mel)."""
    stream = FeatureStream(backbone, bandwidth_hz)
    heard = chain(stream.push(samples), stream.finish())
    blocks = [(block.features.block3 if backbone.has_network else block.log_mel).copy() for block in heard]
    return np.concatenate(blocks)


def relative_difference(found: Float32, expected: Float32) -> float:
    """Root mean square of the difference over that of what was expected; infinite for another shape."""
    if found.shape != expected.shape:
        return float("inf")
    return float(np.sqrt(np.mean(np.square(found - expected)) / max(float(np.mean(np.square(expected))), 1e-30)))


def _steady_of(bundle: Bundle, layout: AverageLayout) -> Steady | None:
    """The heads of steady sound; bundles of earlier versions, and those that judge clips as published, have none."""
    wanted = bundle.manifest.detector.parameters.get(STEADY)
    if wanted is None:
        return None
    choice = msgspec.convert(wanted, SteadyChoice)
    return Steady.load(bundle.arrays[STEADY], layout, choice.heads, relative=choice.level == "relative")


@lru_cache(maxsize=4)
def _built_in(name: str, providers: tuple[str, ...], threads: int) -> AnyBackbone:
    """One session for all bundles that need the same backbone: it costs 15 MB, and all of its state is in the streams."""
    return load_backbone(name, providers, threads)


def _backbone_of(bundle: Bundle, providers: tuple[str, ...], threads: int) -> AnyBackbone:
    wanted = bundle.manifest.backbone
    if BACKBONE_MEMBER in bundle.blobs:
        try:
            card = decode_card(bundle.blobs[CARD_MEMBER], CARD_MEMBER)
        except (KeyError, BackboneError) as error:
            raise BundleError(bundle.path, f"the card of its backbone is damaged ({error}); {AGAIN}") from error
        backbone: AnyBackbone = Backbone(bundle.blobs[BACKBONE_MEMBER], card, bundle.path, providers, threads)
    else:
        # Never a file of the bundle's choice, nor a line without end.
        if Path(wanted.name).name != wanted.name or wanted.name.endswith(".onnx") or len(wanted.name) > LONGEST_NAME:
            raise BundleError(bundle.path, f"names a backbone that is no name ({wanted.name[:LONGEST_NAME]!r}); {AGAIN}")
        try:
            backbone = _built_in(wanted.name, providers, threads)
        except BackboneError as error:
            raise BundleError(bundle.path, f"needs the backbone {error}") from error
    if backbone.front_end.name != bundle.manifest.front_end:
        raise BundleError(
            bundle.path,
            f"was calibrated with the front end {bundle.manifest.front_end}, which its backbone {backbone.name} does not take; {AGAIN}",
        )
    if backbone.sha256 != wanted.sha256:
        raise BundleError(
            bundle.path,
            f"was calibrated with another backbone ({wanted.name}, sha256 {wanted.sha256[:12]}) than the {backbone.name} here "
            f"({backbone.sha256[:12]}); calibrate again with this version, or install the version that made it",
        )
    return backbone
