"""A fleet's bundles: the same bit for bit however they are made, made once, and not lost with a worker or another machine."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path

import numpy as np
import pytest
import soundfile

from calibrate.calibration import calibrate
from calibrate.cluster import Failure
from calibrate.fitters.patchcore import PatchCoreSettings
from calibrate.fleet import RECORD, FleetBundle, Unit, calibrate_fleet
from calibrate.settings import CalibrationSettings
from edge.errors import UserError
from edge.model import Model
from tests.dask_cluster import DaskCluster, dask_cluster

RATE_HZ = 16000
SETTINGS = CalibrationSettings(
    fitting=PatchCoreSettings(coreset=20), backbone="logmel", created_at=datetime(2026, 11, 20, 12, tzinfo=timezone.utc)
)
MACHINES = 6


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> tuple[Unit, ...]:
    """Machines that hiss, each in its own way; the last is heard by the network too."""
    folder = tmp_path_factory.mktemp("recordings")
    return tuple(
        replace(unit_of(folder, number), settings=replace(SETTINGS, backbone="cnn14-random" if number == MACHINES else "logmel"))
        for number in range(1, MACHINES + 1)
    )


def unit_of(folder: Path, number: int, level: float = 0.05) -> Unit:
    (folder / f"pump{number}").mkdir()
    recordings = tuple(folder / f"pump{number}" / f"{index}.wav" for index in range(3))
    for index, path in enumerate(recordings):
        sound = np.random.default_rng([number, index]).standard_normal(6 * RATE_HZ) * level
        soundfile.write(path, sound, RATE_HZ)
    return Unit(f"pump{number}", number + 1, recordings, SETTINGS)


@pytest.fixture(scope="module")
def in_order(fleet: tuple[Unit, ...], tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The bundles as one machine after the other gives them."""
    folder = tmp_path_factory.mktemp("in_order")
    done = list(calibrate_fleet(fleet, folder))
    assert [(unit, result.unit) for unit, result in done if isinstance(result, FleetBundle)] == [(unit, unit.name) for unit in fleet]
    return bundles_in(folder)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DaskCluster]:
    with dask_cluster(tmp_path_factory.mktemp("cluster"), "always", "mortal") as running:
        yield running


def bundles_in(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.name != RECORD}


def made(units: tuple[Unit, ...], folder: Path, *, anew: bool = False) -> list[str]:
    """Calibrate; the names of those that were not skipped."""
    results = [result for _, result in calibrate_fleet(units, folder, anew=anew)]
    assert all(isinstance(result, FleetBundle) for result in results)
    return [result.unit for result in results if isinstance(result, FleetBundle) and not result.skipped]


def test_calibrate_fleet_in_order_gives_the_bundles_of_single_calibrations(
    fleet: tuple[Unit, ...], in_order: dict[str, bytes], tmp_path: Path
) -> None:
    assert set(in_order) == {f"pump{number}.auscult" for number in range(1, MACHINES + 1)}
    assert len(set(in_order.values())) == MACHINES
    for unit in (fleet[0], fleet[-1]):
        output = tmp_path / f"{unit.name}.auscult"
        calibrate(list(unit.recordings), output, unit.settings)
        assert output.read_bytes() == in_order[output.name]
        assert Model.load(output).bundle.manifest.created_at == "2026-11-20T12:00:00+00:00"


@pytest.mark.slow
def test_calibrate_fleet_on_local_workers_gives_the_same_bundles(
    fleet: tuple[Unit, ...], in_order: dict[str, bytes], tmp_path: Path
) -> None:
    done = dict(calibrate_fleet(fleet, tmp_path / "bundles", "local"))
    assert set(done) == set(fleet)
    assert bundles_in(tmp_path / "bundles") == in_order


def test_calibrate_fleet_when_a_worker_is_killed_gives_the_same_bundles(
    fleet: tuple[Unit, ...], in_order: dict[str, bytes], cluster: DaskCluster, tmp_path: Path
) -> None:
    killer = threading.Thread(target=cluster.kill_at_work, args=("mortal", "auscult-*"), daemon=True)
    killer.start()
    done = [unit.name for unit, _ in calibrate_fleet(fleet, tmp_path / "bundles", cluster.address)]
    killer.join(timeout=10)
    assert len(list(cluster.temporary("mortal").glob("auscult-*"))) == 1  # it was at work
    assert sorted(done) == [unit.name for unit in fleet]
    assert bundles_in(tmp_path / "bundles") == in_order


