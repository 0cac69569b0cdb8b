"""`auscult run` on a stream from the network: real ffmpeg, real Mosquitto, the real pipeline."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest

from export.synthesis import inject, tone_fault
from tests.broker import Broker
from tests.bundles import RATE_HZ, CalibratedMachine
from tests.edge.node.test_several_sources import finished, health, running, scores
from tests.stream_server import StreamServer, require_ffmpeg


@pytest.mark.slow  # a minute of real time
def test_run_url_alerts_and_is_offline_with_a_reason_while_the_server_is_away(
    broker: Broker, machine: CalibratedMachine, tmp_path: Path
) -> None:
    require_ffmpeg()
    server = StreamServer(rate_hz=RATE_HZ)
    normal = machine.samples[: 20 * RATE_HZ]
    server.sound, server.speed, server.login = normal, 1.0, ("watcher", "s3cret-MARKER")
    server.start()
    (tmp_path / "login").write_text("watcher:s3cret-MARKER\n")
    source: dict[str, Any] = {
        "url": {"address": f"{server.address}?key=key-MARKER", "credentials_file": str(tmp_path / "login"), "rate_hz": RATE_HZ}
    }
    with broker.subscriber() as subscriber, running(tmp_path, broker, machine, camera=source) as process:
        subscriber.wait_for(lambda s: len(scores(s, "camera")) >= 3, 60.0)
        assert not any(score["anomalous"] for score in scores(subscriber, "camera"))
        server.sound = inject(normal, tone_fault(RATE_HZ, 1, 10.0, 3150.0, level_dbfs=-20.0), 5.0)
        subscriber.wait_for(lambda s: s.of("/camera/event"), 40.0)
        server.sound = normal
        server.stop()
        subscriber.wait_for(lambda s: s.texts("/camera/availability")[-1] == "offline", 30.0)
        subscriber.wait_for(lambda s: "Connection refused" in (health(s, "camera")["reason"] or ""), 30.0)
        before = health(subscriber, "camera")["lost_s"]
        server.start()
        subscriber.wait_for(lambda s: s.texts("/camera/availability")[-1] == "online", 60.0)
        subscriber.wait_for(lambda s: health(s, "camera")["lost_s"] > before + 1.0, 30.0)
        assert health(subscriber, "camera")["reason"] is None
        os.kill(process.pid, signal.SIGTERM)
        code, log = finished(process)
        assert code == 0
        told = "".join([log, *(message.text for message in subscriber.messages)])
    assert server.address in told
    assert "MARKER" not in told
    server.stop()
