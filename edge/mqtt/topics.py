"""Every topic name, in one place: `<base>/<node>/...` (DESIGN section 7)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

BASE_TOPIC: Final = "auscult"


@dataclass(frozen=True, slots=True)
class Topics:
    """The topics of one node. One topic per source, never a shared one to filter."""

    node: str
    base: str = BASE_TOPIC

    @property
    def status(self) -> str:
        """Whether the daemon runs: `online` or `offline`. `offline` is also the will."""
        return f"{self.base}/{self.node}/status"

    @property
    def info(self) -> str:
        """What runs on the node: the version and, for each source, device, bundle and threshold."""
        return f"{self.base}/{self.node}/info"

    @property
    def health(self) -> str:
        """How the node is, every `health.interval_s` and when a source comes or goes: losses, lag, memory, broker, outbox."""
        return f"{self.base}/{self.node}/health"

    def availability(self, source: str) -> str:
        """`online` only while plausible sound arrives. A dead microphone is `offline`, and `health` gives the reason."""
        return f"{self.base}/{self.node}/{source}/availability"

    def score(self, source: str) -> str:
        """One message per window, every half second."""
        return f"{self.base}/{self.node}/{source}/score"

    def state(self, source: str) -> str:
        """`ON` while an event is open, else `OFF`."""
        return f"{self.base}/{self.node}/{source}/state"

    def event(self, source: str) -> str:
        """One message when an event is opened, updated and closed. Each arrives at least once, in order."""
        return f"{self.base}/{self.node}/{source}/event"

    def learning(self, source: str) -> str:
        """How far learning in place has come, and the bundles that were made of it. Only of sources that learn."""
        return f"{self.base}/{self.node}/{source}/learning"

    def drift(self, source: str) -> str:
        """How far normal sound has moved since the reference, and how fast: once an hour."""
        return f"{self.base}/{self.node}/{source}/drift"

    def level(self, source: str) -> str:
        """Loudness, once per second."""
        return f"{self.base}/{self.node}/{source}/level"

    def cells(self, source: str) -> str:
        """While somebody watches (command `watch`): level and anomaly in 16 bands, two steps a second, one message per second."""
        return f"{self.base}/{self.node}/{source}/cells"

    @property
    def commands(self) -> str:
        """The filter that all commands to this node match."""
        return self.command("+")

    def command(self, verb: str) -> str:
        """A command to the node."""
        return f"{self.base}/{self.node}/cmd/{verb}"

    def response(self, verb: str) -> str:
        """The answer to a command."""
        return f"{self.base}/{self.node}/response/{verb}"
