"""The report of a calibration: what was learned, from what, and what it can promise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np

from calibrate.calibration import Calibration
from calibrate.detection_limit import MOST_DB
from calibrate.learned import Learned, RecordingScore
from calibrate.recordings import RecordingReport
from calibrate.report import figures
from calibrate.report.file import write_report
from calibrate.report.html import Cell, Html, facts, figure, image, items, join, paragraph, section, side_by_side, table, text, wide
from calibrate.report.pictures import spectrogram
from calibrate.settings import CalibrationSettings
from calibrate.threshold_note import duration
from edge.audio.channels import Channel
from edge.bundles.bundle import Bundle
from edge.bundles.manifest import Manifest
from edge.console.progress import progress
from edge.errors import AudioError
from edge.judgement.head_names import CELL, SECOND
from edge.judgement.window import ALARM

MOST_PICTURES = 60  # about a megabyte; of more recordings those are shown that say most, and all of them stand in the table
COLUMNS = ("recording", "score", "by moments", "by average", "at, s", "length, s", "level, dBFS", "up to, Hz", "sample rate, Hz", "remarks")


DRAWN = (f"_{CELL}", f"_{SECOND}")  # scales that are no heads


@dataclass(frozen=True, slots=True, eq=False)
class _Row:
    """One recording."""

    report: RecordingReport
    score: RecordingScore | None
    is_kept: bool

    @property
    def remarks(self) -> str:
        """What the checks found, whether it was left out, and whether it would alarm."""
        left_out = [] if self.is_kept else ["left out"]
        loud = ["above the alarm threshold"] if self.is_above else []
        return "; ".join([*left_out, *self.report.problems, *loud])

    @property
    def is_above(self) -> bool:
        """Whether it would alarm."""
        return self.score is not None and self.score.score >= ALARM

    @property
    def is_odd(self) -> bool:
        """Whether somebody should look at it."""
        return not self.is_kept or bool(self.report.findings) or self.is_above

    @property
    def order(self) -> tuple[float, str]:
        """The highest score first; those without one at the end."""
        return (-self.score.score if self.score else np.inf, str(self.report.path))


def write_calibration_report(path: Path, result: Calibration, learned: Learned, settings: CalibrationSettings) -> None:
    """Write it; the recordings that are shown are read again. AuscultError when the disk does not take it."""
    bundle = Bundle.read(result.bundle)
    rows = sorted(_rows(learned), key=lambda row: row.order)
    parts = [
        _summary(result, learned, bundle),
        _warnings(result),
        side_by_side(_threshold(result, learned, bundle.manifest), _limit(result), _profile(learned), _scores(rows)),
        _gallery(rows, learned, settings.channel),
        _recordings(rows),
        _heads(bundle.manifest),
        _options(settings, bundle.manifest),
    ]
    write_report(path, f"Calibration of {result.bundle.name}", [part for part in parts if part])


def _rows(learned: Learned) -> list[_Row]:
    kept = [_Row(report, learned.scores.get(index), True) for index, report in enumerate(learned.checked.kept)]
    return kept + [_Row(report, None, False) for report in learned.checked.dropped]


def _summary(result: Calibration, learned: Learned, bundle: Bundle) -> Html:
    manifest = bundle.manifest
    above = sum(one.score >= ALARM for one in learned.scores.values())
    pairs: list[tuple[str, Cell]] = [
        ("recordings", result.recordings),
        ("left out", len(result.dropped)),
        ("sound, s", round(result.seconds, 1)),
        ("heard up to, Hz", round(result.bandwidth_hz)),
        ("threshold set for, false alarms per week", manifest.threshold.set_for),
        ("supported by these recordings", result.supported_false_alarms_per_week),
        ("recordings above the threshold", f"{above} of {len(learned.scores)}"),
        ("detector", manifest.detector.name),
        ("backbone", f"{manifest.backbone.name} ({manifest.backbone.precision})"),
    ]
    limit = result.detection_limit or "there is too little sound to say what change would be heard"
    who = f"{result.bundle.name}, {result.bytes:,} bytes, made {manifest.created_at}, sha256:{bundle.sha256}"
    return section(
        "Summary",
        paragraph(f"{limit[0].upper()}{limit[1:]}.", "verdict"),
        facts(pairs),
        paragraph(who, "soft"),
    )


def _warnings(result: Calibration) -> Html:
    told = [warning for warning in (*result.warnings, result.threshold_note) if warning]
    return section("Please check", items(told)) if told else Html("")


def _threshold(result: Calibration, learned: Learned, manifest: Manifest) -> Html:
    asked, set_for = manifest.threshold.false_alarms_per_week, manifest.threshold.set_for
    marks = {"set for": (set_for, figures.ALARM), "supported by the recordings": (result.supported_false_alarms_per_week, figures.NORMAL)}
    if asked != set_for:
        marks["asked for"] = (asked, figures.OTHER)
    ends = [rate for rate, _ in marks.values()]
    rates = np.geomspace(min(ends) / 3.0, max(ends) * 3.0, 60)
    scores = np.array([learned.threshold.score(learned.threshold.tail.surprise_at(rate)) for rate in rates])
    caption = (
        "How high the threshold must be for how few false alarms, by the tail of the scores of normal sound that the detector had not "
        "learned from. To the right of what the recordings support, it is extrapolated; "
        f"{duration(result.seconds_needed)} of recordings, over all loads of the machine, would support {asked:.4g} per week."
    )
    return section("The threshold and what it can promise", figure(figures.promise(rates, scores, marks), caption))


def _limit(result: Calibration) -> Html:
    if not result.detection_limit_db:
        return Html("")
    caption = (
        "How much louder an octave must get, for a whole window, until half of all normal windows would alarm. Short sounds, such as a "
        "knock, alarm earlier."
    )
    return section("The smallest change that is heard", figure(figures.octaves(result.detection_limit_db, MOST_DB), caption))


def _profile(learned: Learned) -> Html:
    if (profile := learned.profile) is None:
        return Html("")
    caption = (
        "The usual level of each band, and by how much windows of normal sound are taken to vary: one and two standard deviations. "
        "Where normal sound varies a lot, a change must be larger to alarm."
    )
    return section("The sound of the machine", figure(figures.profile(profile.centres_hz, profile.usual_db, profile.spread_db), caption))


def _scores(rows: Sequence[_Row]) -> Html:
    scores = [row.score.score for row in rows if row.score is not None]
    if not scores:
        return Html("")
    caption = (
        "The highest window of each recording, judged by heads that had not heard it. The dashed line is the alarm threshold: a recording "
        "to the right of it sounds unlike the others. Listen to it; a fault must not be learned as normal."
    )
    return section("Scores of the recordings", figure(figures.histogram({"normal": scores}, {"normal": figures.NORMAL}), caption))


def _heads(manifest: Manifest) -> Html:
    parameters = manifest.detector.parameters
    scales: dict[str, dict[str, float]] = parameters["heads"]
    steady: list[str] = parameters.get("steady", {}).get("heads", [])
    rows: list[Sequence[Cell]] = [
        (name, "moments and cells", scale["centre"], scale["onset"], scale["scale"])
        for name, scale in sorted(scales.items())
        if not name.endswith(DRAWN)
    ]
    rows += [(name, "average of a window", None, None, None) for name in steady]
    told = (
        "What a window is judged by. Usual: the median of normal sound. Onset: what one in ten reaches. "
        "Unit: each further is e times rarer."
    )
    return section("Heads", paragraph(told, "soft"), wide(table(("head", "judges", "usual", "onset", "unit"), rows)))


def shown(rows: Sequence[_Row], most: int = MOST_PICTURES) -> list[_Row]:
    """Those of which pictures are drawn: all, or the odd ones, the highest scores, and some of the rest. Each part gets what is left."""
    there = list(filter(_is_readable, rows))
    if len(there) <= most:
        return there
    chosen = dict.fromkeys([row for row in there if row.is_odd][: most // 2])
    chosen |= dict.fromkeys([row for row in there if row not in chosen][: (most - len(chosen)) // 2])
    rest = [row for row in there if row not in chosen]
    count = most - len(chosen)
    chosen |= dict.fromkeys(rest[:: len(rest) // count][:count])
    return [row for row in there if row in chosen]


def _is_readable(row: _Row) -> bool:
    return row.report.seconds > 0.0


def _gallery(rows: Sequence[_Row], learned: Learned, channel: Channel) -> Html:
    chosen = shown(rows)
    pictures = []
    for row in progress(chosen, label="drawing"):
        try:
            pictures.append(_picture(row, spectrogram(row.report.path, learned.front_end, channel)))
        except AudioError:  # gone or damaged since it was checked
            continue
    some = "" if len(chosen) == sum(map(_is_readable, rows)) else ": those with remarks, the highest scores, and some of the rest"
    told = f"{len(chosen)} of {len(rows)} recordings{some}. Time to the right, frequency upwards. A red frame: look at this one."
    return section("Recordings as pictures", paragraph(told, "soft"), Html(f'<div class="gallery">{join(pictures)}</div>'))


def _picture(row: _Row, png: bytes) -> Html:
    name = row.report.path.name
    score = "" if row.score is None else f", score {row.score.score:.2f}"
    words = Html(f"<b>{text(name)}</b><br>{text(f'{row.report.seconds:.0f} s{score}')}<br>{_flagged(row.remarks)}")
    drawn = image(png, f"spectrogram of {name}")
    return Html(f'<figure class="{"odd" if row.is_odd else "plain"}">{drawn}<figcaption>{words}</figcaption></figure>')


def _flagged(remarks: str) -> Html:
    return Html(f'<span class="flag">{text(remarks)}</span>') if remarks else Html("")


def _recordings(rows: Sequence[_Row]) -> Html:
    told = "The highest scores first. Scores are out of fold: of heads that had not heard the recording."
    return section("All recordings", paragraph(told, "soft"), wide(table(COLUMNS, map(_table_row, rows))))


def _table_row(row: _Row) -> Sequence[Cell]:
    report, score = row.report, row.score
    judged: Sequence[Cell] = (None,) * 4
    if score is not None:
        judged = (f"{score.score:.3f}", f"{score.by_moments:.3f}", f"{score.by_average:.3f}", f"{score.at_s:.1f}")
    level = None if report.dbfs is None else f"{report.dbfs:.1f}"
    heard: Sequence[Cell] = (f"{report.seconds:.2f}", level, round(report.bandwidth_hz), report.rate_hz)
    return (str(report.path), *judged, *heard, _flagged(row.remarks))


def _options(settings: CalibrationSettings, manifest: Manifest) -> Html:
    told = msgspec.to_builtins(settings, enc_hook=str)
    fitting = told.pop("fitting")
    del told["created_at"]
    rows: list[Sequence[Cell]] = [(name.replace("_", " "), _plain(value)) for name, value in {**told, **fitting}.items()]
    rows += [("front end", manifest.front_end), ("version of Auscult", manifest.auscult_version)]
    return section("Options", wide(table(("option", "value"), rows)))


def _plain(value: object) -> str | None:
    if value in (None, "", [], ()):
        return None
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
