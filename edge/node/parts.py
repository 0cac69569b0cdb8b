"""What a reload needs of the node's assembly (edge/node/assembly.py)."""

from __future__ import annotations

from typing import Protocol

from edge.node.plan import Plan
from edge.node.source_worker import MakeListener, SourceWorker


class Parts(Protocol):
    """What the node does now, and how the parts of another plan are made."""

    @property
    def plan(self) -> Plan:
        """What the node does now."""

    def adopt(self, plan: Plan) -> None:
        """From now on the node does this."""

    def worker(self, name: str, plan: Plan) -> SourceWorker:
        """Make the worker of one source of a plan."""

    def make_listener(self, name: str, plan: Plan) -> MakeListener:
        """Return what makes a listener for one source of a plan."""
