from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from edge.bundles.bundle import Bundle
from edge.learning.fitting import AT_LEAST_EVERY_S, FIRST_AFTER_S, LONGEST_S, RETRY_FIRST_S, Fitting, due_s, options_of
from edge.learning.versions import Versions
from tests.bundles import CalibratedMachine

BASE = "a" * 64
COPY = "import shutil, sys; shutil.copy({bundle!r}, sys.argv[sys.argv.index('--output') + 1])"
FAIL = "import sys; print('auscult: pump1: holds too little', file=sys.stderr); sys.exit(2)"
HANG = "import time; time.sleep(60)"


class Clock:
    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def python(code: str) -> tuple[str, ...]:
    return (sys.executable, "-c", code)


def polled(fitting: Fitting, until: Callable[[], bool]) -> bool:
    """Whether a version came into force."""
    found = False
    for _ in range(3000):
        found |= fitting.poll()
        if until():
            return found
        time.sleep(0.01)
    raise AssertionError("it does not end")


def test_due_is_after_half_an_hour_then_when_twice_as_much_is_known_then_daily() -> None:
    dues = [due_s(0.0)]
    while len(dues) < 9:
        dues.append(due_s(dues[-1]))
    assert dues[:6] == [FIRST_AFTER_S * 2**n for n in range(6)]
    assert dues[-1] - dues[-2] == AT_LEAST_EVERY_S


def test_fitting_makes_a_version_of_what_the_process_writes(machine: CalibratedMachine, tmp_path: Path) -> None:
    fitting = Fitting("pump1", tmp_path, python(COPY.format(bundle=str(machine.bundle))))
    fitting.begin(3600.0, BASE, machine.model.bundle.manifest)
    assert fitting.is_busy
    assert polled(fitting, lambda: not fitting.is_busy)
    chosen = Versions(tmp_path).chosen(BASE)
    assert chosen is not None
    assert chosen.learned_s == 3600.0
    assert chosen.sha256 == Bundle.read(Versions(tmp_path).path(chosen)).sha256 == machine.model.bundle.sha256


def test_fitting_that_fails_says_why_and_tries_again_later(
    machine: CalibratedMachine, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    clock = Clock()
    fitting = Fitting("pump1", tmp_path, python(FAIL), clock)
    for tries in range(2):
        fitting.begin(3600.0, BASE, machine.model.bundle.manifest)
        assert not polled(fitting, lambda: not fitting.is_busy)
        assert "holds too little" in str(fitting.problem)
        fitting.begin(3600.0, BASE, machine.model.bundle.manifest)
        assert not fitting.is_busy  # too early
        clock.now_s += RETRY_FIRST_S * 2**tries
    assert [record.levelno for record in caplog.records] == [logging.ERROR] * 2
    assert Versions(tmp_path).chosen(BASE) is None


def test_fitting_that_takes_too_long_is_stopped(machine: CalibratedMachine, tmp_path: Path) -> None:
    clock = Clock()
    fitting = Fitting("pump1", tmp_path, python(HANG), clock)
    fitting.begin(3600.0, BASE, machine.model.bundle.manifest)
    clock.now_s = LONGEST_S + 1.0
    assert not fitting.poll()
    assert not fitting.is_busy
    assert "took longer than 30 min" in str(fitting.problem)


def test_fitting_of_a_damaged_bundle_is_a_failure(machine: CalibratedMachine, tmp_path: Path) -> None:
    fitting = Fitting("pump1", tmp_path, python("import sys; open(sys.argv[sys.argv.index('--output') + 1], 'w').write('x')"))
    fitting.begin(3600.0, BASE, machine.model.bundle.manifest)
    assert not polled(fitting, lambda: not fitting.is_busy)
    assert "not a zip archive" in str(fitting.problem)


def test_fitting_without_a_program_is_a_failure(machine: CalibratedMachine, tmp_path: Path) -> None:
    fitting = Fitting("pump1", tmp_path, ("/nowhere/calibrate",))
    fitting.begin(3600.0, BASE, machine.model.bundle.manifest)
    assert "cannot be begun" in str(fitting.problem)


def test_fitting_asks_for_a_bundle_of_the_same_kind(machine: CalibratedMachine) -> None:
    options = options_of(machine.model.bundle.manifest)
    assert dict(zip(options[::2], options[1::2], strict=True)) == {
        "--false-alarms-per-week": "1.0",
        "--level": "absolute",
        "--coreset": "64",
        "--banks": "per-band",
    }
