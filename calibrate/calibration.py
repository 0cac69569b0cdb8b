"""Normal recordings in, a bundle out: the one function behind `auscult calibrate`, the demo and the benchmarks."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from calibrate.bundle_manifest import DataFacts
from calibrate.calibration_stages import stages_of
from calibrate.checks import check_recordings
from calibrate.detection_limit import DetectionLimit, detection_limit
from calibrate.embeddings import Recording
from calibrate.fitted_bundle import FittedBundle, alarm_surprise
from calibrate.folds import Folds
from calibrate.head_scale import fit_heads
from calibrate.learned import Learned, profile_of, recording_scores
from calibrate.settings import WINDOW_S, CalibrationSettings
from calibrate.steady import fit_steady
from calibrate.threshold_note import threshold_note
from calibrate.unheard import fit_units, unheard_surprise
from calibrate.workers_here import WorkersHere, worth
from edge.bundles.signature import SigningKey
from edge.console.progress import stages
from edge.errors import AudioError, BundleError, UserError
from edge.features.any_backbone import load_backbone
from edge.features.cell_averages import AverageLayout
from edge.features.frontend import CELL_MELS, FrontEnd, mel_edges_hz, mels_below
from edge.judgement.head_names import comparable_names, head_names, largest_name, sustained_name
from edge.judgement.steady import LEVEL, STEADY_HEADS, SteadyChoice
from edge.judgement.tail_fit import fit_tail, seconds_to_support, supported_false_alarms_per_week
from edge.judgement.threshold import Threshold
from edge.judgement.window_sound import WindowSound


@dataclass(frozen=True, slots=True)
class Calibration:
    """What was learned, for the summary."""

    bundle: Path
    recordings: int
    seconds: float
    bandwidth_hz: float
    dropped: tuple[str, ...]
    warnings: tuple[str, ...]
    threshold_note: str
    detection_limit: str  # how much louder a band must be to alarm
    detection_limit_db: Mapping[str, float | None]  # by the centre of the octave in Hz
    supported_false_alarms_per_week: float  # what so much sound, as far as the detector had not learned from it, can vouch for
    seconds_needed: int  # of recordings, to vouch for the rate that was asked for
    bytes: int


def calibrate(
    paths: list[Path],
    output: Path,
    settings: CalibrationSettings,
    say: Callable[[str], None] = lambda line: None,
    key: SigningKey | None = None,
    leave_out: Callable[[Path, str], None] = lambda path, reason: None,
    study: Callable[[Learned], None] = lambda learned: None,
    workers: int = 1,
) -> Calibration:
    """Learn what is normal from recordings and write a bundle.

    Parameters
    ----------
    paths
        Audio files of the machine running normally.
    output
        Where the bundle is written, at the end and at once; nothing is lost of an older one if anything fails before.
    say
        Called with each warning, before the long work starts.
    key
        Whose signature the bundle shall bear.
    leave_out
        Called with each recording that is not learned from, and why.
    study
        Called at the end with what was found out besides the bundle.
    workers
        Processes that share the work; 1 is this one alone. The bundle is the same.

    Raises
    ------
    AudioError
        Recordings that cannot be used, or too little sound.
    BackboneError
        No such backbone.
    BundleError
        `output` cannot be written, or is something else than a bundle; said before the long work.
    """
    check_output(output)
    with WorkersHere(worth(paths, workers)) as there, stages(stages_of(settings.fitting.detector)):
        return _calibrate(paths, output, settings, there, say, key, leave_out, study)


def _calibrate(
    paths: list[Path],
    output: Path,
    settings: CalibrationSettings,
    workers: WorkersHere,
    say: Callable[[str], None],
    key: SigningKey | None,
    leave_out: Callable[[Path, str], None],
    study: Callable[[Learned], None],
) -> Calibration:
    backbone = load_backbone(settings.backbone or settings.fitting.backbone, threads=settings.threads)
    checked = check_recordings(
        paths,
        backbone.front_end,
        channel=settings.channel,
        bad_recordings=settings.bad_recordings,
        odd_recordings=settings.odd_recordings,
        workers=workers,
    )
    for warning in checked.warnings:
        say(warning)
    for report in checked.dropped:
        leave_out(report.path, ", ".join(report.problems))
    _check_bandwidth(checked.bandwidth_hz, backbone.front_end)
    cell_s = backbone.front_end.cell_s
    recordings = [Recording(report.path, settings.channel, round(report.seconds / cell_s)) for report in checked.kept]
    fitted = settings.fitting.fitter(backbone, checked.bandwidth_hz, settings.mode).fit(recordings, workers)
    window_cells = int(WINDOW_S / cell_s + 1e-6)
    cell_heads, steady_heads = _heads(settings, fitted.features)
    steady = None
    if steady_heads:
        averages = fitted.averages
        layout = AverageLayout(backbone.front_end, mels_below(backbone.front_end, checked.bandwidth_hz))
        sound = WindowSound(layout, relative=settings.level == "relative")
        steady = fit_steady(list(averages.values()), list(averages), Folds(recordings), sound, window_cells, steady_heads)
    heads = fit_heads(fitted.deviations, fitted.features, window_cells, cell_heads, settings.mode)
    unheard = unheard_surprise(heads, fitted.deviations, steady, workers)
    block_s = backbone.front_end.block_samples / backbone.front_end.sample_rate_hz
    units = fit_units(unheard, block_s)
    tail = fit_tail([one.surprise(units) for one in unheard], block_s)
    unheard_s = checked.seconds * fitted.unheard_share
    note = threshold_note(unheard_s, settings.false_alarms_per_week)
    if note:
        say(note)
    alarm = alarm_surprise(tail, unheard_s, settings.false_alarms_per_week)
    limit = detection_limit(steady, unheard, units, alarm, checked.bandwidth_hz) if steady else DetectionLimit({})
    data = DataFacts.of(checked, unheard_s)
    chosen = (SteadyChoice(steady.steady.heads, settings.level), steady.arrays) if steady else None
    FittedBundle(data, fitted.arrays, heads.scales, chosen, units, tail, limit, fitted.blobs).write(output, settings, backbone, key)
    threshold = Threshold(alarm, tail)
    study(Learned(checked, backbone.front_end, threshold, recording_scores(unheard, units, threshold, block_s), profile_of(steady)))
    return Calibration(
        bundle=output,
        recordings=len(recordings),
        seconds=checked.seconds,
        bandwidth_hz=checked.bandwidth_hz,
        dropped=tuple(str(report.path) for report in checked.dropped),
        warnings=checked.warnings,
        threshold_note=note,
        detection_limit=limit.note,
        detection_limit_db=limit.by_octave,
        supported_false_alarms_per_week=supported_false_alarms_per_week(unheard_s),
        seconds_needed=round(seconds_to_support(settings.false_alarms_per_week) / fitted.unheard_share),
        bytes=output.stat().st_size,
    )


def _heads(settings: CalibrationSettings, features: Mapping[str, int]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The heads of cells and those of steady sound to fit: of a clip, the one by which the detector was published.

    Raises
    ------
    UserError
        When there is no head of a name that was asked for.
    """
    if not settings.heads and settings.mode == "clip":
        own = next(iter(features))
        mean = settings.fitting.clip_statistic == "mean"
        return (sustained_name(own, features[own]) if mean else largest_name(own),), ()
    wanted = settings.heads or (*head_names(features), *STEADY_HEADS)
    there = (*comparable_names(features), *STEADY_HEADS)
    if unknown := [head for head in wanted if head not in there]:
        raise UserError(unknown[0], f"no such head; there are {', '.join(there)}")
    steady = tuple(head for head in STEADY_HEADS if head in wanted and not (head == LEVEL and settings.level == "relative"))
    return tuple(head for head in wanted if head not in STEADY_HEADS), steady


def check_output(output: Path) -> None:
    """Refuse a path that could not be written in the end, and to overwrite what is not a bundle: a recording, say, or a device."""
    try:
        if output.exists() and not _is_zip_or_empty(output):
            raise BundleError(output, "exists and is not a bundle; give --output another name")
        if not output.parent.is_dir():
            raise BundleError(output, f"there is no folder {output.parent}; make it first, or give --output another")
        with tempfile.TemporaryFile(dir=output.parent):
            pass
    except OSError as error:
        raise BundleError(output, f"cannot be written: {error.strerror or error}") from error


def _is_zip_or_empty(path: Path) -> bool:
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(4) in (b"PK\x03\x04", b"")


def _check_bandwidth(bandwidth_hz: float, front_end: FrontEnd) -> None:
    if mels_below(front_end, bandwidth_hz) < CELL_MELS:
        needed_hz = mel_edges_hz(front_end)[CELL_MELS + 1]
        raise AudioError("recordings", f"hold no sound above {bandwidth_hz:.0f} Hz; sound up to at least {needed_hz:.0f} Hz is needed")
