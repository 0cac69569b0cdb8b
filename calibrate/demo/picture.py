"""One picture of the demo: the sound, its anomalies, and the alarms."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from calibrate.demo.replay import Replay
from calibrate.demo.scene import Injection, Scene
from calibrate.demo.verdict import Alert
from calibrate.report.pictures import COLD_TO_WARM, MAP_RANGE
from edge.features.frontend import CELL_MELS, FrontEnd, mel_edges_hz

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Float32 = NDArray[np.float32]

TICKS_HZ = (100, 500, 1000, 2000, 4000, 8000)
COLUMNS = 1500  # of the long images: about one per pixel, each the largest value of its time, so that a knock stays visible
AROUND_S = 5.0  # shown before and after a fault in its close-up
FAULT, EVENT, SCORE = "#0f9d8f", "#d1495b", "#26364d"
INK, PAPER = "#1d2733", "#ffffff"


@dataclass(frozen=True, slots=True)
class ScoreTrace:
    """The scores that a subscriber received."""

    window_ends_s: NDArray[np.float64]  # (window,)
    scores: NDArray[np.float64]  # (window,) NaN where too much was lost


def draw_picture(path: Path, replay: Replay, trace: ScoreTrace, scene: Scene, alerts: Sequence[Alert]) -> None:
    """Write a PNG: the whole stream (spectrogram, anomaly map, score), and a close-up of each fault below."""
    from matplotlib import rc_context  # late: matplotlib comes with an extra
    from matplotlib.figure import Figure

    with rc_context({"font.size": 9.0, "axes.titlesize": 10.0, "axes.titleweight": "bold", "text.color": INK, "axes.labelcolor": INK}):
        figure = Figure(figsize=(15.0, 12.0), dpi=110, facecolor=PAPER, layout="constrained")
        figure.suptitle("Auscult demo: a rotating machine, learnt from its normal sound, with three injected faults", fontsize=13.0)
        rows = figure.add_gridspec(5, 3, height_ratios=[1.15, 1.0, 1.15, 1.3, 1.1])
        spectrogram = figure.add_subplot(rows[0, :])
        anomaly = figure.add_subplot(rows[1, :], sharex=spectrogram)
        score = figure.add_subplot(rows[2, :], sharex=spectrogram)
        levels = _levels_db(replay.log_mel)
        sound = _spectrogram(spectrogram, replay, 0.0, scene.stream_s, levels)
        spectrogram.set_title("What was heard", loc="left")
        wrong = _anomaly_map(anomaly, replay, 0.0, scene.stream_s)
        anomaly.set_title("What sounds wrong", loc="left")
        _score(score, trace, scene, alerts)
        figure.colorbar(sound, ax=spectrogram, label="level, dB", pad=0.008, aspect=12)
        figure.colorbar(wrong, ax=anomaly, label="anomaly (1 = alarm)", pad=0.008, aspect=12, extend="both", format="%g")
        for axes in (spectrogram, anomaly):
            axes.tick_params(labelbottom=False)
            for injection in scene.injections:
                _mark(axes, injection)
        for column, injection in enumerate(scene.injections):
            start_s, end_s = injection.start_s - AROUND_S, injection.end_s + AROUND_S
            above, below = figure.add_subplot(rows[3, column]), figure.add_subplot(rows[4, column])
            _spectrogram(above, replay, start_s, end_s, levels)
            above.set_title(f"{injection.description[0].upper()}{injection.description[1:]}", loc="left", pad=14.0)
            above.tick_params(labelbottom=False)
            _anomaly_map(below, replay, start_s, end_s)
            _regions(below, replay.front_end, alerts, injection)
            below.set_xlabel("seconds of the stream; boxes: the regions of its event")
            for axes in (above, below):
                axes.set_xlim(start_s, end_s)
                _mark(axes, injection)
        figure.savefig(path, facecolor=PAPER)


def _levels_db(log_mel: Float32) -> tuple[float, float]:
    """The range of colours: quiet to the loudest thousandth."""
    low, high = np.quantile(log_mel, [0.02, 0.9995])
    return float(low), float(high)


def _spectrogram(axes: Axes, replay: Replay, start_s: float, end_s: float, levels_db: tuple[float, float]) -> Any:
    frame_s = replay.front_end.frame_s
    low, high = levels_db
    return _image(axes, replay.front_end, replay.log_mel, frame_s, start_s, end_s, 1, cmap="magma", vmin=low, vmax=high)


def _anomaly_map(axes: Axes, replay: Replay, start_s: float, end_s: float) -> Any:
    from matplotlib.colors import LinearSegmentedColormap, LogNorm

    # Logarithmic, because a loud fault must not hide a soft one; cold below the alarm threshold, warm above.
    visible = np.maximum(replay.anomaly_map, 1.0 / MAP_RANGE)
    colours = LinearSegmentedColormap.from_list("alarm", COLD_TO_WARM)
    style = {"cmap": colours, "norm": LogNorm(1.0 / MAP_RANGE, MAP_RANGE)}
    return _image(axes, replay.front_end, visible, replay.front_end.cell_s, start_s, end_s, CELL_MELS, **style)


def _image(
    axes: Axes, front_end: FrontEnd, values: Float32, step_s: float, start_s: float, end_s: float, mels_per_row: int, **style: Any
) -> Any:
    """Draw (time, frequency) values between two times, with the frequency axis in mel bands and ticks in hertz."""
    first, last = max(round(start_s / step_s), 0), min(round(end_s / step_s), len(values))
    shown = values[first:last]  # (time, row)
    group = max(1, len(shown) // COLUMNS)
    shown = shown[: len(shown) // group * group].reshape(-1, group, values.shape[1])
    columns = np.fmax.reduce(shown, axis=1)  # (column, row) NaN only where all are
    span_s = (first * step_s, (first + len(columns) * group) * step_s)
    extent = (span_s[0], span_s[1], 0.0, values.shape[1] * mels_per_row)
    image = axes.imshow(columns.T, origin="lower", aspect="auto", extent=extent, interpolation="nearest", **style)
    axes.set_facecolor("#c9ced6")  # where nothing is known
    axes.set_yticks([_mel_row(front_end, hz) for hz in TICKS_HZ], [f"{hz / 1000:g}" for hz in TICKS_HZ])
    axes.set_ylabel("kHz")
    axes.set_ylim(0, values.shape[1] * mels_per_row)
    return image


def _mel_row(front_end: FrontEnd, hz: float) -> float:
    """Where a frequency is on the vertical axis."""
    centres_hz = mel_edges_hz(front_end)[1:-1]
    return float(np.interp(hz, centres_hz, np.arange(len(centres_hz)) + 0.5))


def _score(axes: Axes, trace: ScoreTrace, scene: Scene, alerts: Sequence[Alert]) -> None:
    """The window scores against the threshold, with faults and events as bands and bars."""
    finite = trace.scores[np.isfinite(trace.scores)]
    top = max(2.0, float(finite.max()) * 1.15) if finite.size else 2.0
    axes.axhline(1.0, color=EVENT, linewidth=1.2, linestyle=(0, (5, 3)))
    axes.text(0.5, 1.0, " alarm threshold", color=EVENT, va="bottom", ha="left")
    axes.plot(trace.window_ends_s, trace.scores, color=SCORE, linewidth=1.3)
    axes.fill_between(trace.window_ends_s, 1.0, trace.scores, where=list(trace.scores > 1.0), color=EVENT, alpha=0.25, linewidth=0)
    for injection in scene.injections:
        axes.axvspan(injection.start_s, max(injection.end_s, injection.start_s + 0.4), color=FAULT, alpha=0.35, linewidth=0)
        axes.text(injection.start_s, top * 0.97, f"{injection.kind} ", color=FAULT, fontweight="bold", va="top", ha="right")
    for alert in alerts:
        end_s = max(alert.end_s, alert.start_s + 0.003 * scene.stream_s)
        axes.plot([alert.start_s, end_s], [-0.07 * top] * 2, color=EVENT, linewidth=6.0, solid_capstyle="butt")
    axes.set_ylim(-0.14 * top, top)
    axes.set_xlim(0.0, scene.stream_s)
    axes.grid(axis="y", color="#e3e7ec", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_ylabel("score of the window")
    axes.set_xlabel("seconds of the stream; a score stands where its window ends; green: injected fault; red bar: event")
    axes.set_title("When the alarm went off", loc="left")


def _mark(axes: Axes, injection: Injection) -> None:
    """A bar over the time of a fault, outside the image so that it hides nothing."""
    transform = axes.get_xaxis_transform()  # x in seconds, y in heights of the axes
    first_s, last_s = axes.get_xlim()
    end_s = max(injection.end_s, injection.start_s + 0.003 * (last_s - first_s))  # a knock is narrower than a pixel
    axes.plot(
        [injection.start_s, end_s], [1.035, 1.035], transform=transform, clip_on=False, color=FAULT, linewidth=4, solid_capstyle="butt"
    )


def _regions(axes: Axes, front_end: FrontEnd, alerts: Sequence[Alert], injection: Injection) -> None:
    """Boxes around the regions of the events that overlap a fault."""
    from matplotlib.patches import Rectangle

    for alert in alerts:
        if alert.overlaps(injection):
            for region in alert.regions:
                low, high = _mel_row(front_end, region.f_lo_hz), _mel_row(front_end, region.f_hi_hz)
                corner = (alert.start_s + region.t0_s, low)
                axes.add_patch(Rectangle(corner, region.t1_s - region.t0_s, high - low, fill=False, edgecolor="#ffffff", linewidth=1.3))
