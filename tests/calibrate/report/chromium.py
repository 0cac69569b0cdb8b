"""A report in a real browser, without a window: what it shows, what it complains of, and whom it asks for anything."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from urllib.parse import urlsplit

import pytest

PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
OPTIONS = (
    "--headless=new",
    "--no-sandbox",  # which root, as in a container, has to do without
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
    "--hide-scrollbars",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",  # nobody outside is asked for anything by a test
)
OWN = ("google.com", "googleapis.com", "gstatic.com", "gvt1.com")  # whom the browser asks by itself, whatever it shows


class Seen:
    """What came of a page."""

    def __init__(self, messages: list[str], requests: set[str], dom: str) -> None:
        self.messages = messages
        self.requests = requests
        self.dom = dom


def browser() -> str:
    """The program; skips the test without one."""
    for program in PROGRAMS:
        if found := shutil.which(program):
            return found
    pytest.skip("no Chromium; sudo apt install chromium")


def opened(page: Path, folder: Path) -> Seen:
    """Open a page from the disk."""
    log = folder / "net.json"
    done = _run("--enable-logging=stderr", f"--log-net-log={log}", "--dump-dom", page.as_uri(), folder=folder)
    messages = [line.partition("CONSOLE")[2] for line in done.stderr.splitlines() if "CONSOLE" in line]
    return Seen(messages, _requests(log.read_text()), done.stdout)


def pictured(page: Path, picture: Path, folder: Path, *options: str, height: int = 2400) -> None:
    """Take a picture of a page."""
    _run(*options, f"--window-size=1100,{height}", f"--screenshot={picture}", page.as_uri(), folder=folder)


def _run(*options: str, folder: Path) -> subprocess.CompletedProcess[str]:
    command = [browser(), *OPTIONS, f"--user-data-dir={folder / 'profile'}", *options]
    return subprocess.run(command, capture_output=True, text=True, timeout=100, check=True)


def _requests(log: str) -> set[str]:
    """The addresses that were asked, without the browser's own and what a page has in itself."""
    try:
        events = json.loads(log)["events"]
    except ValueError:  # it was ended before it had written the end
        events = json.loads(f"{log.rstrip().rstrip(',')}]}}")["events"]
    found = {str(event["params"]["url"]) for event in events if "url" in event.get("params", {})}
    return {url for url in found if url.startswith(("http", "ws", "ftp")) and not (urlsplit(url).hostname or "").endswith(OWN)}
