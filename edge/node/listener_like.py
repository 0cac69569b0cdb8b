"""What the daemon needs of a listener, so that tests can use a scripted one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from edge.judgement.cells import Cells
from edge.judgement.event import Event
from edge.judgement.event_tracker import EventSettings
from edge.judgement.taught import EventSound
from edge.judgement.threshold import Moved
from edge.judgement.window import Window
from edge.pipeline import Overhearing


class ListenerLike(Protocol):
    """What is needed of `edge.pipeline.Listener`."""

    def push(self, samples: NDArray[np.float32]) -> Sequence[Window | Event]:
        """Add samples (samples,) at the native rate; return what they completed."""

    def lose(self, samples: int) -> Sequence[Window | Event]:
        """Count samples that were lost; return what came to its end before them."""

    def finish(self) -> Sequence[Window | Event]:
        """The stream is over; return what was still open."""

    def end_event(self) -> Sequence[Window | Event]:
        """Close the open event, and continue."""

    def set_events(self, settings: EventSettings) -> None:
        """Judge by other rules from now on when an event opens and closes."""

    def overhear(self, *overhearing: Overhearing) -> None:
        """Let somebody learn from what is heard from now on; None for nobody."""

    def move_threshold(self, moved: Moved | None) -> Sequence[Window | Event]:
        """Judge by another threshold from now on; return the end of the event that is open."""

    def teach(self, false_alarms: Sequence[EventSound], real: Sequence[EventSound] = ()) -> None:
        """Leave out from now on what is like a false alarm's sound, and unlike a real fault's."""

    def event_sounds(self) -> Sequence[EventSound]:
        """What stood out in the events that ended since the last call."""

    def watch(self, is_watched: bool) -> None:
        """Start or stop collecting what `seen` returns."""

    def seen(self) -> Sequence[Cells]:
        """The cells that were completed since the last call."""
