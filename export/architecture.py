"""Every parameter that a CNN14 checkpoint holds, by name and shape: generated from the architecture, so strictness has one source.

Sources: PANNs' Cnn14 (32 kHz, 64 mel bands) with torchlibrosa's fixed front-end tensors; CLAP-2022's audio encoder, which is the same
network under a prefix and a projection.
"""

from __future__ import annotations

from dataclasses import dataclass

from edge.features.frontend import CLAP, PANNS, FrontEnd
from export.trunk import trunk_shapes

Shape = tuple[int, ...]

BLOCKS = 6
EMBEDDING = 2048
AUDIOSET_CLASSES = 527
CLAP_SPACE = 1024


@dataclass(frozen=True, slots=True)
class Source:
    """A family of checkpoints. The shapes of its tensors do not show the sample rate, so the user names it."""

    name: str  # what --source takes
    title: str
    file_name: str
    front_end: FrontEnd
    scope: str  # names that start with this are strict; others belong to other networks in the same file
    prefix: str  # of CNN14 itself
    training_data: tuple[str, ...]
    licence: str


SOURCES = {
    source.name: source
    for source in (
        Source(
            name="panns",
            title="PANNs Cnn14 (32 kHz)",
            file_name="Cnn14_mAP=0.431.pth",
            front_end=PANNS,
            scope="",
            prefix="",
            training_data=("AudioSet (PANNs Cnn14, Kong et al. 2020)",),
            licence="CC-BY-4.0",
        ),
        Source(
            name="clap2022",
            title="CLAP-2022 (44.1 kHz)",
            file_name="CLAP_weights_2022.pth",
            front_end=CLAP,
            scope="audio_encoder.",
            prefix="audio_encoder.base.",
            training_data=("AudioSet (PANNs Cnn14, Kong et al. 2020)", "FSD50K, ClothoV2, AudioCaps, MACS (CLAP, Elizalde et al. 2022)"),
            licence="MIT",
        ),
    )
}


def cnn14_shapes(front_end: FrontEnd) -> dict[str, Shape]:
    """The 84 tensors of Cnn14 behind a front end of these sizes."""
    bins = front_end.window_samples // 2 + 1
    shapes: dict[str, Shape] = {
        "spectrogram_extractor.stft.conv_real.weight": (bins, 1, front_end.window_samples),
        "spectrogram_extractor.stft.conv_imag.weight": (bins, 1, front_end.window_samples),
        "logmel_extractor.melW": (bins, front_end.mel_bands),
    }
    return shapes | trunk_shapes(BLOCKS) | _linear("fc1", EMBEDDING, EMBEDDING) | _linear("fc_audioset", EMBEDDING, AUDIOSET_CLASSES)


def checkpoint_shapes(source: Source) -> dict[str, Shape]:
    """All tensors that must be in a checkpoint of `source`, and the only ones that may be in its scope."""
    shapes = {source.prefix + name: shape for name, shape in cnn14_shapes(source.front_end).items()}
    if source.name == "clap2022":
        projection = f"{source.scope}projection"
        shapes |= {
            f"{projection}.linear1.weight": (CLAP_SPACE, EMBEDDING),
            f"{projection}.linear2.weight": (CLAP_SPACE, CLAP_SPACE),
            f"{projection}.layer_norm.weight": (CLAP_SPACE,),
            f"{projection}.layer_norm.bias": (CLAP_SPACE,),
        }
    return shapes


def _linear(name: str, features_in: int, features_out: int) -> dict[str, Shape]:
    return {f"{name}.weight": (features_out, features_in), f"{name}.bias": (features_out,)}
