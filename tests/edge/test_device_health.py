from __future__ import annotations

from pathlib import Path

import pytest

from edge import device_health


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_device_health_unknown_is_none(tmp_path: Path) -> None:
    assert device_health.rss_mb(tmp_path) is None
    assert device_health.temperature_c(tmp_path) is None
    assert device_health.throttled(tmp_path) is None
    assert device_health.disk_free_fraction(tmp_path / "missing") is None


def test_device_health_of_this_process_is_plausible() -> None:
    memory_mb = device_health.rss_mb()
    free = device_health.disk_free_fraction(Path("/"))
    assert memory_mb is not None
    assert 5 < memory_mb < 10_000
    assert free is not None
    assert 0 <= free <= 1
    assert device_health.clock_synced() in (True, False, None)


def test_temperature_is_the_hottest_plausible_zone(tmp_path: Path) -> None:
    for zone, text in enumerate(("41200\n", "55500\n", "-256000\n", "garbage")):
        write(tmp_path / f"sys/class/thermal/thermal_zone{zone}/temp", text)
    assert device_health.temperature_c(tmp_path) == 55.5


@pytest.mark.parametrize(("text", "expected"), [("0\n", False), ("50000\n", False), ("50005\n", True), ("0x4\n", True)])
@pytest.mark.parametrize("soc", ["soc", "soc@107c000000"])
def test_throttled_tells_of_now_and_not_of_the_past(tmp_path: Path, soc: str, text: str, expected: bool) -> None:
    write(tmp_path / f"sys/devices/platform/{soc}/{soc}:firmware/get_throttled", text)
    assert device_health.throttled(tmp_path) is expected
