"""The first seconds of recordings, looked at before all of them are used, and not computed again then."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import fields, replace
from itertools import islice
from typing import Any

import numpy as np

from calibrate.embeddings import Recording
from edge.features.backbone import Features
from edge.features.feature_extractor import PlacedBlock
from edge.features.feature_stream import FeatureBlock

MOST_BEGUN = 32  # recordings that are kept open; the others are begun again


class Lookahead:
    """Recordings that may have been begun."""

    def __init__(self, hear: Callable[[Recording], Iterator[PlacedBlock]]) -> None:
        """`hear` yields the blocks of a recording from its beginning, each to be used before the next."""
        self._hear = hear
        self._begun: dict[Recording, tuple[list[PlacedBlock], Iterator[PlacedBlock]]] = {}

    def first(self, recording: Recording, blocks: int) -> Sequence[PlacedBlock]:
        """The first blocks of a recording, to be kept as long as one likes."""
        heard = self._hear(recording)
        first = [_copied(one) for one in islice(heard, blocks)]
        if len(self._begun) < MOST_BEGUN:
            self._begun[recording] = first, heard
        return first

    def blocks(self, recording: Recording) -> Iterator[PlacedBlock]:
        """All blocks of a recording, each to be used before the next."""
        first, rest = self._begun.pop(recording, ((), None))
        yield from first
        yield from self._hear(recording) if rest is None else rest


def _copied(heard: PlacedBlock) -> PlacedBlock:
    features = Features(**{field.name: getattr(heard.block.features, field.name).copy() for field in fields(Features)})
    values: dict[str, Any] = {field.name: getattr(heard.block, field.name) for field in fields(heard.block)}
    arrays = {name: value.copy() for name, value in values.items() if isinstance(value, np.ndarray)}
    return replace(heard, block=FeatureBlock(**{**values, **arrays, "features": features}))
