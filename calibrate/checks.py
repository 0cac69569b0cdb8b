"""Checks before fitting: find what is wrong with a set of normal recordings, and choose those to learn from.

| finding | what happens |
|---|---|
| unreadable, too short, silent, duplicate | nothing can be learned from it: refused, or left out with `--bad-recordings drop` |
| outlier | its mean spectrum is unlike the others': kept with a warning, or left out with `--odd-recordings drop` |
| clipped, dropouts | kept with a warning |
| narrow | its sound ends at a lower frequency than the others': kept with a warning |
"""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from calibrate.recordings import Finding, Problem, RecordingReport, measure_recording
from calibrate.workers_here import WorkersHere
from edge.audio.channels import Channel
from edge.console.progress import Progress
from edge.errors import AudioError
from edge.features.frontend import FrontEnd, mels_below

BadRecordings = Literal["refuse", "drop"]
OddRecordings = Literal["keep", "drop"]

MIN_TOTAL_S = 10.0
MIN_FOR_OUTLIERS = 5  # recordings: among fewer, none is odd
OUTLIER_Z = 6.0  # robust standard deviations
OUTLIER_DB = 6.0  # and at least this far from the median spectrum, or a very steady machine would have outliers
MAD_TO_SIGMA = 1.4826  # of a normal distribution
NARROW_FRACTION = 0.9  # of the median bandwidth
NAMES_SHOWN = 5


@dataclass(frozen=True, slots=True)
class CheckedRecordings:
    """A set of recordings after the checks."""

    kept: tuple[RecordingReport, ...]
    dropped: tuple[RecordingReport, ...]
    warnings: tuple[str, ...]  # one line each

    @property
    def paths(self) -> list[Path]:
        """The recordings to learn from."""
        return [report.path for report in self.kept]

    @property
    def seconds(self) -> float:
        """How much there is to learn from."""
        return sum(report.seconds for report in self.kept)

    @property
    def bandwidth_hz(self) -> float:
        """The bandwidth of the microphones, in hertz; sound above it must not count as an anomaly later.

        The widest recording of each sample rate tells what the microphone can hear (the others may just be quiet); the narrowest
        rate decides.
        """
        widest_hz: dict[int, float] = {}
        for report in self.kept:
            widest_hz[report.rate_hz] = max(report.bandwidth_hz, widest_hz.get(report.rate_hz, 0.0))
        return min(widest_hz.values())


def add_check_arguments(parser: ArgumentParser) -> None:
    """Let the user of a command decide about doubtful recordings."""
    parser.add_argument(
        "--bad-recordings",
        choices=("refuse", "drop"),
        default="refuse",
        help="recordings that are unreadable, silent, too short or duplicated: stop and list them, or leave them out (default: refuse)",
    )
    parser.add_argument(
        "--odd-recordings",
        choices=("keep", "drop"),
        default="keep",
        help="recordings that sound unlike all the others: learn from them too, or leave them out (default: keep)",
    )


def check_recordings(
    paths: Iterable[Path],
    front_end: FrontEnd,
    *,
    channel: Channel = 0,
    bad_recordings: BadRecordings = "refuse",
    odd_recordings: OddRecordings = "keep",
    min_total_s: float = MIN_TOTAL_S,
    workers: WorkersHere | None = None,
) -> CheckedRecordings:
    """Read every recording once and decide which to learn from.

    Raises
    ------
    AudioError
        When recordings are unusable and `bad_recordings` is "refuse", or when fewer than `min_total_s` seconds remain.
    """
    paths = list(paths)
    reports: dict[int, RecordingReport] = {}
    with Progress("checking recordings", len(paths)) as bar:
        for index, report in (workers or WorkersHere()).stream(partial(_measured, front_end, channel), paths):
            reports[index] = report
            bar.update()
    in_order = [reports[index] for index in range(len(paths))]
    return judge_recordings(in_order, front_end, bad_recordings=bad_recordings, odd_recordings=odd_recordings, min_total_s=min_total_s)


def _measured(front_end: FrontEnd, channel: Channel, path: Path) -> Iterator[RecordingReport]:
    yield measure_recording(path, front_end, channel)


