"""All nodes and sources that were heard of, bounded. The network thread changes it, the server reads it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any, Final

from edge.dashboard.machine import NEEDS, Machine, Node, snapshot

MOST_NODES: Final = 300
MOST_MACHINES: Final = 1000


class FullError(Exception):
    """More nodes or sources than the page shows: somebody publishes nonsense."""


class Fleet:
    """`lock` is to be held for as long as what it gave is read or changed."""

    def __init__(self, wall: Callable[[], float] = time.time) -> None:
        self.lock = threading.RLock()
        self._wall = wall
        self._nodes: dict[str, Node] = {}
        self._machines: dict[tuple[str, str], Machine] = {}
        self._unmarked: dict[tuple[str, str], tuple[int, float]] = {}

    def node(self, name: str) -> Node:
        """A node, new or known; raises FullError."""
        found = self._nodes.get(name)
        if found is None:
            if len(self._nodes) >= MOST_NODES:
                raise FullError(f"there are {MOST_NODES} nodes already, and no more are shown")
            found = self._nodes[name] = Node(name)
        return found

    def machine(self, node: str, source: str) -> Machine:
        """A source, new or known; raises FullError."""
        found = self._machines.get((node, source))
        if found is None:
            if len(self._machines) >= MOST_MACHINES:
                raise FullError(f"there are {MOST_MACHINES} sources already, and no more are shown")
            found = self._machines[node, source] = Machine(node, source)
        return found

    def known_node(self, name: str) -> Node | None:
        """A node that is known."""
        return self._nodes.get(name)

    def known(self, node: str, source: str) -> Machine | None:
        """A source that is known."""
        return self._machines.get((node, source))

    def forget(self, node: str, source: str) -> None:
        """A source is gone: what it retained was deleted."""
        with self.lock:
            self._machines.pop((node, source), None)

    def forget_node(self, name: str) -> None:
        """A node is gone, with its sources."""
        with self.lock:
            self._nodes.pop(name, None)
            for key in [key for key in self._machines if key[0] == name]:
                del self._machines[key]

    def set_unmarked(self, unmarked: dict[tuple[str, str], tuple[int, float]]) -> None:
        """Which sources have events that nobody has judged."""
        with self.lock:
            self._unmarked = unmarked

    def snapshots(self) -> list[dict[str, Any]]:
        """Every source that is there, the one that needs a person most first."""
        now_s = self._wall()
        with self.lock:
            found = [self._snapshot(machine, now_s) for machine in self._machines.values() if self._is_there(machine)]
        return sorted(found, key=_urgency)

    def snapshot(self, node: str, source: str) -> dict[str, Any] | None:
        """One source."""
        with self.lock:
            machine = self._machines.get((node, source))
            return None if machine is None else self._snapshot(machine, self._wall())

    def scores(self) -> dict[str, list[Any]]:
        """The last score of each source: end of the window, score, whether it is above the threshold."""
        with self.lock:
            return {
                machine.key: [machine.recent[-1].at_s, machine.score.score, machine.score.anomalous]
                for machine in self._machines.values()
                if machine.score is not None and machine.recent
            }

    def nodes(self) -> list[dict[str, Any]]:
        """Every node, with what concerns all its sources."""
        with self.lock:
            return [
                {
                    "node": node.name,
                    "online": node.is_online,
                    "version": node.info.version if node.info is not None else None,
                    "clock_synced": node.health.clock_synced if node.health is not None else None,
                    "commands": node.health is not None and node.health.commands is not None,
                }
                for node in sorted(self._nodes.values(), key=lambda node: node.name)
            ]

    def _snapshot(self, machine: Machine, now_s: float) -> dict[str, Any]:
        return snapshot(machine, self._nodes.get(machine.node), self._unmarked.get((machine.node, machine.source)), now_s)

    def _is_there(self, machine: Machine) -> bool:
        """Whether the node still has the source; what it retained of it may be left over."""
        node = self._nodes.get(machine.node)
        return node is None or node.info is None or machine.source in node.info.sources


def _urgency(found: dict[str, Any]) -> tuple[Any, ...]:
    return (NEEDS.index(found["need"]), -(found["peak"] or 0.0), found["since"] or 0.0, found["key"])
