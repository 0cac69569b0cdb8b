"""What the dashboard costs: a fleet that exists on the broker only, the real server, and a real Chromium that shows its pages.

The broker goes and comes back in the middle. Linux only: processes are weighed as /proc tells them.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from benchmarks.simulated_fleet import HOP_S, SimulatedFleet
from calibrate.demo.broker import HOST, free_port
from edge.errors import AuscultError, UserError

if TYPE_CHECKING:
    from selenium.webdriver import Chrome

MEGA = 1e6
START_S = 30.0
SAMPLE_S = 5.0
WARM_UP_S = 20.0  # of each page, before growth is measured
BROKER_AWAY_S = 5.0
EVENT_EVERY_S = 20.0
NODES = 4
PAGES = ("machines", "source")
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Weight:
    """A process, or a group of them, at one moment."""

    at_s: float
    cpu_s: float
    memory_mb: float  # resident; of a browser's processes what is theirs of it
    heap_mb: float = 0.0  # of JavaScript
    elements: int = 0  # of the page


@dataclass(slots=True)
class PageCost:
    """One page, shown for a while."""

    page: str
    weights: list[Weight] = field(default_factory=list)

    @property
    def cpu_fraction(self) -> float:
        """Of one core, the process that draws the page."""
        return _cpu_fraction(self.weights)


@dataclass(slots=True)
class DashboardCost:
    """What was measured."""

    sources: int
    seconds: float
    server: list[Weight]
    pages: list[PageCost]  # empty without Chromium
    why_no_pages: str
    scores_sent: int
    scores_kept: int
    events_sent: int
    events_kept: int
    gaps: list[tuple[float, str]]  # seconds, why
    history_mb: float

    @property
    def server_cpu_fraction(self) -> float:
        """Of one core."""
        return _cpu_fraction(self.server)


def measure_dashboard(folder: Path, minutes: float, sources: int, progress: Callable[[float], None]) -> DashboardCost:
    """Run a fleet, a dashboard and a browser in `folder` for so long; `progress` is told seconds.

    Raises
    ------
    UserError
        There is no Mosquitto, which can be stopped and started.
    AuscultError
        A process did not start.
    """
    names = {f"node{node}": [f"source{index}" for index in range(node, sources, NODES)] for node in range(min(NODES, sources))}
    seconds = 60.0 * minutes
    with ExitStack() as stack:
        broker = stack.enter_context(_Mosquitto(folder))
        fleet = stack.enter_context(SimulatedFleet(HOST, broker.port, names))
        server, url = stack.enter_context(_server(folder, broker.port))
        driver, why = _chromium(stack)
        pages = [PageCost(page) for page in PAGES] if driver is not None else []
        weights: list[Weight] = []
        began_s = time.monotonic()
        sent_before = fleet.sent
        events = restarts = shown = 0
        while (at_s := time.monotonic() - began_s) < seconds:
            if driver is not None and shown < len(PAGES) and at_s >= shown * seconds / len(PAGES):
                driver.get("about:blank")
                driver.get(f"{url}#/" if PAGES[shown] == "machines" else f"{url}#/source/node0/source0")
                shown += 1
            if not restarts and at_s >= seconds / 4.0:
                restarts += 1
                broker.stop()
                time.sleep(BROKER_AWAY_S)
                broker.start()
            if at_s >= events * EVENT_EVERY_S and seconds - at_s > EVENT_EVERY_S:
                node = f"node{events % min(NODES, sources)}"
                fleet.fail(node, names[node][0], 5.0, 2000.0, 3000.0)
                events += 1
            weights.append(_weight([server.pid], at_s))
            if driver is not None:
                pages[shown - 1].weights.append(_page_weight(driver, at_s))
            progress(SAMPLE_S)
            time.sleep(max(0.0, began_s + at_s + SAMPLE_S - time.monotonic()))
        sent = fleet.sent - sent_before
    kept, events_kept, gaps, size = _kept(folder / "dashboard.sqlite")
    return DashboardCost(sources, seconds, weights, pages, why, sent, kept, events, events_kept, gaps, size / MEGA)


class _Mosquitto:
    """One that keeps sessions while it is away, as a broker of a plant should."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        path = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin"])
        program = shutil.which("mosquitto", path=path)
        if program is None:
            raise UserError("auscult benchmark dashboard", "needs Mosquitto; install it: sudo apt install mosquitto")
        self._command = [program, "-c", str(folder / "mosquitto.conf")]
        store = folder / "mosquitto"
        store.mkdir()
        owner = store.owner()
        lines = [
            f"listener {self.port} {HOST}",
            "allow_anonymous true",
            "persistence true",
            f"persistence_location {store}/",
            f"user {owner}",
        ]
        (folder / "mosquitto.conf").write_text("\n".join(lines) + "\n")
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> _Mosquitto:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        self._process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        _wait_for_port(self.port, "Mosquitto")

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(START_S)
            self._process = None


