"""`auscult demo --watch`: the demo in a real Chromium."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.browser import Browser

ROOT = Path(__file__).resolve().parents[2]
# The same demo with less of what is normal before and between its faults: its stream is played at its own speed.
SHORT = """
import calibrate.demo.scene as scene
scene.NORMAL_S, scene.BETWEEN_S = 20.0, 27.0
scene.STREAM_S = scene.NORMAL_S + 10.0 + 3 * scene.BETWEEN_S
import sys, auscult
sys.exit(auscult.main(sys.argv[1:]))
"""
BLOCKED = """
import sys
class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("starlette", "uvicorn"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Blocker())
import auscult
sys.exit(auscult.main(sys.argv[1:]))
"""


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_demo_is_seen_in_a_browser_with_its_faults_and_their_hertz(browser: Browser, tmp_path: Path) -> None:
    command = [sys.executable, "-c", SHORT, "demo", "--watch", "--minutes", "3", "--output", str(tmp_path)]
    with (tmp_path / "output").open("wb") as output:
        demo = subprocess.Popen(command, cwd=ROOT, stdout=output, stderr=subprocess.STDOUT)

    def said() -> str:
        return (tmp_path / "output").read_text(errors="replace")

    try:
        found: re.Match[str] = browser.until(lambda: re.search(r"watch it at (http://127.0.0.1:[0-9]+/)", said()), "the address", 60.0)
        browser.open(f"{found[1]}#/events")
        browser.wait(".filter")
        browser.until(lambda: "played again and again" in said(), "the end of the demo", 330.0)
        assert "passed: silent for 20 s, then one event for each of 3 faults" in said()
        events = browser.until(lambda: len(browser.all(".events a")) >= 3 and browser.all(".events a"), "three events")
        tone = next(event for event in events if "2.8 kHz" in event.text)
        tone.click()
        browser.wait_text("table", "3.7 kHz")
        browser.wait("audio")
        browser.open(found[1])
        browser.wait("a.machine.check")  # the machine is there again, with events to judge
        assert browser.errors() == []
    finally:
        demo.send_signal(signal.SIGINT)
        code = demo.wait(30.0)
    assert code == 0, said()[-2000:]


@pytest.mark.parametrize(("arguments", "extra"), [(["demo", "--watch"], "demo"), (["dashboard"], "dashboard")])
def test_page_without_its_packages_is_one_line_with_the_remedy(arguments: list[str], extra: str, tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", BLOCKED, *arguments], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith("auscult: this needs the package")
    assert line.endswith(f"install it with: pip install 'auscult[{extra}]'")
