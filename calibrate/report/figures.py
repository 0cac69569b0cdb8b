"""Diagrams as SVG that take the page's colour of ink, in the light and in the dark."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from calibrate.report.html import Html

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Float64 = NDArray[np.float64]

INK = "#010203"  # stands for the page's, which takes its place
NORMAL, ALARM, OTHER = "#0f9d8f", "#d1495b", "#4f86c6"
STYLE: Any = {
    "svg.fonttype": "none",  # letters stay letters: they can be searched, and have the reader's font
    "svg.hashsalt": "auscult",
    "font.family": "sans-serif",
    "font.size": 10.0,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.7,
    "axes.unicode_minus": False,
}
OCTAVE_TICKS_HZ = (63, 125, 250, 500, 1000, 2000, 4000, 8000, 16000)


@contextmanager
def drawing(width: float = 5.6, height: float = 2.9) -> Iterator[tuple[Axes, list[Html]]]:
    """Axes to draw on, and a list that holds the SVG afterwards. Inches; the page makes it as wide as it has room."""
    from matplotlib import rc_context  # late: matplotlib comes with an extra
    from matplotlib.figure import Figure

    done: list[Html] = []
    with rc_context(STYLE):
        figure = Figure(figsize=(width, height), layout="constrained")
        axes = figure.add_subplot()
        yield axes, done
        drawn = io.StringIO()
        figure.savefig(drawn, format="svg", transparent=True, metadata={"Date": None, "Creator": None, "Type": None, "Format": None})
    done.append(_inline(drawn.getvalue()))


def _inline(svg: str) -> Html:
    """An SVG as part of a page: no head of its own, as wide as there is room, in the page's ink."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r'(<svg[^>]*?) width="[^"]*"', r"\1", svg, count=1)
    svg = re.sub(r'(<svg[^>]*?) height="[^"]*"', r'\1 role="img"', svg, count=1)
    svg = re.sub(r"font: ([\d.]+px) [^;\"]*", r"font: \1 system-ui, sans-serif", svg)
    return Html(svg.replace(INK, "currentColor").strip())


def histogram(scores: Mapping[str, Sequence[float]], colours: Mapping[str, str]) -> Html:
    """How often which score came, by kind, on a scale that shows a tenth of the threshold as well as a hundred times it."""
    from matplotlib.ticker import MaxNLocator

    everything = np.concatenate([np.asarray(one, np.float64) for one in scores.values()])
    shown = np.maximum(everything, 0.01)
    edges = np.geomspace(min(0.1, float(shown.min())) * 0.999, max(3.0, float(shown.max())) * 1.001, 41)
    with drawing() as (axes, done):
        for name, values in scores.items():
            clipped = np.maximum(np.asarray(values, np.float64), edges[0])
            axes.hist(clipped, bins=edges.tolist(), color=colours[name], alpha=0.65, label=f"{name} ({len(values)})")
        _threshold(axes)
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter(_plain)
        axes.xaxis.set_minor_formatter("")
        axes.yaxis.set_major_locator(MaxNLocator(integer=True))
        axes.set_xlabel("score; 1 is the alarm threshold")
        axes.set_ylabel("recordings")
        if len(scores) > 1:
            axes.legend(frameon=False)
    return done[0]


def octaves(limits_db: Mapping[str, float | None], most_db: float) -> Html:
    """By how much an octave must get louder; one that is not heard at all is as high as the diagram."""
    with drawing() as (axes, done):
        heights = [most_db if limit is None else limit for limit in limits_db.values()]
        bars = axes.bar(list(limits_db), heights, color=OTHER, width=0.7)
        told = [f"over {most_db:.0f}" if limit is None else f"{limit:.1f}" for limit in limits_db.values()]
        axes.bar_label(bars, told, padding=2)
        axes.set_ylim(0.0, 1.15 * max(heights))
        axes.set_xlabel("octave, Hz")
        axes.set_ylabel("louder by, dB")
    return done[0]


def profile(centres_hz: Float64, usual_db: Float64, spread_db: Float64) -> Html:
    """The usual level of each band, (band,) each, and what normal windows vary by: one and two standard deviations."""
    with drawing() as (axes, done):
        for deviations, alpha in ((2.0, 0.18), (1.0, 0.3)):
            low, high = usual_db - deviations * spread_db, usual_db + deviations * spread_db
            axes.fill_between(centres_hz, low, high, color=NORMAL, alpha=alpha, linewidth=0)
        axes.plot(centres_hz, usual_db, color=NORMAL, linewidth=1.6)
        axes.set_xscale("log")
        ticks = [hz for hz in OCTAVE_TICKS_HZ if centres_hz[0] * 0.9 <= hz <= centres_hz[-1] * 1.1]
        axes.set_xticks(ticks, [f"{hz / 1000:g}k" if hz >= 1000 else str(hz) for hz in ticks])
        axes.xaxis.set_minor_formatter("")
        axes.set_xlabel("Hz")
        axes.set_ylabel("level, dB")
    return done[0]


def promise(rates: Float64, scores: Float64, marks: Mapping[str, tuple[float, str]]) -> Html:
    """Which threshold stands for which rate of false alarms, (rate,) each; `marks` are name -> rate and colour."""
    with drawing() as (axes, done):
        axes.plot(rates, scores, color=OTHER, linewidth=1.6)
        for name, (rate, colour) in marks.items():
            score = float(np.interp(np.log(rate), np.log(rates), scores))
            axes.plot([rate], [score], "o", color=colour, label=name)
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter(_plain)
        axes.xaxis.set_minor_formatter("")
        axes.invert_xaxis()
        axes.set_ylim(bottom=0.0)
        axes.set_xlabel("false alarms per week")
        axes.set_ylabel("threshold, as a score")
        axes.legend(frameon=False)
    return done[0]


def roc(false_alarm_rates: Float64, detection_rates: Float64, own: tuple[float, float]) -> Html:
    """The ROC curve, (point,) each, and where the bundle's own threshold is on it."""
    with drawing(5.6, 3.9) as (axes, done):
        axes.plot([0, 1], [0, 1], color=INK, linewidth=0.7, linestyle=(0, (4, 4)))
        axes.plot(false_alarm_rates, detection_rates, color=OTHER, linewidth=1.8)
        axes.plot(*([value] for value in own), "o", color=ALARM, label="the bundle's threshold", clip_on=False, zorder=3)
        axes.set_aspect("equal")
        axes.set_xlim(0.0, 1.0)
        axes.set_ylim(0.0, 1.0)
        axes.set_xlabel("normal recordings that alarm")
        axes.set_ylabel("anomalous recordings that alarm")
        axes.legend(frameon=False, loc="lower right")
    return done[0]


def _threshold(axes: Axes) -> None:
    axes.axvline(1.0, color=ALARM, linewidth=1.2, linestyle=(0, (5, 3)))


def _plain(value: float, _position: float) -> str:
    return f"{value:,.10g}"
