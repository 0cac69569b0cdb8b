"""The report of an evaluation: how well normal and anomalous recordings are told apart, and where in them the anomalies are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from calibrate.evaluation import Evaluation, Scored
from calibrate.metrics.sample import roc_curve
from calibrate.report import figures
from calibrate.report.file import write_report
from calibrate.report.html import Cell, Html, facts, figure, image, items, join, paragraph, section, side_by_side, table, text, wide
from calibrate.report.pictures import COLUMNS, map_picture, spectrogram
from edge.audio.channels import Channel
from edge.console.progress import progress
from edge.errors import AudioError
from edge.model import Model

SHOWN = 4  # recordings of each kind and end
WIDE = 2 * COLUMNS  # of a picture, pixels
CLASSES = ("normal", "anomalous")
COLOURS = {"normal": figures.NORMAL, "anomalous": figures.ALARM}


def write_evaluation_report(path: Path, evaluation: Evaluation, model: Model, channel: Channel) -> None:
    """Write it; the recordings that are shown are judged again. AuscultError when the disk does not take it."""
    by_class = dict(zip(CLASSES, (evaluation.normal, evaluation.anomalous), strict=True))
    scores = {name: [one.score for one in scored] for name, scored in by_class.items()}
    parts = [
        _summary(evaluation, model),
        side_by_side(_curve(evaluation, scores), _histogram(scores)),
        _maps("The most anomalous", _ends(evaluation, highest=True), model, channel),
        _maps("The least anomalous", _ends(evaluation, highest=False), model, channel),
        _recordings(evaluation),
    ]
    write_report(path, f"Evaluation of {model.bundle.path.name}", [part for part in parts if part])


def _summary(evaluation: Evaluation, model: Model) -> Html:
    metrics, manifest = evaluation.metrics, model.bundle.manifest
    pairs: list[tuple[str, Cell]] = [
        (name, Html(f"{text(value)}<br><small>{text(note)}</small>") if note else value) for name, value, note in evaluation.figures
    ]
    pairs += [("normal recordings", metrics.normal), ("anomalous recordings", metrics.anomalous), ("not scored", len(evaluation.left_out))]
    pairs += [("detector", manifest.detector.name), ("backbone", f"{manifest.backbone.name} ({manifest.backbone.precision})")]
    who = f"{model.bundle.path.name}, made {manifest.created_at}, sha256:{model.bundle.sha256}"
    left_out = items(f"{one.file}: {one.reason}; left out" for one in evaluation.left_out[:SHOWN]) if evaluation.left_out else Html("")
    return section("Summary", facts(pairs), paragraph(who, "soft"), left_out)


def _curve(evaluation: Evaluation, scores: dict[str, list[float]]) -> Html:
    own = evaluation.false_alarm_fraction, evaluation.detected_fraction
    low, high = evaluation.metrics.roc_auc_interval
    caption = (
        f"What each threshold would detect, and what it would cost in false alarms. Area {evaluation.metrics.roc_auc:.3f}, "
        f"95 % interval {low:.3f} - {high:.3f}; the dashed line is chance, 0.5."
    )
    return section("ROC", figure(figures.roc(*roc_curve(scores["normal"], scores["anomalous"]), own), caption))


def _histogram(scores: dict[str, list[float]]) -> Html:
    caption = (
        "The highest window of each recording. The dashed line is the alarm threshold. Where the colours overlap, no threshold separates "
        "the classes."
    )
    return section("Scores", figure(figures.histogram(scores, COLOURS), caption))


def _ends(evaluation: Evaluation, *, highest: bool) -> list[tuple[str, Scored]]:
    """The recordings at one end of each class."""
    found = []
    for name, scored in zip(reversed(CLASSES), (evaluation.anomalous, evaluation.normal), strict=True):
        ordered = sorted(scored, key=lambda one: (one.score, str(one.file)), reverse=highest)
        found += [(name, one) for one in ordered[:SHOWN]]
    return found


def _maps(title: str, chosen: Sequence[tuple[str, Scored]], model: Model, channel: Channel) -> Html:
    pictures = join(_pictures(chosen, model, channel))
    told = (
        "Of each class. Above: the spectrogram. Below: what is anomalous in it, cold below the alarm threshold, warm above. "
        "Time to the right, frequency upwards. A red frame: it alarms; where its map is dark, it is the average of "
        "a window that is unusual, and no moment of it."
    )
    return section(title, paragraph(told, "soft"), Html(f'<div class="gallery maps">{pictures}</div>'))


def _pictures(chosen: Sequence[tuple[str, Scored]], model: Model, channel: Channel) -> Iterator[Html]:
    for kind, one in progress(chosen, label="drawing"):
        try:
            sound = spectrogram(one.file, model.front_end, channel, WIDE)
            wrong = map_picture(model, one.file, channel, WIDE)
        except AudioError:  # gone or damaged since it was scored
            continue
        drawn = join([image(sound, f"spectrogram of {one.file.name}"), image(wrong, f"anomaly map of {one.file.name}")])
        words = f"<b>{text(one.file.name)}</b><br>{text(f'{kind}, {one.seconds:.0f} s, score {one.score:.2f} at {one.at_s:.1f} s')}"
        yield Html(f'<figure class="{"odd" if one.alarms else "plain"}">{drawn}<figcaption>{words}</figcaption></figure>')


def _recordings(evaluation: Evaluation) -> Html:
    pairs = [(kind, one) for kind, scored in zip(CLASSES, (evaluation.normal, evaluation.anomalous), strict=True) for one in scored]
    pairs.sort(key=lambda pair: (-pair[1].score, str(pair[1].file)))
    rows: list[Sequence[Cell]] = [
        (str(one.file), kind, f"{one.score:.3f}", "alarm" if one.alarms else "", f"{one.at_s:.1f}", f"{one.seconds:.2f}", "")
        for kind, one in pairs
    ]
    rows += [(one.file, None, None, None, None, None, f"left out: {one.reason}") for one in evaluation.left_out]
    columns = ("recording", "class", "score", "alarm", "at, s", "length, s", "remarks")
    return section("All recordings", paragraph("The highest scores first.", "soft"), wide(table(columns, rows)))
