"""Parts of detectors with small networks that have learned nothing, and a stream of sound to push through them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray

from edge.bundles.npz import Arrays
from edge.detectors.auddsr import AUDDSR
from edge.detectors.auddsr import MEMBER as AUDDSR_MEMBER
from edge.detectors.autoencoder import AUTOENCODER, STACKED
from edge.detectors.autoencoder import MEMBER as AUTOENCODER_MEMBER
from edge.detectors.detector import EXCESS, LEVEL, Detector, Parts
from edge.features.feature_extractor import FeatureExtractor, PlacedBlock
from edge.features.frontend import CELL_MELS, DCASE
from edge.features.logmel_backbone import LogMelBackbone
from export.auddsr.discrete_autoencoder import DiscreteAutoencoder
from export.auddsr.network import AnomalyDetection, AudDsrNetwork, ObjectDecoder
from export.auddsr.training import exported as exported_auddsr
from export.autoencoder.network import DenseAutoencoder
from export.autoencoder.training import exported as exported_autoencoder

Float32 = NDArray[np.float32]

RATE_HZ = 16000


def autoencoder_network(bands: int) -> DenseAutoencoder:
    """Random weights."""
    torch.manual_seed(1)
    return DenseAutoencoder(STACKED * bands * CELL_MELS, -20.0, 8.0).eval()


def auddsr_network() -> AudDsrNetwork:
    """Random weights, loud enough for the map to vary."""
    torch.manual_seed(1)
    network = AudDsrNetwork(DiscreteAutoencoder(8, 16), ObjectDecoder(8, 128), AnomalyDetection(8), (-20.0, 8.0)).eval()
    for module in network.modules():
        if isinstance(module, torch.nn.Conv2d | torch.nn.ConvTranspose2d):
            module.weight.data *= 3.0
    return network


def parts_of(feature: str, bands: int) -> Parts:
    """What a bundle holds for the detector of that feature, whose deviations are its plain values."""
    arrays: dict[str, Arrays] = {
        feature: {"mean": np.zeros(bands, np.float32), "deviation": np.ones(bands, np.float32)},
        EXCESS: {
            "mean": np.zeros((bands, CELL_MELS), np.float32),
            "deviation": np.ones((bands, CELL_MELS), np.float32),
            "unit": np.ones(bands, np.float32),
        },
        LEVEL: {
            "bank_0": np.array([[-50.0], [-40.0]], np.float16),
            "folds": np.array([1, 1]),
            "mean": np.zeros(1, np.float32),
            "deviation": np.ones(1, np.float32),
        },
    }
    blobs = {
        AUTOENCODER: lambda: {AUTOENCODER_MEMBER: exported_autoencoder(autoencoder_network(bands))},
        AUDDSR: lambda: {AUDDSR_MEMBER: exported_auddsr(auddsr_network(), DCASE.mel_bands)},
    }[feature]()
    return Parts(arrays, bands, blobs, DCASE)


def sound(seconds: float, seed: int = 0) -> Float32:
    """Noise that swells, with a tone that comes and goes, shape = (n,) at 16 kHz."""
    time_s = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    rng = np.random.default_rng(seed)
    swelling = 0.05 * rng.standard_normal(len(time_s)) * (1.0 + 0.5 * np.sin(2 * np.pi * 0.7 * time_s))
    tone = 0.05 * np.sin(2 * np.pi * 1500.0 * time_s) * (np.sin(2 * np.pi * 0.4 * time_s) > 0)
    return (swelling + tone).astype(np.float32)


def pushed(samples: Float32, pieces: list[int], lag_blocks: int, bandwidth_hz: float = 8000.0) -> Iterator[PlacedBlock]:
    """What is heard of samples that come in pieces of these sizes, over and over."""
    extractor = FeatureExtractor(LogMelBackbone(DCASE), RATE_HZ, bandwidth_hz, lag_blocks=lag_blocks)
    start, count = 0, 0
    while start < len(samples):
        size = pieces[count % len(pieces)]
        yield from (heard for heard in extractor.push(samples[start : start + size]) if isinstance(heard, PlacedBlock))
        start, count = start + size, count + 1
    yield from (heard for heard in extractor.finish() if isinstance(heard, PlacedBlock))


def said(detector: Detector, samples: Float32, pieces: list[int], bandwidth_hz: float = 8000.0) -> dict[str, Float32]:
    """The deviations of samples by feature, each (cell, band); it is an error if they come in another order or not together."""
    stream = detector.stream()
    parts: dict[str, list[Float32]] = {feature: [] for feature in detector.features}
    cells = 0
    for heard in pushed(samples, pieces, detector.lag_blocks, bandwidth_hz):
        found = stream.push(heard.block, heard.cells)
        assert [one.feature for one in found] in ([], list(detector.features))
        for one in found:
            assert one.first_cell == cells
            assert len(one.values) == len(found[0].values) > 0
            parts[one.feature].append(one.values)
        cells += len(found[0].values) if found else 0
    return {feature: np.concatenate(values) if values else np.zeros((0, 1), np.float32) for feature, values in parts.items()}


def frames_of(samples: Float32, bandwidth_hz: float = 8000.0) -> Float32:
    """The log-mel frames that a detector is shown of whole cells, (frame, mel) dB."""
    shown = []
    for heard in pushed(samples, [len(samples)], 1, bandwidth_hz):
        if heard.block.first_cell >= 0:
            shown.append(heard.block.log_mel[2:34].copy())
    return np.concatenate(shown)[: 4 * heard.cells]
