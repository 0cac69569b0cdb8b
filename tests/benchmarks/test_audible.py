from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from benchmarks.audible import audible_unit, check_audible
from benchmarks.datasets.manifest import Unit
from calibrate.left_out import Sieve
from edge.errors import AudioError
from edge.scoring import score_file
from tests.benchmarks.spoilt import REASONS, spoilt
from tests.bundles import RATE_HZ, CalibratedMachine


def recording(path: Path, *stretches: tuple[float, bool]) -> Path:
    """So many seconds each, of noise or of digital silence."""
    random = np.random.default_rng(0)
    parts = [random.standard_normal(round(s * RATE_HZ)) * 0.05 if heard else np.zeros(round(s * RATE_HZ)) for s, heard in stretches]
    soundfile.write(path, np.concatenate(parts), RATE_HZ)
    return path


@pytest.mark.parametrize(
    ("stretches", "audible"),
    [
        ([(2.0, True)], True),
        ([(2.0, True), (1.0, False)], True),
        ([(1.0, True), (2.0, False)], False),
        ([(2.0, False)], False),
        ([(30.0, False), (6.0, True), (30.0, False)], True),  # one window of ten seconds is heard
        ([(30.0, False), (4.0, True), (30.0, False)], False),
        ([(2.0, True), (8.0, False)] * 4, False),
        ([(0.3, True)], True),
    ],
)
def test_check_audible_says_what_a_bundle_would_say(
    machine: CalibratedMachine, tmp_path: Path, stretches: list[tuple[float, bool]], audible: bool
) -> None:
    path = recording(tmp_path / "a.wav", *stretches)
    if audible:
        check_audible(path)
        assert np.isfinite(score_file(machine.model, path).score)
    else:
        for refused in (check_audible, lambda path: score_file(machine.model, path)):
            with pytest.raises(AudioError, match="most of it is digital silence"):
                refused(path)


def test_audible_unit_is_without_what_cannot_be_heard_and_says_why(tmp_path: Path) -> None:
    good = recording(tmp_path / "good.wav", (1.0, True))
    bad = tuple(spoilt(tmp_path, kind, f"{kind}.wav") for kind in REASONS)
    sieve = Sieve()
    kept = audible_unit(Unit("fan", "factory", "fan", (good, bad[0]), (bad[1], good), (bad[2], bad[3])), sieve)
    assert (kept.fit, kept.normal, kept.anomalous) == ((good,), (good,), ())
    assert [Path(one.file) for one in sieve.left_out] == list(bad)
    assert all(one.reason.startswith(reason) for one, reason in zip(sieve.left_out, REASONS.values(), strict=True))
