"""Recordings that must not spoil a set."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import soundfile

RATE_HZ = 16000
REASONS = {
    "silent": "holds too little sound to score: most of it is digital silence",
    "empty": "holds no sound",
    "short": "lasts 0.100 s; at least 0.25 s are needed to score it",
    "broken": "not a WAV, FLAC or OGG file",
}


def spoilt(folder: Path, kind: str, name: str) -> Path:
    """Write a recording of 4 s that is mostly digital silence, one without a sample, one of 0.1 s or a file that is no recording."""
    path = folder / name
    samples = 0.05 * np.random.default_rng(7).standard_normal(4 * RATE_HZ)
    if kind == "broken":
        path.write_bytes(b"RIFF no sound")
        return path
    if kind == "silent":
        samples[RATE_HZ:] = 0.0
    soundfile.write(path, samples[: {"empty": 0, "short": RATE_HZ // 10}.get(kind)], RATE_HZ)
    return path


def spoil(manifest: Path, name: str, unit: str, roles: tuple[str, ...] = ("fit", "test")) -> Path:
    """Write a manifest beside another, with one spoilt recording of each kind and role in a unit."""
    rows = manifest.read_text(encoding="utf-8").splitlines()
    for kind in REASONS:
        for role in roles:
            path = spoilt(manifest.parent, kind, f"{name}_{unit}_{role}_{kind}.wav")
            rows.append(f"{path.name},factory,{unit},{role},{'none' if role == 'background' else 'normal'}")
    written = manifest.with_name(f"{name}.csv")
    written.write_text("\n".join(rows), encoding="utf-8")
    return written
