"""The demo in a browser: the dashboard beside the demo's own broker, and a machine that runs on after the demo's end."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

from calibrate.demo.broker import HOST, DemoBroker
from calibrate.demo.daemon import NODE, clips_of, run_daemon, write_config
from calibrate.demo.show import DemoResult, run_demo
from edge.config.schema import DashboardConfig
from edge.dashboard.dashboard import Dashboard
from edge.dashboard.settings import DashboardSettings, parse_address
from edge.errors import AuscultError
from edge.mqtt.settings import BrokerSettings
from edge.mqtt.topics import BASE_TOPIC

STOP_S = 10.0


def watch_demo(folder: Path, minutes: float, seed: int, say: Callable[[str], None], show: Callable[[DemoResult], None]) -> DemoResult:
    """Run the demo with a page to watch it; `show` is told the result, after which the stream is played again and again.

    Returns when it is interrupted after that; an earlier interruption ends the demo as ever.

    Raises
    ------
    AuscultError
        See `run_demo`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with DemoBroker() as broker, _page(folder, broker) as url:
        say(f"watch it at {url} (the machine appears there once it is calibrated, in a minute or more)")
        result = run_demo(folder, minutes, seed, say, watched=broker)
        show(result)
        say(f"the stream is played again and again; watch it at {url}, and end it with Ctrl-C")
        config = folder / "config.yaml"
        write_config(config, result.bundle, result.scene.stream, broker.host, broker.port, live=True, loop=True)
        with suppress(KeyboardInterrupt):
            run_daemon(config, timeout_s=None)
        return result


@contextmanager
def _page(folder: Path, broker: DemoBroker) -> Iterator[str]:
    """Serve the page; its address. The usual port, or any when somebody has that."""
    defaults = DashboardConfig()
    for path in folder.glob("dashboard.sqlite*"):
        path.unlink()  # of an earlier demo in this folder
    settings = DashboardSettings(
        address=parse_address(defaults.listen),
        broker=BrokerSettings(broker.host, "unused", broker.port, "3.1.1"),
        base_topic=BASE_TOPIC,
        history=folder / "dashboard.sqlite",
        keep_days=defaults.keep_days,
        capacity_mb=defaults.capacity_mb,
        node=NODE,
        clips=clips_of(folder / "config.yaml"),
    )
    try:
        dashboard = Dashboard(settings).__enter__()
    except AuscultError:
        dashboard = Dashboard(replace(settings, address=parse_address(f"{HOST}:0"))).__enter__()
    thread = threading.Thread(target=dashboard.serve, name="dashboard", daemon=True)
    try:
        thread.start()
        yield dashboard.url
    finally:
        dashboard.stop()
        thread.join(STOP_S)
        dashboard.close()