@contextmanager
def _server(folder: Path, broker_port: int) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The dashboard in a process of its own, and its address."""
    config = {
        "mqtt": {"host": HOST, "port": broker_port},
        "dashboard": {"listen": f"{HOST}:0", "history": str(folder / "dashboard.sqlite")},
    }
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump(config), encoding="utf-8")
    command = [sys.executable, "-m", "edge", "dashboard", "--config", str(path)]
    project = Path(__file__).resolve().parents[1]
    with (folder / "dashboard.log").open("w") as log:
        process = subprocess.Popen(command, cwd=project, stdout=subprocess.PIPE, stderr=log, text=True)
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line.startswith("dashboard: "):
            raise AuscultError(path, f"the dashboard did not start: {(folder / 'dashboard.log').read_text().strip()[-300:]}")
        yield process, line.removeprefix("dashboard: ").strip()
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(START_S)
        finally:
            process.kill()
            if process.stdout is not None:
                process.stdout.close()


def _chromium(stack: ExitStack) -> tuple[Chrome | None, str]:
    """A browser without a window, or why there is none."""
    chromium, chromedriver = shutil.which("chromium") or shutil.which("google-chrome"), shutil.which("chromedriver")
    if chromium is None or chromedriver is None:
        return None, "Chromium or its driver is not installed"
    try:
        from selenium.webdriver import Chrome, ChromeOptions
        from selenium.webdriver.chrome.service import Service
    except ModuleNotFoundError:
        return None, "the package selenium is not installed"
    options = ChromeOptions()
    options.binary_location = chromium
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--window-size=1280,1000"):
        options.add_argument(argument)
    driver = Chrome(options=options, service=Service(chromedriver))
    stack.callback(driver.quit)
    driver.execute_cdp_cmd("Performance.enable", {})
    return driver, ""


def _page_weight(driver: Chrome, at_s: float) -> Weight:
    told = {one["name"]: one["value"] for one in driver.execute_cdp_cmd("Performance.getMetrics", {})["metrics"]}
    browser = driver.service.process
    renderers = [pid for pid in _descendants(browser.pid) if "--type=renderer" in _command_line(pid)]
    weight = _weight(renderers, at_s)
    return Weight(at_s, weight.cpu_s, sum(map(_own_mb, renderers)), told["JSHeapUsedSize"] / MEGA, int(told["Nodes"]))


def _weight(pids: list[int], at_s: float) -> Weight:
    cpu_s = rss = 0.0
    for pid in pids:
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        cpu_s += (int(fields[11]) + int(fields[12])) / _TICKS
        rss += int(fields[21]) * os.sysconf("SC_PAGE_SIZE")
    return Weight(at_s, cpu_s, rss / MEGA)


def _own_mb(pid: int) -> float:
    """Memory of one of many processes that share most of theirs: each has its part of what is shared (PSS)."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0.0
    return next(int(line.split()[1]) * 1024 / MEGA for line in lines if line.startswith("Pss:"))


def _descendants(pid: int) -> list[int]:
    parents: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except (OSError, IndexError):
                continue
    found, fresh = [], [pid]
    while fresh:
        fresh = [child for child, parent in parents.items() if parent in fresh]
        found += fresh
    return found


def _command_line(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""


def _cpu_fraction(weights: list[Weight]) -> float:
    if len(weights) < 2 or weights[-1].at_s == weights[0].at_s:
        return 0.0
    return (weights[-1].cpu_s - weights[0].cpu_s) / (weights[-1].at_s - weights[0].at_s)


def _kept(path: Path) -> tuple[int, int, list[tuple[float, str]], int]:
    """Windows, events and gaps in the history, and its size."""
    db = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    try:
        (windows,) = db.execute("SELECT coalesce(sum(windows), 0) FROM buckets WHERE step = 3600").fetchone()
        (events,) = db.execute("SELECT count(*) FROM events WHERE type = 'closed'").fetchone()
        gaps = [(row[0], row[1]) for row in db.execute("SELECT t_end - t_start, reason FROM gaps ORDER BY t_start")]
    finally:
        db.close()
    return windows, events, gaps, path.stat().st_size


def _wait_for_port(port: int, what: str) -> None:
    deadline_s = time.monotonic() + START_S
    while time.monotonic() < deadline_s:
        with socket.socket() as probe:
            if probe.connect_ex((HOST, port)) == 0:
                return
        time.sleep(0.05)
    raise AuscultError(f"{HOST}:{port}", f"{what} did not start within {START_S:.0f} s")


def document(cost: DashboardCost) -> dict[str, Any]:
    """The result for a program."""
    late = [weight for weight in cost.server if weight.at_s >= WARM_UP_S] or cost.server
    return {
        "sources": cost.sources,
        "scores_per_s": cost.sources / HOP_S,
        "minutes": cost.seconds / 60.0,
        "server_cpu_fraction": round(cost.server_cpu_fraction, 4),
        "server_rss_mb": {
            "first": round(late[0].memory_mb, 1),
            "last": round(late[-1].memory_mb, 1),
            "largest": round(max(w.memory_mb for w in late), 1),
        },
        "pages": [_page_document(page) for page in cost.pages],
        "why_no_pages": cost.why_no_pages,
        "scores_sent": cost.scores_sent,
        "scores_kept": cost.scores_kept,
        "events_sent": cost.events_sent,
        "events_kept": cost.events_kept,
        "gaps": [{"seconds": round(seconds, 1), "reason": reason} for seconds, reason in cost.gaps],
        "history_mb": round(cost.history_mb, 2),
    }


def _page_document(page: PageCost) -> dict[str, Any]:
    began_s = page.weights[0].at_s
    late = [weight for weight in page.weights if weight.at_s >= began_s + WARM_UP_S] or page.weights
    heaps = sorted(weight.heap_mb for weight in late)
    half = max(1, len(late) // 2)
    # What the collector leaves is the least of a stretch: the heap goes up and down all the time.
    floors = [min(weight.heap_mb for weight in part) for part in (late[:half], late[half:] or late)]
    return {
        "page": page.page,
        "cpu_fraction": round(page.cpu_fraction, 4),
        "memory_mb": {"first": round(late[0].memory_mb, 1), "last": round(late[-1].memory_mb, 1)},
        "heap_mb": {
            "least_of_first_half": round(floors[0], 2),
            "least_of_second_half": round(floors[1], 2),
            "largest": round(heaps[-1], 2),
        },
        "elements": {"first": late[0].elements, "last": late[-1].elements},
    }
