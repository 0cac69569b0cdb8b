"""Everything that runs during a drill: machines that are played, a daemon that listens, a network, a broker, a subscriber."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from tests.broker import HOST, Broker
from tests.faults.controls import Controls
from tests.faults.disk import Disk
from tests.faults.network import Network
from tests.faults.pace import Pace
from tests.faults.player import Player
from tests.faults.recorder import Recorder
from tests.faults.scene import Track
from tests.faults.watched import WatchedDaemon
from tests.pulse import PulseServer

NODE = "faults"
COOLDOWN_S = 1.0


@dataclass(frozen=True, slots=True)
class Plant:
    """The parts, at one pace."""

    pace: Pace
    disk: Disk
    controls: Controls
    network: Network
    broker: Broker
    daemon: WatchedDaemon
    recorder: Recorder
    players: tuple[Player, ...]

    @property
    def track_s(self) -> float:
        """The second of the tracks at which it is now; 0 before they begin."""
        zero_s = self.players[0].zero_s
        return 0.0 if zero_s is None else self.pace.now_s() - zero_s


@contextlib.contextmanager
def built_plant(folder: Path, tracks: Sequence[Track], pulse: PulseServer, broker: Broker, pace: Pace) -> Iterator[Plant]:
    """Build it. `broker` must be a persistent one; what everybody says is written into `folder`. The daemon is not started yet."""
    with contextlib.ExitStack() as stack:
        disk = Disk(folder / "disk")
        stack.callback(disk.close)
        network = Network(broker.port)
        stack.callback(network.close)
        controls = Controls(folder / "controls")
        config = folder / "config.yaml"
        config.write_text(yaml.safe_dump(_config(tracks, network.port, disk.folder, pace)))
        daemon = WatchedDaemon(config, controls.path, pace, stack.enter_context((folder / "daemon.log").open("w")))
        stack.callback(daemon.close)
        recorder = Recorder(broker.port, NODE, stack.enter_context((folder / "received.log").open("w")))
        stack.callback(recorder.close)
        players = []
        for track in tracks:
            players.append(Player(pulse, track, pace))
            stack.callback(players[-1].close)
        yield Plant(pace, disk, controls, network, broker, daemon, recorder, tuple(players))


def _config(tracks: Sequence[Track], port: int, disk: Path, pace: Pace) -> dict[str, object]:
    return {
        "node": NODE,
        "mqtt": {"host": HOST, "port": port, "keepalive_s": 5},
        "sources": {
            track.source: {
                "bundle": str(track.scene.bundle),
                "microphone": {"device": track.source, "rate_hz": track.scene.rate_hz},
            }
            for track in tracks
        },
        "events": {"cooldown_s": COOLDOWN_S, "update_interval_s": 2.0},
        "outbox": {"path": str(disk / "outbox.sqlite")},
        "health": {"interval_s": 2.0 * pace.speed},
    }
