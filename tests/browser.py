"""A real Chromium without a window. A pytest plugin: see the fixture `browser`, and `--screenshots DIR`."""

from __future__ import annotations

import base64
import json
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from selenium.common.exceptions import WebDriverException
from selenium.webdriver import Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement

TIMEOUT_S = 20.0
_INSTALL = "sudo apt install chromium chromium-driver"

# Text whose contrast is below WCAG 2.2's level AA, with what it stands on. Colours that are half transparent are laid over each other.
CONTRAST = """
const parse = (text) => { const [r, g, b, a = 1] = text.match(/[\\d.]+/g).map(Number); return [r, g, b, a]; };
const over = ([r, g, b, a], below) => [r, g, b].map((value, index) => value * a + below[index] * (1 - a)).concat(1);
const linear = (value) => (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4);
const lightness = (colour) => {
  const [r, g, b] = colour.slice(0, 3).map((value) => linear(value / 255));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const ground = (element) => {
  const layers = [];
  for (let at = element; at; at = at.parentElement) layers.push(parse(getComputedStyle(at).backgroundColor));
  return layers.reduceRight((below, layer) => over(layer, below), [255, 255, 255, 1]);
};
const poor = [];
for (const element of document.querySelectorAll('body *')) {
  const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
  if (!own || !element.checkVisibility() || element.closest('[disabled], dialog:not([open]), .skip, option')) continue;
  const style = getComputedStyle(element);
  const below = ground(element);
  const text = over(parse(style.color), below);
  const [light, dark] = [lightness(text), lightness(below)].sort((a, b) => b - a);
  const ratio = (light + 0.05) / (dark + 0.05);
  const isLarge = parseFloat(style.fontSize) >= 24 || (parseFloat(style.fontSize) >= 18.66 && style.fontWeight >= 700);
  if (ratio < (isLarge ? 3 : 4.5)) poor.push(`${element.textContent.trim().slice(0, 40)}: ${ratio.toFixed(2)}`);
}
return poor;
"""
# Controls that a screen reader could not name, and whatever is wider than the screen.
UNNAMED = """
const named = (element) => element.getAttribute('aria-label') || element.getAttribute('aria-labelledby') || element.textContent.trim() ||
  element.labels?.length || element.title || element.alt;
return [...document.querySelectorAll('a, button, input, select, textarea, canvas:not([aria-hidden]), audio, img:not([alt=""])')]
  .filter((element) => element.checkVisibility() && !named(element)).map((element) => element.outerHTML.slice(0, 100));
"""


class Browser:
    """One window. What the page logs as an error fails the test that looks: see `errors`."""

    def __init__(self, driver: Chrome) -> None:
        self.driver = driver

    def open(self, url: str) -> None:
        """Go to an address; the same page with another hash is loaded anew."""
        self.driver.get("about:blank")
        self.driver.get(url)

    def all(self, selector: str) -> list[WebElement]:
        """Elements by CSS."""
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def wait(self, selector: str, timeout_s: float = TIMEOUT_S) -> WebElement:
        """The first element that fits and is visible."""
        found: WebElement = self.until(lambda: next((one for one in self.all(selector) if one.is_displayed()), None), selector, timeout_s)
        return found

    def wait_text(self, selector: str, text: str, timeout_s: float = TIMEOUT_S) -> WebElement:
        """The first element that fits and holds a text."""
        what = f"{selector}: {text}"
        found: WebElement = self.until(lambda: next((one for one in self.all(selector) if text in one.text), None), what, timeout_s)
        return found

    def until(self, look: Callable[[], Any], what: str, timeout_s: float = TIMEOUT_S) -> Any:
        """What `look` finds; an element that went while it was looked at counts as none."""
        deadline_s = time.monotonic() + timeout_s
        while True:
            try:
                found = look()
            except WebDriverException:
                found = None
            if found:
                return found
            if time.monotonic() > deadline_s:
                pytest.fail(f"not within {timeout_s:g} s: {what}; the page says {self.text()[:1500]!r}; errors: {self.errors()}")
            time.sleep(0.05)

    def text(self) -> str:
        """All that is to be read."""
        return str(self.run("return document.body.innerText"))

    def run(self, script: str, *arguments: Any) -> Any:
        """Run JavaScript in the page."""
        return self.driver.execute_script(script, *arguments)

    def keys(self, *keys: str) -> None:
        """Type into whatever has the focus."""
        self.driver.switch_to.active_element.send_keys(*keys)

    def errors(self) -> list[str]:
        """What the page has logged as an error; requests that found no server are not the page's fault."""
        entries = [json.dumps(entry["message"]) for entry in self.driver.get_log("browser") if entry["level"] == "SEVERE"]  # type: ignore[no-untyped-call]
        return [entry for entry in entries if "net::ERR_" not in entry]

    def like(self, *, dark: bool = False, phone: bool = False, zone: str = "Europe/Berlin") -> None:
        """A screen."""
        command = self.driver.execute_cdp_cmd
        theme = "dark" if dark else "light"
        command("Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": theme}]})
        width, height = (390, 844) if phone else (1280, 800)
        command("Emulation.setDeviceMetricsOverride", {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": phone})
        command("Emulation.setTimezoneOverride", {"timezoneId": zone})
        command("Emulation.setLocaleOverride", {"locale": "en-GB"})

    def screenshot(self, path: Path) -> None:
        """All of the page, also below the window."""
        found = self.driver.execute_cdp_cmd("Page.captureScreenshot", {"captureBeyondViewport": True})
        path.write_bytes(base64.b64decode(found["data"]))


def pytest_addoption(parser: pytest.Parser) -> None:
    """Where pictures of the pages go."""
    parser.addoption("--screenshots", metavar="DIR", help="write pictures of the dashboard's pages there")


@pytest.fixture(scope="session")
def screenshots(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder for pictures."""
    given = request.config.getoption("--screenshots")
    folder = Path(given) if given else tmp_path_factory.mktemp("screenshots")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chrome]:
    """One Chromium for all tests of a file."""
    chromium, chromedriver = shutil.which("chromium") or shutil.which("google-chrome"), shutil.which("chromedriver")
    if chromium is None or chromedriver is None:
        pytest.skip(f"Chromium or its driver is not installed; {_INSTALL}")
    options = ChromeOptions()
    options.binary_location = chromium
    profile = tmp_path_factory.mktemp("chromium")
    # A test often runs as root, or in a container with a small /dev/shm.
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", f"--user-data-dir={profile}"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = Chrome(options=options, service=Service(chromedriver))
    try:
        yield driver
    finally:
        driver.quit()


@pytest.fixture
def browser(driver: Chrome) -> Iterator[Browser]:
    """A window without cookies."""
    driver.execute_cdp_cmd("Network.clearBrowserCookies", {})
    found = Browser(driver)
    found.like()
    found.errors()
    yield found
    driver.get("about:blank")
