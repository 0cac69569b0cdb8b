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
        """`online` / `offline`, retained; also the will."""
        return f"{self.base}/{self.node}/status"

    @property
    def info(self) -> str:
        """What runs here: version, sources and their bundles; retained."""
        return f"{self.base}/{self.node}/info"

    @property
    def health(self) -> str:
        """How the device fares; retained."""
        return f"{self.base}/{self.node}/health"

    def availability(self, source: str) -> str:
        """`online` only while frames flow and the signal is plausible; retained."""
        return f"{self.base}/{self.node}/{source}/availability"

    def score(self, source: str) -> str:
        """One message per window."""
        return f"{self.base}/{self.node}/{source}/score"

    def state(self, source: str) -> str:
        """`ON` while an event is open, else `OFF`; retained."""
        return f"{self.base}/{self.node}/{source}/state"

    def event(self, source: str) -> str:
        """Events opened, updated and closed."""
        return f"{self.base}/{self.node}/{source}/event"

    def level(self, source: str) -> str:
        """Loudness of the source."""
        return f"{self.base}/{self.node}/{source}/level"

    @property
    def commands(self) -> str:
        """The filter that all commands to this node match."""
        return self.command("+")

    def command(self, verb: str) -> str:
        """What is asked of this node."""
        return f"{self.base}/{self.node}/cmd/{verb}"

    def response(self, verb: str) -> str:
        """What the node answers to a command."""
        return f"{self.base}/{self.node}/response/{verb}"
