"""The log-mel spectrogram, streamed. The only one in the project: calibration, export and evaluation call it too."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edge.audio.framing import framed
from edge.features.frontend import BLOCK_FRAMES, FLOOR_POWER, FrontEnd, mel_filterbank

Float32 = NDArray[np.float32]


class LogMel:
    """Turns samples into blocks of log-mel frames.

    Frame t is centred on sample t * hop, with the signal mirrored at both ends (librosa's `center=True,
    pad_mode="reflect"`), so streamed frames equal `offline_log_mel` bit for bit, for any sizes of the pushes: the
    arithmetic always runs on whole blocks.
    """

    def __init__(self, front_end: FrontEnd) -> None:
        self.front_end = front_end
        self._half = front_end.window_samples // 2
        self._needed = front_end.window_samples + (BLOCK_FRAMES - 1) * front_end.hop_samples  # samples under one block
        self._window = _periodic_hann(front_end.window_samples)  # (sample,) float32
        self._pending = np.zeros(0, np.float32)  # (n,) float32, padded signal not yet framed
        self._primed = False
        self.samples = 0  # seen so far

    def push(self, samples: Float32) -> list[Float32]:
        """Take samples, shape = (n,) float32 at the front end's rate; return the completed blocks, each (32, mel) float32 dB."""
        self.samples += len(samples)
        self._pending = np.concatenate([self._pending, samples])
        if not self._primed:
            if len(self._pending) <= self._half:
                return []
            self._pending = np.concatenate([self._pending[self._half : 0 : -1], self._pending])
            self._primed = True
        blocks = []
        step = self.front_end.block_samples
        start = 0
        while len(self._pending) - start >= self._needed:
            blocks.append(self._block(self._pending[start : start + self._needed]))
            start += step
        if start:
            self._pending = self._pending[start:].copy()
        return blocks

    def finish(self) -> Float32:
        """End the signal: the remaining frames, shape = (fewer than 64, mel) float32 dB."""
        if not self._primed:
            if len(self._pending) < 2:
                return np.zeros((0, self.front_end.mel_bands), np.float32)
            self._pending = np.pad(self._pending, (self._half, 0), mode="reflect")
        padded = np.pad(self._pending, (0, self._half), mode="reflect")
        frames = max(0, (len(padded) - self.front_end.window_samples) // self.front_end.hop_samples + 1)
        blocks = -(-frames // BLOCK_FRAMES)
        padded = np.pad(padded, (0, max(0, blocks * self.front_end.block_samples + self._needed - len(padded))))
        step = self.front_end.block_samples
        parts = [self._block(padded[b * step : b * step + self._needed]) for b in range(blocks)]
        self._pending = np.zeros(0, np.float32)
        return np.concatenate([*parts, np.zeros((0, self.front_end.mel_bands), np.float32)])[:frames]

    def _block(self, padded: Float32) -> Float32:
        """One block from the samples under it, shape = (window + 31 hop,)."""
        front_end = self.front_end
        frames = framed(padded, front_end.window_samples, front_end.hop_samples)
        spectrum = np.fft.rfft(frames * self._window, axis=1)  # (32, bin) complex
        power = np.square(spectrum.real) + np.square(spectrum.imag)
        mel_power = power.astype(np.float32) @ mel_filterbank(front_end)  # (32, mel)
        decibels: Float32 = (10.0 * np.log10(np.maximum(mel_power, FLOOR_POWER))).astype(np.float32)
        return decibels


def offline_log_mel(samples: Float32, front_end: FrontEnd) -> Float32:
    """The log-mel spectrogram of a whole signal, shape = (len(samples) // hop + 1, mel) float32 dB."""
    stream = LogMel(front_end)
    return np.concatenate([*stream.push(np.asarray(samples, np.float32)), stream.finish()])


def _periodic_hann(length: int) -> Float32:
    window: Float32 = (0.5 - 0.5 * np.cos(2.0 * np.pi * np.arange(length) / length)).astype(np.float32)
    return window
