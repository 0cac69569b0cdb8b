"""Reports in a real browser: no error, no request, light and dark."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from edge.console.cli import run_command
from tests.bundles import RATE_HZ, CalibratedMachine
from tests.calibrate.report.chromium import browser, opened, pictured

pytest.importorskip("matplotlib", reason="reports need the extra [report]")
pytest.importorskip("sklearn", reason="the figures need the extra [benchmark]")

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

HOSTILE = "<script src=http:127.0.0.1:9>alert(1)<&>.wav"


@pytest.fixture(scope="module")
def reports(machine: CalibratedMachine, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """One of each kind."""
    browser()
    folder = tmp_path_factory.mktemp("reports")
    for kind, gain in (("normal", 1.0), ("anomalous", 3.0)):
        (folder / kind).mkdir()
        for index, part in enumerate(np.split(machine.samples[: 8 * RATE_HZ], 4)):
            soundfile.write(folder / kind / (f"{index}.wav" if index else HOSTILE), np.clip(gain * part, -1, 1), RATE_HZ)
    calibration, evaluation = folder / "calibration.html", folder / "evaluation.html"
    normal, anomalous, bundle = str(folder / "normal"), str(folder / "anomalous"), str(folder / "fan.auscult")
    options = ["--backbone", "logmel", "--coreset", "50", "--false-alarms-per-week", "10000", "--report", str(calibration)]
    recordings = ["--recordings", normal, *(str(path) for path in machine.recordings)]
    assert run_command("calibrate.commands.calibrate", "auscult calibrate", [*recordings, "--output", bundle, *options]) == 0
    classes = ["--normal", normal, "--anomalous", anomalous, "--report", str(evaluation)]
    assert run_command("calibrate.commands.evaluate", "auscult evaluate", ["--bundle", bundle, *classes]) == 0
    return {"calibration": calibration, "evaluation": evaluation}


@pytest.mark.parametrize("kind", ["calibration", "evaluation"])
def test_report_in_a_browser_complains_of_nothing_and_asks_nobody(reports: dict[str, Path], kind: str, tmp_path: Path) -> None:
    seen = opened(reports[kind], tmp_path)
    assert seen.messages == []
    assert seen.requests == set()
    assert "All recordings" in seen.dom
    assert "<script" not in seen.dom


def test_the_test_sees_a_page_that_complains_and_asks(tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    page.write_text("<!doctype html><img src='http://127.0.0.1:9/picture.png'><script>console.error('broken')</script>")
    seen = opened(page, tmp_path)
    assert any("broken" in message for message in seen.messages)
    assert seen.requests == {"http://127.0.0.1:9/picture.png"}


@pytest.mark.parametrize(("options", "paper"), [((), (255, 255, 255)), (("--force-dark-mode",), (0x12, 0x17, 0x1E))])
def test_report_in_a_browser_is_light_or_dark_as_its_reader(
    reports: dict[str, Path], options: tuple[str, ...], paper: tuple[int, int, int], tmp_path: Path
) -> None:
    from PIL import Image

    picture = tmp_path / "picture.png"
    pictured(reports["calibration"], picture, tmp_path, *options)
    image = np.asarray(Image.open(picture).convert("RGB"))
    assert tuple(image[2, 2]) == paper
    assert len(np.unique(image.reshape(-1, 3), axis=0)) > 500  # spectrograms, curves and words
