"""What listens to a source while there is nothing yet to listen with."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from edge.features.frontend import PANNS
from edge.judgement.cells import Cells
from edge.judgement.event import Event
from edge.judgement.event_tracker import EventSettings
from edge.judgement.taught import EventSound
from edge.judgement.threshold import Moved
from edge.judgement.window import HOP_S, WINDOW_S, Localization, Window
from edge.learning.starting_sound import StartingSound
from edge.pipeline import Overhearing

_CELLS = round(WINDOW_S / PANNS.cell_s)
_NOWHERE = Localization(PANNS.cell_s, np.full(_CELLS, np.nan, np.float32), ())


class Gathering:
    """Gathers the first minutes of sound. In place of a `Listener`: its windows have no score."""

    def __init__(self, sound: StartingSound) -> None:
        self._sound = sound
        self._samples = 0  # of the stream, lost ones too
        self._windows = 0

    def push(self, samples: NDArray[np.float32]) -> list[Window | Event]:
        """Add samples (samples,); return the windows that end with them."""
        self._sound.add(samples)
        self._samples += len(samples)
        windows: list[Window | Event] = []
        while self._end_s <= self._samples / self._sound.from_hz:
            windows.append(Window(self._end_s - WINDOW_S, self._end_s, None, None, False, {}, 0.0, _NOWHERE))
            self._windows += 1
        return windows

    def lose(self, samples: int) -> list[Window | Event]:
        """So many samples were lost: no window ends within them."""
        self._samples += samples
        self._windows = max(self._windows, math.ceil((self._samples / self._sound.from_hz - WINDOW_S) / HOP_S))
        return []

    def finish(self) -> list[Window | Event]:
        """Nothing is open."""
        return []

    def end_event(self) -> list[Window | Event]:
        """There is none."""
        return []

    def set_events(self, settings: EventSettings) -> None:
        """There will be none."""

    def teach(self, false_alarms: Sequence[EventSound], real: Sequence[EventSound] = ()) -> None:
        """Nothing is judged."""

    def event_sounds(self) -> Sequence[EventSound]:
        """Of none."""
        return []

    def overhear(self, *overhearing: Overhearing) -> None:
        """There is nothing to hear but the sound itself."""

    def move_threshold(self, moved: Moved | None) -> list[Window | Event]:
        """There is none."""
        return []

    def watch(self, is_watched: bool) -> None:
        """There is nothing to see."""

    def seen(self) -> list[Cells]:
        """Nothing."""
        return []

    @property
    def _end_s(self) -> float:
        """When the next window ends."""
        return WINDOW_S + HOP_S * self._windows
