"""Make one channel of several: one of them, or their mean."""

from __future__ import annotations

from argparse import ArgumentTypeError
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

Channel: TypeAlias = int | Literal["mix"]  # the first channel is 0


def channel_problem(channel: Channel, channels: int) -> str | None:
    """What is wrong with wanting `channel` of something that has `channels`; None when nothing is."""
    if channel == "mix" or 0 <= channel < channels:
        return None
    has = "1 channel" if channels == 1 else f"{channels} channels"
    return f'has {has}, so there is no channel {channel}; write channel: 0 for the first, or "mix"'


def to_mono(samples: NDArray[np.float32], channel: Channel) -> NDArray[np.float32]:
    """Pick or mix.

    Parameters
    ----------
    samples : (samples, channels) float32
    channel : the channel to pick, or "mix" for the mean of all

    Returns
    -------
    (samples,) float32, contiguous and its own memory
    """
    if samples.shape[1] == 1 or channel != "mix":
        return samples[:, 0 if channel == "mix" else channel].copy()
    mixed: NDArray[np.float32] = samples.mean(axis=1, dtype=np.float32)
    return mixed


def parse_channel(text: str) -> Channel:
    """A channel as it is written on a command line; argparse's error when it is neither a number from 0 on nor "mix"."""
    if text == "mix":
        return "mix"
    if not text.isdecimal():
        raise ArgumentTypeError(f"{text!r} must be a number, 0 for the first channel, or mix")
    return int(text)
