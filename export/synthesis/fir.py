"""Finite impulse responses: designed from a magnitude response, and applied by FFT, to a whole signal or a stream."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Kernel = NDArray[np.float32]  # (taps,)


def fast_length(n: int) -> int:
    """The smallest 2^a 3^b 5^c that is at least n: a length that FFTs like."""
    best = 1 << max(n - 1, 0).bit_length()
    five = 1
    while five < best:
        three = five
        while three < best:
            twos = -(-n // three)
            best = min(best, three << max(twos - 1, 0).bit_length())
            three *= 3
        five *= 5
    return best


def minimum_phase(magnitude: NDArray[np.float64]) -> Kernel:
    """The impulse response, without any delay of its own, that has a magnitude given at n/2 + 1 evenly spaced frequencies.

    Minimum phase by the folded real cepstrum (Oppenheim and Schafer, Discrete-Time Signal Processing, section 13.4). shape = (n,).
    """
    n = 2 * (len(magnitude) - 1)
    floor = 1e-5 * float(np.max(magnitude))  # -100 dB: the logarithm needs a floor
    cepstrum: NDArray[np.float64] = np.fft.irfft(np.log(np.maximum(magnitude, floor)), n)
    cepstrum[1 : n // 2] *= 2.0
    cepstrum[n // 2 + 1 :] = 0.0
    return np.fft.irfft(np.exp(np.fft.rfft(cepstrum)), n).astype(np.float32)


def unit_energy(kernel: Kernel) -> Kernel:
    """The kernel scaled so that white noise keeps its level through it."""
    scaled: Kernel = (kernel / np.sqrt(np.sum(np.square(kernel, dtype=np.float64)))).astype(np.float32)
    return scaled


def convolve(samples: NDArray[np.float32], kernel: Kernel) -> NDArray[np.float32]:
    """Full linear convolution of (n,) and (taps,) by FFT; shape = (n + taps - 1,)."""
    n = len(samples) + len(kernel) - 1
    size = fast_length(n)
    product = np.fft.rfft(samples, size) * np.fft.rfft(kernel, size)
    result: NDArray[np.float32] = np.fft.irfft(product, size)[:n].astype(np.float32)
    return result


class StreamingFir:
    """One kernel over a stream of equal blocks (overlap-add): as if the whole stream were convolved at once."""

    def __init__(self, kernel: Kernel, block_samples: int) -> None:
        self._block_samples = block_samples
        self._size = fast_length(block_samples + len(kernel) - 1)
        self._response = np.fft.rfft(kernel.astype(np.float32), self._size)
        self._tail = np.zeros(len(kernel) - 1, np.float32)  # what earlier blocks still have to say

    def push(self, block: NDArray[np.float32]) -> NDArray[np.float32]:
        """The filtered block, shape = (block_samples,) like the input."""
        if block.shape != (self._block_samples,):
            raise ValueError(f"this filter takes blocks of {self._block_samples} samples, not {block.shape}")
        spread = np.fft.irfft(np.fft.rfft(block, self._size) * self._response, self._size).astype(np.float32)
        spread[: len(self._tail)] += self._tail
        self._tail = spread[self._block_samples : self._block_samples + len(self._tail)].copy()
        return spread[: self._block_samples]
