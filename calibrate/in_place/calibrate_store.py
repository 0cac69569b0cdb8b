"""A store of what a node has learned in place in, a bundle out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from calibrate.bundle_manifest import DataFacts
from calibrate.calibration import Calibration, check_output
from calibrate.detection_limit import limit_of
from calibrate.fitted_bundle import FittedBundle, alarm_surprise
from calibrate.fitters.banks import BankFitter
from calibrate.fitters.excess import excess_of
from calibrate.fitters.patchcore import PatchCoreSettings
from calibrate.in_place.learned_heads import learned_scales
from calibrate.in_place.learned_sound import LearnedSound
from calibrate.in_place.learned_steady import StretchWindow, fit_learned_steady, held_out_nats, louder_nats, stretch_windows
from calibrate.in_place.learned_surprise import STEP_S, LearnedSurprise, learned_surprise, told
from calibrate.normal_steady import NormalSteady
from calibrate.settings import CalibrationSettings
from calibrate.threshold_note import threshold_note
from calibrate.unheard import fit_units, together
from edge.bundles.signature import SigningKey
from edge.detectors.detector import EXCESS
from edge.detectors.loudness import Excess
from edge.errors import StoreError, UserError
from edge.features.any_backbone import AnyBackbone, load_backbone
from edge.features.cell_averages import AverageLayout
from edge.features.frontend import CELL_MELS, mels_below
from edge.judgement.steady import LEVEL, STEADY_HEADS, SteadyChoice
from edge.judgement.tail_fit import fit_tail, seconds_to_support, supported_false_alarms_per_week
from edge.judgement.window_sound import WindowSound

Float32 = NDArray[np.float32]
Arrays = dict[str, dict[str, NDArray[np.generic]]]


def calibrate_store(
    folder: Path,
    output: Path,
    settings: CalibrationSettings,
    say: Callable[[str], None] = lambda line: None,
    key: SigningKey | None = None,
) -> Calibration:
    """Make a bundle of a store.

    Parameters
    ----------
    folder
        The store of one source, which its node may go on writing.
    output, settings, say, key
        See `calibrate.calibration.calibrate`; a store is of the detector patchcore, in stream mode.

    Raises
    ------
    StoreError
        The store cannot be used, or holds too little.
    BackboneError
        The backbone that it was learned with is not here.
    BundleError
        `output` cannot be written, or is something else than a bundle.
    UserError
        Another detector, mode or choice of heads is asked for.
    """
    check_output(output)
    fitting = settings.fitting
    if not isinstance(fitting, PatchCoreSettings) or settings.mode != "stream" or settings.heads:
        raise UserError("--store", "a store is of the detector patchcore, in the mode stream, with all heads; leave these options out")
    sound = LearnedSound(folder)
    backbone = load_backbone(settings.backbone or sound.kind.backbone, threads=settings.threads)
    if backbone.sha256 != sound.kind.backbone_sha256:
        raise StoreError(folder, f"was learned with another backbone ({sound.kind.backbone}); name its file with --backbone")
    settings = replace(settings, backbone=settings.backbone or sound.kind.backbone)
    arrays, windows = _detector(sound, fitting, backbone)
    steady = _steady(sound, settings, backbone)
    features = {feature: windows[0][feature].shape[1] for feature in sound.kind.features}
    names, window_cells = sound.kind.values, sound.kind.window_cells
    scales = learned_scales(windows, features, told(sound.values, names), window_cells)
    nats = {window.averages.stretch: steady.nats(window) for window in steady.windows if window.is_last}
    series = learned_surprise(sound.values, names, features, window_cells, nats)
    if not series:
        raise StoreError(folder, "holds no window that was judged and found normal; let it learn for longer")
    units = fit_units(series, STEP_S)
    tail = fit_tail([together(one, units) for one in series], STEP_S)
    unheard_s = STEP_S * sum(len(one.cells) for one in series)
    alarm = alarm_surprise(tail, unheard_s, settings.false_alarms_per_week)
    limit = limit_of(steady.limit_windows(series), units, alarm, sound.kind.bandwidth_hz)
    note = threshold_note(unheard_s, settings.false_alarms_per_week)
    if note:
        say(note)
    learned = DataFacts(sound.kind.bandwidth_hz, sound.stretches, sound.seconds, (f"{sound.source}, learned in place",), (), unheard_s)
    chosen = (SteadyChoice(steady.fitted.steady.heads, settings.level), steady.fitted.arrays) if steady.fitted else None
    FittedBundle(learned, arrays, scales, chosen, units, tail, limit).write(output, settings, backbone, key)
    return Calibration(
        bundle=output,
        recordings=learned.recordings,
        seconds=learned.seconds,
        bandwidth_hz=learned.bandwidth_hz,
        dropped=(),
        warnings=(),
        threshold_note=note,
        detection_limit=limit.note,
        detection_limit_db=limit.by_octave,
        supported_false_alarms_per_week=supported_false_alarms_per_week(unheard_s),
        seconds_needed=round(seconds_to_support(settings.false_alarms_per_week)),
        bytes=output.stat().st_size,
    )


def _detector(sound: LearnedSound, fitting: PatchCoreSettings, backbone: AnyBackbone) -> tuple[Arrays, list[Mapping[str, Float32]]]:
    """The arrays of a PatchCore, and what it makes of the columns of each window, out of fold."""
    banked = [feature for feature in sound.kind.features if feature != EXCESS]
    banks = BankFitter(banked, fitting.coreset, fitting.banks, fitting.seed).fit(sound, sound)
    loudness = excess_of([sound.columns[index].patches[EXCESS] for index in sound.windows])
    excess = Excess(loudness, mels_below(backbone.front_end, sound.kind.bandwidth_hz) // CELL_MELS)
    windows: list[Mapping[str, Float32]] = [
        {**banks.deviations[index], EXCESS: excess.of(sound.columns[index].patches[EXCESS].astype(np.float32))} for index in sound.windows
    ]
    projection: Arrays = {"projection": dict(sound.projection)} if sound.projection else {}
    return projection | banks.arrays | {EXCESS: dict(loudness)}, windows


@dataclass(frozen=True, slots=True)
class _Steady:
    """The heads of steady sound, if there are any, and the windows that they were fitted on."""

    fitted: NormalSteady | None
    windows: list[StretchWindow]

    def nats(self, window: StretchWindow) -> float:
        """What they make of a window, held out."""
        return 0.0 if self.fitted is None else held_out_nats(self.fitted, window)

    def limit_windows(self, series: list[LearnedSurprise]) -> list[_LimitWindow]:
        """Those in which louder bands are looked for; of moments they say what is usual."""
        usual = float(np.median(np.concatenate([one.cells for one in series])))
        return [] if self.fitted is None else [_LimitWindow(self.fitted, window, usual) for window in self.windows]


@dataclass(frozen=True, slots=True)
class _LimitWindow:
    """A `LimitWindow`."""

    steady: NormalSteady
    window: StretchWindow
    cells: float

    def louder(self, band_hz: tuple[float, float], by_db: float) -> float:
        return louder_nats(self.steady, self.window, band_hz, by_db)


def _steady(sound: LearnedSound, settings: CalibrationSettings, backbone: AnyBackbone) -> _Steady:
    layout = AverageLayout(backbone.front_end, mels_below(backbone.front_end, sound.kind.bandwidth_hz))
    heads = [head for head in STEADY_HEADS if not (head == LEVEL and settings.level == "relative")]
    windows = stretch_windows(sound.averages)
    return _Steady(fit_learned_steady(windows, WindowSound(layout, relative=settings.level == "relative"), heads), windows)
