from __future__ import annotations

import logging
import resource
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from edge.features.feature_extractor import FeatureExtractor, PlacedBlock
from edge.judgement.window import Window
from edge.learning.packed import unpack
from edge.learning.source_learner import DAY_S, SourceLearner, unlearnable
from edge.learning.starter import starter_path
from edge.learning.store import Store, forget
from edge.learning.stretch import APART_CELLS, HALF, LONE_COLUMNS, WINDOW_COLUMNS, Stretch
from edge.model import Model
from edge.pipeline import Listener
from tests.bundles import RATE_HZ, CalibratedMachine, Float32

STRETCH_CELLS = 750
SECONDS = 130.0


@pytest.fixture(scope="module")
def sound(machine: CalibratedMachine) -> Float32:
    """Two minutes of the machine; each cell differs from all others, for a swell goes over it."""
    repeated = np.resize(machine.samples, round(SECONDS * RATE_HZ))
    return (repeated * np.linspace(0.9, 1.1, len(repeated))).astype(np.float32)


def learn(model: Model, sound: Float32, learner: SourceLearner) -> list[Window]:
    """What a listener says of the sound while somebody learns from it."""
    listener = Listener(model, RATE_HZ)
    listener.overhear(learner)
    results = [result for second in np.array_split(sound, len(sound) // RATE_HZ) for result in listener.push(second)]
    return [result for result in results if isinstance(result, Window)]


def embedded(model: Model, sound: Float32) -> dict[str, Float32]:
    """The patches of all cells, (cell, band, dimension), as halves hold them."""
    detector = model.detector
    extractor = FeatureExtractor(model.feature_source, RATE_HZ, model.bandwidth_hz)
    embedder = detector.embedder()  # type: ignore[attr-defined]  # it is a PatchCore
    found: dict[str, list[Float32]] = {feature: [] for feature in detector.features}
    for heard in extractor.push(sound):
        if isinstance(heard, PlacedBlock):
            embeddings = embedder.push(heard.block)
            for feature in found:
                found[feature] += list(embeddings.of(feature)[max(0, -embeddings.first_cell) :].copy())
    return {feature: np.stack(own).astype(np.float16) for feature, own in found.items()}


def cells_of(stretch: Stretch, everything: dict[str, Float32]) -> Iterator[list[int]]:
    """Which cells the columns of a stretch are of, in the order in which they are kept; first those of its window."""
    for kept in (stretch.window, stretch.lone):
        columns = [unpack(kept[feature], HALF).reshape(kept[feature].shape[0], -1) for feature in ("cnn14", "logmel")]
        known = [everything[feature].reshape(len(everything[feature]), -1) for feature in ("cnn14", "logmel")]
        every = np.concatenate(known, axis=1)
        yield [int(np.flatnonzero((every == column).all(axis=1))[0]) for column in np.concatenate(columns, axis=1)]


@pytest.fixture(scope="module")
def stretches(machine: CalibratedMachine, sound: Float32, tmp_path_factory: pytest.TempPathFactory) -> list[Stretch]:
    """What is kept of the sound."""
    folder = tmp_path_factory.mktemp("learning") / "pump1"
    learn(machine.model, sound, SourceLearner("pump1", folder, 7.0))
    return list(Store(folder).stretches())


def test_learner_keeps_patches_that_the_detector_saw_and_a_small_part_of_them(
    machine: CalibratedMachine, sound: Float32, stretches: list[Stretch]
) -> None:
    everything = embedded(machine.model, sound)
    assert len(stretches) == 3  # the fourth has not ended by a window
    for number, stretch in enumerate(stretches):
        window, lone = cells_of(stretch, everything)  # every column is one of the detector's
        assert (len(window), len(lone)) == (WINDOW_COLUMNS, LONE_COLUMNS)
        assert max(window) - min(window) < 250
        cells = np.sort([*window, *lone])
        assert cells[0] >= STRETCH_CELLS * number
        assert cells[-1] < STRETCH_CELLS * (number + 1)
        assert np.diff(cells).min() >= APART_CELLS  # no two share a frame, so nothing shows which are neighbours
    kept = len(stretches) * (WINDOW_COLUMNS + LONE_COLUMNS) / (len(stretches) * STRETCH_CELLS)
    assert kept < 0.06


def test_learner_keeps_columns_in_no_order(machine: CalibratedMachine, sound: Float32, stretches: list[Stretch]) -> None:
    """The correlation of the order in which they are kept with the time that they are of is what chance gives."""
    everything = embedded(machine.model, sound)
    correlations = [np.corrcoef(np.arange(len(cells)), cells)[0, 1] for one in stretches for cells in cells_of(one, everything)]
    assert abs(np.mean(correlations)) < 0.3


def test_learner_keeps_no_time_finer_than_a_stretch(stretches: list[Stretch]) -> None:
    """All that tells time is in the fields of a stretch, and its arrays are as long as they are however late it was."""
    for stretch in stretches:
        assert set(stretch.__struct_fields__) == {
            *("number", "run", "bundle", "wall_s", "learned_s", "window", "lone", "averages", "average_cells", "values")
        }
        assert set(stretch.window) == set(stretch.lone) == {"cnn14", "logmel", "excess"}
        assert stretch.average_cells[0] * 0.04 > 9.5  # seconds


def test_learner_keeps_what_heads_made_of_a_window_every_five_seconds(machine: CalibratedMachine, stretches: list[Stretch]) -> None:
    for stretch in stretches[1:]:
        assert stretch.values is not None
        assert stretch.values.shape[0] == 6
        assert stretch.bundle == machine.model.bundle.sha256


def test_learner_changes_no_score(machine: CalibratedMachine, sound: Float32, tmp_path: Path) -> None:
    short = sound[: 30 * RATE_HZ]
    listener = Listener(machine.model, RATE_HZ)
    plain = [result for second in np.array_split(short, 30) for result in listener.push(second) if isinstance(result, Window)]
    scored = learn(machine.model, short, SourceLearner("pump1", tmp_path / "pump1", 7.0))
    assert [window.score for window in scored] == [window.score for window in plain]


def test_learner_learns_nothing_of_anomalous_windows(machine: CalibratedMachine, sound: Float32, tmp_path: Path) -> None:
    loud = sound.copy()
    begin, end = 40 * RATE_HZ, 44 * RATE_HZ
    loud[begin:end] += (0.3 * np.sin(2 * np.pi * 3150.0 / RATE_HZ * np.arange(end - begin))).astype(np.float32)
    windows = learn(machine.model, loud, SourceLearner("pump1", tmp_path / "pump1", 7.0))
    bad = [(window.t_start_s / 0.04, window.t_end_s / 0.04) for window in windows if window.anomalous]
    assert bad
    store = Store(tmp_path / "pump1")
    everything = embedded(machine.model, loud)
    kept = [cell for stretch in store.stretches() for cells in _lists(stretch, everything) for cell in cells]
    assert len(kept) > 2 * LONE_COLUMNS
    assert not [cell for cell in kept for first, last in bad if first <= cell < last]
    assert store.learned_s < 90.0 - 10.0


def _lists(stretch: Stretch, everything: dict[str, Float32]) -> Iterator[list[int]]:
    present = [kept for kept in (stretch.window, stretch.lone) if kept]
    for kept in present:
        columns = unpack(kept["cnn14"], HALF).reshape(kept["cnn14"].shape[0], -1)
        every = everything["cnn14"].reshape(len(everything["cnn14"]), -1)
        yield [int(np.flatnonzero((every == column).all(axis=1))[0]) for column in columns]


def test_learner_over_a_gap_begins_another_run(machine: CalibratedMachine, sound: Float32, tmp_path: Path) -> None:
    learner = SourceLearner("pump1", tmp_path / "pump1", 7.0)
    listener = Listener(machine.model, RATE_HZ)
    listener.overhear(learner)
    listener.push(sound[: 50 * RATE_HZ])
    listener.lose(3600 * RATE_HZ)
    listener.push(sound[: 50 * RATE_HZ])
    first, *_, last = Store(tmp_path / "pump1").stretches()
    assert first.run != last.run
    assert learner.report is not None
    assert 60.0 <= learner.report.learned_s <= 90.0


def test_learner_ends_after_its_days(machine: CalibratedMachine, sound: Float32, tmp_path: Path) -> None:
    learner = SourceLearner("pump1", tmp_path / "pump1", 45.0 / DAY_S)
    learn(machine.model, sound, learner)
    assert Store(tmp_path / "pump1").count == 2
    assert learner.report is not None
    assert not learner.report.is_learning
    assert not learner.report.is_trouble
    assert "ends it" in str(learner.report.reason)


def test_learner_of_a_frozen_store_adds_nothing_and_says_so(machine: CalibratedMachine, sound: Float32, tmp_path: Path) -> None:
    learn(machine.model, sound[: 50 * RATE_HZ], SourceLearner("pump1", tmp_path / "pump1", 7.0))
    Store(tmp_path / "pump1").freeze()
    learner = SourceLearner("pump1", tmp_path / "pump1", 7.0)
    learn(machine.model, sound[: 50 * RATE_HZ], learner)
    assert Store(tmp_path / "pump1").count == 1
    assert learner.report is not None
    assert "--resume" in str(learner.report.reason)


def test_learner_whose_disk_fails_pauses_and_says_so_and_goes_on_later(
    machine: CalibratedMachine, sound: Float32, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "learning").write_text("not a folder")
    learner = SourceLearner("pump1", tmp_path / "learning" / "pump1", 7.0)
    windows = learn(machine.model, sound[: 50 * RATE_HZ], learner)
    assert len(windows) > 70
    assert learner.report is not None
    assert learner.report.is_trouble
    assert "cannot be written" in str(learner.report.reason)
    assert sum(record.levelno == logging.ERROR for record in caplog.records) == 1
    (tmp_path / "learning").unlink()
    learn(machine.model, sound[: 50 * RATE_HZ], learner)
    assert learner.report.is_learning
    assert Store(tmp_path / "learning" / "pump1").count == 1


def test_learner_on_a_full_disk_keeps_whole_records_and_goes_on_when_there_is_room(
    machine: CalibratedMachine, sound: Float32, tmp_path: Path
) -> None:
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # the write fails instead, after as much as there is room for
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    folder = tmp_path / "pump1"
    learner = SourceLearner("pump1", folder, 7.0)
    try:
        learn(machine.model, sound[: 41 * RATE_HZ], learner)
        (segment,) = Store(folder).segments
        size = segment.stat().st_size
        resource.setrlimit(resource.RLIMIT_FSIZE, (size + 1000, before[1]))
        assert len(learn(machine.model, sound[: 41 * RATE_HZ], learner)) > 60
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    assert learner.report is not None
    assert learner.report.is_trouble
    assert "cannot be written (" in str(learner.report.reason)
    assert segment.stat().st_size == size
    learn(machine.model, sound[: 41 * RATE_HZ], learner)
    assert learner.report.is_learning
    assert [one.number for one in Store(folder).stretches()] == [0, 1]


def test_learner_that_fails_unexpectedly_keeps_no_window_from_being_scored(
    machine: CalibratedMachine, sound: Float32, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr("edge.learning.source_learner.head_values", fail)
    learner = SourceLearner("pump1", tmp_path / "pump1", 7.0)
    assert len(learn(machine.model, sound[: 20 * RATE_HZ], learner)) > 15
    assert learner.report is not None
    assert learner.report.is_trouble


def test_learner_that_is_off_touches_nothing(machine: CalibratedMachine, sound: Float32, tmp_path: Path) -> None:
    learner = SourceLearner("pump1", tmp_path / "pump1", None)
    learn(machine.model, sound[: 50 * RATE_HZ], learner)
    assert learner.report is None
    assert not list(tmp_path.iterdir())


def test_learner_is_told_of_bundles_that_it_cannot_learn_with(machine: CalibratedMachine) -> None:
    assert unlearnable(machine.model) is None


def test_learner_makes_no_store_anew_by_a_bundle_that_was_forgotten_with_the_last_one(
    machine: CalibratedMachine, sound: Float32, tmp_path: Path
) -> None:
    folder = tmp_path / "pump1"
    folder.mkdir()
    starter = starter_path(folder)
    shutil.copy(machine.bundle, starter)
    model = Model.load(starter)
    learner = SourceLearner("pump1", folder, 7.0)
    listener = Listener(model, RATE_HZ)
    listener.overhear(learner)
    listener.push(sound[: 45 * RATE_HZ])
    assert Store(folder).count == 1
    forget(folder)
    listener.push(sound[: 45 * RATE_HZ])
    assert not folder.exists()
    assert learner.report is not None
    assert (learner.report.state, learner.report.reason) == ("waiting", "forgotten; it begins anew")