def judge_recordings(
    reports: Sequence[RecordingReport],
    front_end: FrontEnd,
    *,
    bad_recordings: BadRecordings = "refuse",
    odd_recordings: OddRecordings = "keep",
    min_total_s: float = MIN_TOTAL_S,
) -> CheckedRecordings:
    """Compare recordings with each other and decide which to learn from; see `check_recordings`."""
    judged = _mark_narrow(_mark_outliers(_mark_duplicates(reports), front_end))
    bad = [report for report in judged if not report.usable]
    if bad and bad_recordings == "refuse":
        raise AudioError(
            f"{len(bad)} of {len(judged)} recordings",
            f"nothing can be learned from {_listed(bad)}; remove them, or leave them out with --bad-recordings drop",
        )
    kept = [report for report in judged if report.usable and not (odd_recordings == "drop" and report.has(Problem.OUTLIER))]
    kept_ids = {id(report) for report in kept}  # `in` would compare their arrays
    dropped = [report for report in judged if id(report) not in kept_ids]
    seconds = sum(report.seconds for report in kept)
    if seconds < min_total_s:
        left_out = f" after {len(dropped)} were left out" if dropped else ""
        raise AudioError("recordings", f"hold {seconds:.1f} s of sound{left_out}; at least {min_total_s:.0f} s are needed; record more")
    warnings = [f"{report.path}: left out: {', '.join(report.problems)}" for report in dropped]
    warnings += [f"{report.path}: {', '.join(report.problems)}" for report in kept if report.problems]
    checked = CheckedRecordings(tuple(kept), tuple(dropped), tuple(warnings))
    rates_hz = sorted({report.rate_hz for report in kept})
    if len(rates_hz) > 1:
        rates = ", ".join(map(str, rates_hz))
        warnings.append(f"recordings: mixed sample rates ({rates} Hz); nothing above {checked.bandwidth_hz:.0f} Hz will be used")
        return replace(checked, warnings=tuple(warnings))
    return checked


def _mark_duplicates(reports: Sequence[RecordingReport]) -> list[RecordingReport]:
    """Mark all but the first of recordings that hold the same samples: learned twice, they would look like proof of each other."""
    first: dict[str, RecordingReport] = {}
    marked = []
    for report in reports:
        original = first.setdefault(report.digest, report) if report.usable else report
        marked.append(report if original is report else _with(report, Problem.DUPLICATE, f"the same sound as {original.path}"))
    return marked


def _mark_outliers(reports: Sequence[RecordingReport], front_end: FrontEnd) -> list[RecordingReport]:
    """Mark recordings whose mean spectrum lies far from the median one, by a robust z-score of that distance.

    Bands that most recordings do not carry are not compared.
    """
    usable = [report for report in reports if report.usable]
    if len(usable) < MIN_FOR_OUTLIERS:
        return list(reports)
    mels = max(1, mels_below(front_end, float(np.median([report.bandwidth_hz for report in usable]))))
    distances_db = spectral_distances_db(np.stack([report.spectrum_db[:mels] for report in usable]))  # (recording,)
    middle = float(np.median(distances_db))
    spread = MAD_TO_SIGMA * float(np.median(np.abs(distances_db - middle)))
    marked = {}
    for report, distance_db in zip(usable, distances_db, strict=True):
        if distance_db > OUTLIER_DB and distance_db - middle > OUTLIER_Z * spread:
            detail = f"outlier: its mean spectrum lies {distance_db:.0f} dB from the others', whose distance is {middle:.0f} dB"
            marked[id(report)] = _with(report, Problem.OUTLIER, detail)
    return [marked.get(id(report), report) for report in reports]


def spectral_distances_db(spectra_db: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return each spectrum's RMS distance from the median spectrum, shape (recording,) dB, for `spectra_db` (recording, mel)."""
    from_median = spectra_db.astype(np.float64) - np.median(spectra_db, axis=0)
    distances: NDArray[np.float64] = np.sqrt(np.square(from_median).mean(axis=1))
    return distances


def _mark_narrow(reports: Sequence[RecordingReport]) -> list[RecordingReport]:
    usable = [report for report in reports if report.usable]
    if not usable:
        return list(reports)
    common_hz = float(np.median([report.bandwidth_hz for report in usable]))
    marked = []
    for report in reports:
        if report.usable and report.bandwidth_hz < NARROW_FRACTION * common_hz:
            detail = f"narrow: its sound ends at {report.bandwidth_hz:.0f} Hz, most end at {common_hz:.0f} Hz"
            report = _with(report, Problem.NARROW, detail)
        marked.append(report)
    return marked


def _with(report: RecordingReport, problem: Problem, detail: str) -> RecordingReport:
    return replace(report, findings=(*report.findings, Finding(problem, detail)))


def _listed(reports: Sequence[RecordingReport]) -> str:
    """Name a few of them with what is wrong, and count the rest."""
    shown = ", ".join(f"{report.path} ({', '.join(report.problems)})" for report in reports[:NAMES_SHOWN])
    rest = len(reports) - NAMES_SHOWN
    return f"{shown} and {rest} more" if rest > 0 else shown
