"""Gaussians of normal features, one for each place: how far is a cell from the mean of its place, in standard deviations?

PaDiM (Defard et al. 2021, equation 2): the Mahalanobis distance, sqrt((x - mean)^T covariance^-1 (x - mean)). With L the Cholesky factor of
the covariance it is the length of L^-1 (x - mean); L^-1 is what is kept, its lower triangle row by row, in half precision.

A place has a Gaussian for each fold of the recordings that is left out, and the distance is the mean over these: normal sound that
calibration held out met Gaussians that did not know it either. (`edge/detectors/bank.py` does so for the same reason.)
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edge.bundles.npz import Arrays
from edge.detectors.standard import numbers

Float32 = NDArray[np.float32]


class Gaussians:
    """Gaussians by moment and band. There is one moment, which lasts for ever, or there are those of a clip, one per cell.

    Cells past the end of a clip are judged as those of the next one: cell `moments` is at moment 0 again.
    """

    def __init__(self, fitted: Arrays, bands: int, dimensions: int) -> None:
        """`fitted` holds `centre`, shape = (fold, moment, band, dimension), and `whitening`, (fold, moment, band, d (d + 1) / 2).

        Raises KeyError or ValueError when it does not.
        """
        self._centre = numbers("gaussians.centre", fitted["centre"], (None, None, bands, dimensions))
        folds, self.moments = self._centre.shape[:2]
        numbers("gaussians.whitening", fitted["whitening"], (folds, self.moments, bands, dimensions * (dimensions + 1) // 2))
        # Clips have hundreds of moments: unpacked they would fill the memory of a small board.
        self._packed = fitted["whitening"]
        self._endless = unpacked(self._packed) if self.moments == 1 else None

    def distances(self, first_cell: int, cells: Float32) -> Float32:
        """Mahalanobis distances, shape = (time, band), of consecutive cells, (time, band, dimension) float32."""
        if self._endless is not None:
            apart = cells.transpose(1, 0, 2) - self._centre[:, :, :, None]  # (fold, 1, band, time, d)
            lengths = _lengths(apart, self._endless)[:, 0].swapaxes(1, 2)  # (fold, time, band)
        else:
            moments = (first_cell + np.arange(len(cells))) % self.moments
            apart = (cells - self._centre[:, moments])[:, :, :, None]  # (fold, time, band, 1, d)
            lengths = _lengths(apart, unpacked(self._packed[:, moments]))[..., 0]
        mean: Float32 = lengths.mean(axis=0)
        return mean


def _lengths(apart: Float32, whitening: Float32) -> Float32:
    """The length of each vector after whitening: (fold, moment, band, n), of (fold, moment, band, n, d) and (fold, moment, band, d, d)."""
    whitened = apart @ whitening.swapaxes(-1, -2)
    lengths: Float32 = np.sqrt(np.einsum("...d,...d->...", whitened, whitened))
    return lengths


def packed(triangles: NDArray[np.floating]) -> NDArray[np.float16]:
    """The lower triangles of matrices, shape = (..., d (d + 1) / 2) in half precision, of (..., d, d)."""
    rows, columns = np.tril_indices(triangles.shape[-1])
    return triangles[..., rows, columns].astype(np.float16)


def unpacked(triangles: NDArray[np.generic]) -> Float32:
    """What `packed` packed, shape = (..., d, d) float32, zero above the diagonal."""
    dimensions = (int(np.sqrt(8 * triangles.shape[-1] + 1)) - 1) // 2
    matrices = np.zeros((*triangles.shape[:-1], dimensions, dimensions), np.float32)
    rows, columns = np.tril_indices(dimensions)
    matrices[..., rows, columns] = triangles
    return matrices