def test_calibrate_fleet_with_workers_that_do_not_see_the_recordings_refuses_them(
    fleet: tuple[Unit, ...], cluster: DaskCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = (tmp_path / "0.wav", tmp_path / "1.wav")  # the workers are on this computer, so they lack what we lack
    monkeypatch.setattr("calibrate.fleet._samples_of", lambda units: elsewhere)
    with pytest.raises(UserError, match=rf"worker tcp://.*: cannot read {elsewhere[0]} and 1 more; share that folder with it"):
        next(calibrate_fleet(fleet, tmp_path / "bundles", cluster.address))


def test_calibrate_fleet_with_a_machine_that_fails_makes_the_others(
    fleet: tuple[Unit, ...], in_order: dict[str, bytes], tmp_path: Path
) -> None:
    silent = unit_of(tmp_path, 9, level=0.0)
    results = dict(calibrate_fleet((fleet[0], silent, fleet[1]), tmp_path / "bundles"))
    failure = results[silent]
    assert isinstance(failure, Failure)
    assert failure.exit_code == 2
    assert failure.problem.startswith("3 of 3 recordings: nothing can be learned from ")
    assert "(silent)" in failure.problem
    assert bundles_in(tmp_path / "bundles") == {name: in_order[name] for name in ("pump1.auscult", "pump2.auscult")}


def test_calibrate_fleet_again_makes_only_what_would_differ(tmp_path: Path) -> None:
    one, two = unit_of(tmp_path, 1), unit_of(tmp_path, 2)
    folder = tmp_path / "bundles"
    assert made((one, two), folder) == ["pump1", "pump2"]
    before = bundles_in(folder)
    later = replace(SETTINGS, created_at=datetime(2026, 11, 21, tzinfo=timezone.utc))
    assert made((replace(one, settings=later), replace(two, settings=later)), folder) == []
    assert bundles_in(folder) == before
    assert made((replace(one, settings=replace(SETTINGS, channel="mix")), two), folder) == ["pump1"]
    assert made((one, two), folder) == ["pump1"]
    assert made((one, replace(two, recordings=two.recordings[:2])), folder) == ["pump2"]
    os.utime(one.recordings[0], ns=(0, 0))
    assert made((one, two), folder) == ["pump1", "pump2"]
    assert bundles_in(folder) == before
    assert made((one, two), folder, anew=True) == ["pump1", "pump2"]


@pytest.mark.parametrize("harm", ["removed", "replaced", "unrecorded", "other"])
def test_calibrate_fleet_again_with_a_bundle_it_did_not_make_makes_it_anew(harm: str, tmp_path: Path) -> None:
    one, two = unit_of(tmp_path, 1), unit_of(tmp_path, 2)
    folder = tmp_path / "bundles"
    made((one, two), folder)
    before = bundles_in(folder)
    first, second, record = folder / "pump1.auscult", folder / "pump2.auscult", folder / RECORD
    if harm == "removed":
        first.unlink()
    elif harm == "replaced":
        first.write_bytes(second.read_bytes())
    elif harm == "unrecorded":
        record.write_text("{")
    else:
        record.write_text(json.dumps(json.loads(record.read_text()) | {"schema": 2}))
    assert made((one, two), folder) == (["pump1"] if harm in ("removed", "replaced") else ["pump1", "pump2"])
    assert bundles_in(folder) == before


def test_calibrate_fleet_that_stops_half_way_keeps_what_it_has(fleet: tuple[Unit, ...], in_order: dict[str, bytes], tmp_path: Path) -> None:
    folder = tmp_path / "bundles"
    work = calibrate_fleet(fleet[:3], folder)
    next(work)
    next(work)
    work.close()
    assert bundles_in(folder) == {name: in_order[name] for name in ("pump1.auscult", "pump2.auscult")}
    assert made(fleet[:3], folder) == ["pump3"]


def test_calibrate_fleet_into_a_folder_that_cannot_be_refuses_before_the_work(fleet: tuple[Unit, ...], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=r"file/bundles: cannot be made: Not a directory; give --output-dir another name"):
        next(calibrate_fleet(fleet, tmp_path / "file" / "bundles"))
    (tmp_path / "pump2.auscult").write_text("a recording, say")
    with pytest.raises(UserError, match=r"pump2\.auscult: exists and is not a bundle; give --output-dir another name"):
        next(calibrate_fleet(fleet, tmp_path))
    assert not (tmp_path / "pump1.auscult").exists()
