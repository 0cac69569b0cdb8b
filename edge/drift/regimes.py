"""The states that a machine is heard in (idle, under load, stopped): like is compared with like only.

A regime is a spectrum, and a window belongs to the nearest one. A window that is far from all, with enough others like it, founds another.
Each follows what it is heard as, by a part of the way each hour: a machine that drifts stays in its regime.
"""

from __future__ import annotations

import msgspec
import numpy as np
from numpy.typing import NDArray

Float32 = NDArray[np.float32]
Int64 = NDArray[np.int64]

RADIUS_DB = 3.0  # root mean square over the bands
MOST = 16
FOLLOW = 0.2  # of the way, each hour
NONE = -1


class Regime(msgspec.Struct):
    """One of them."""

    number: int  # never given to another
    seen: int  # the last hour
    spectrum: bytes  # (band,) float32 dB

    @property
    def centre(self) -> Float32:
        """Its spectrum, shape = (band,)."""
        return np.frombuffer(self.spectrum, np.float32)


def assign(regimes: list[Regime], spectra: Float32, hour: int, next_number: int, fewest: int) -> Int64:
    """Say to which regime the windows of an hour belong, (window, band) dB -> (window,) their numbers, or `NONE`; found those that lack.

    New ones count from `next_number` on, and a regime that has fewer than `fewest` of the windows is none of this hour.
    """
    found = np.full(len(spectra), NONE)
    numbers = [regime.number for regime in regimes]
    centres = [regime.centre for regime in regimes]
    left = np.ones(len(spectra), np.bool_)
    for centre in centres:
        left &= _distance(spectra, centre) > RADIUS_DB
    while left.any():
        near = left & (_distance(spectra, spectra[int(np.argmax(left))]) <= RADIUS_DB)
        if near.sum() >= fewest:
            centre = np.median(spectra[near], axis=0).astype(np.float32)
            near |= left & (_distance(spectra, centre) <= RADIUS_DB)
            numbers.append(next_number)
            centres.append(centre)
            regimes.append(Regime(next_number, hour, centre.tobytes()))
            next_number += 1
        left &= ~near
    if not centres:
        return found
    distances = np.stack([_distance(spectra, centre) for centre in centres])  # (regime, window)
    nearest = np.argmin(distances, axis=0)
    within = distances.min(axis=0) <= 2.0 * RADIUS_DB
    for place, regime in enumerate(regimes):
        own = within & (nearest == place)
        if own.sum() >= fewest:
            found[own] = regime.number
            regime.seen = hour
            centre = regime.centre
            moved = centre + FOLLOW * (np.median(spectra[own], axis=0).astype(np.float32) - centre)
            regime.spectrum = moved.astype(np.float32).tobytes()
    while len(regimes) > MOST:
        regimes.remove(min(regimes, key=lambda regime: regime.seen))
    return found


def _distance(spectra: Float32, centre: Float32) -> Float32:
    distance: Float32 = np.sqrt(np.square(spectra - centre).mean(axis=1))
    return distance
