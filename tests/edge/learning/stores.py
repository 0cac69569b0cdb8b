"""Stores with something in them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from edge.learning.packed import pack
from edge.learning.store import Store, StoreKind
from edge.learning.stretch import HALF, Stretch

KIND = StoreKind(
    front_end="panns",
    backbone="logmel",
    backbone_sha256="0" * 64,
    bandwidth_hz=8000.0,
    window_cells=250,
    features=("logmel",),
    values=("steady", "anomalous"),
    projection="",
)
PROJECTION = {"block2": np.ones((4, 2), np.float32)}


def stretch(content: int = 0) -> Stretch:
    window = {"logmel": pack(np.full((24, 13, 32), content), HALF)}
    return Stretch(number=0, run=1, bundle="0" * 64, wall_s=5.0, learned_s=30.0, window=window, values=pack(np.ones((6, 2)), HALF))


def filled(folder: Path, stretches: int) -> Store:
    store = Store.opened(folder, "pump1", KIND, PROJECTION)
    for number in range(stretches):
        store.add(stretch(number))
    return store
