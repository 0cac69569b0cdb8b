"""Figures as published, in per cent, each by the name of its system; what a table shows beside ours.

"From Vision to Sound" (arXiv 2502.18328), tables 1, 2 and 3, and "AudDSR" (DCASE 2020 Task 2), table 1. Systems that are not in Auscult
are listed too: a table is read for where one stands.
"""

from __future__ import annotations

from collections.abc import Mapping

Figures = Mapping[str, float]  # column -> figure

# "From Vision to Sound", table 3: sample, spectrogram and temporal level.
ENVMIX: Mapping[str, Figures] = {
    "CFA": {
        "sample ROC": 79.3,
        "sample F1": 76.4,
        "spectrogram F1": 27.6,
        "spectrogram PRO": 56.0,
        "spectrogram ROC": 64.6,
        "temporal F1": 46.5,
        "temporal ROC": 70.0,
    },
    "PaDiM": {
        "sample ROC": 86.3,
        "sample F1": 81.8,
        "spectrogram F1": 35.0,
        "spectrogram PRO": 56.9,
        "spectrogram ROC": 72.7,
        "temporal F1": 55.0,
        "temporal ROC": 78.9,
    },
    "PatchCore": {
        "sample ROC": 90.6,
        "sample F1": 85.8,
        "spectrogram F1": 36.8,
        "spectrogram PRO": 58.3,
        "spectrogram ROC": 76.4,
        "temporal F1": 59.9,
        "temporal ROC": 82.9,
    },
    "STFPM": {
        "sample ROC": 53.2,
        "sample F1": 67.2,
        "spectrogram F1": 19.4,
        "spectrogram PRO": 47.1,
        "spectrogram ROC": 47.0,
        "temporal F1": 35.4,
        "temporal ROC": 47.9,
    },
}

# "From Vision to Sound", table 2: mean and deviation over recordings, of a score that is a probability; not per cent.
FAITHFULNESS: Mapping[str, Mapping[str, tuple[float, float]]] = {
    "CFA": {"FF v1": (0.023, 0.021), "FF v2": (0.035, 0.022)},
    "PaDiM": {"FF v1": (-0.031, 0.101), "FF v2": (0.038, 0.137)},
    "PatchCore": {"FF v1": (-0.134, 0.115), "FF v2": (0.062, 0.151)},
    "STFPM": {"FF v1": (0.021, 0.026), "FF v2": (0.029, 0.019)},
}


def _by_kind(kinds: tuple[str, ...], figures: tuple[str, str], rows: Mapping[str, tuple[float | None, ...]]) -> Mapping[str, Figures]:
    """Rows as they stand in the paper, two figures for each kind of machine; None is one that was not published."""
    columns = [f"{kind} {figure}" for kind in kinds for figure in figures]
    return {
        system: {column: value for column, value in zip(columns, row, strict=True) if value is not None} for system, row in rows.items()
    }


# "From Vision to Sound", table 1: means over ids and ratios.
MIMII = _by_kind(
    ("fan", "pump", "slider", "valve"),
    ("F1", "ROC"),
    {
        "DCASE2020 baseline": (None, 65.8, None, 72.9, None, 84.8, None, 66.3),
        "CFA": (70.7, 65.7, 77.9, 76.0, 81.2, 79.9, 75.9, 73.2),
        "PaDiM": (69.2, 61.1, 72.3, 65.3, 79.0, 78.5, 76.4, 71.8),
        "PatchCore": (67.5, 59.6, 68.7, 59.3, 75.2, 76.2, 70.8, 67.1),
        "STFPM": (74.0, 72.5, 83.8, 85.9, 76.1, 74.4, 72.4, 66.3),
    },
)

# "AudDSR", table 1: means over the ids of a kind, and over kinds.
DCASE2020 = _by_kind(
    ("ToyCar", "ToyConveyor", "fan", "pump", "slider", "valve", "average"),
    ("AUC", "pAUC"),
    {
        "AE": (80.90, 69.90, 73.40, 61.10, 66.20, 53.20, 72.90, 60.30, 85.50, 67.80, 66.30, 51.20, 74.20, 60.58),
        "IDNN": (80.19, 71.87, 75.74, 61.26, 69.15, 53.53, 74.06, 61.26, 88.32, 69.07, 88.31, 65.67, 79.30, 63.78),
        "ANP": (72.50, 67.30, 67.00, 54.50, 69.20, 54.40, 72.80, 61.80, 90.70, 74.20, 86.90, 70.70, 76.52, 63.82),
        "PAE": (75.35, 69.70, 77.58, 61.37, 72.94, 54.37, 74.27, 62.01, 91.92, 74.39, 95.41, 81.24, 81.25, 67.18),
        "AudDSR": (91.89, 82.90, 78.02, 64.60, 73.82, 64.98, 85.91, 74.32, 90.16, 71.54, 90.05, 70.20, 84.97, 71.45),
        "MobileNetV2": (87.66, 85.92, 69.71, 56.43, 80.19, 74.40, 82.53, 76.50, 95.27, 85.22, 88.65, 87.98, 84.00, 77.74),
        "GlowAff": (92.20, 84.10, 71.50, 59.00, 74.90, 65.30, 83.40, 73.80, 94.60, 82.80, 91.40, 75.00, 85.20, 73.90),
        "STgram": (88.80, 87.38, 72.93, 63.62, 91.30, 86.73, 91.25, 81.69, 99.36, 96.84, 94.44, 91.58, 89.68, 84.64),
        "AudDSR_annot": (93.60, 90.65, 81.57, 71.23, 77.46, 75.39, 88.52, 79.16, 98.56, 93.00, 98.90, 94.76, 90.12, 84.59),
        "GeCo": (96.62, 89.33, 74.69, 65.82, 92.73, 85.19, 93.09, 86.89, 98.61, 95.26, 99.06, 95.52, 92.47, 86.34),
    },
)

# How the papers call what `--detector` names.
PUBLISHED_NAME: Mapping[str, str] = {
    "patchcore": "PatchCore",
    "padim": "PaDiM",
    "cfa": "CFA",
    "stfpm": "STFPM",
    "autoencoder": "AE",
    "auddsr": "AudDSR",
    "auddsr_annot": "AudDSR_annot",
}
