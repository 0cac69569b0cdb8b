"""The options that say how to calibrate a machine: of the command line, and of a row of a fleet's manifest."""

from __future__ import annotations

import os
from argparse import ArgumentParser, Namespace
from collections.abc import Mapping
from datetime import datetime, timezone
from functools import lru_cache
from pathlib import Path
from typing import NoReturn

from calibrate.checks import add_check_arguments
from calibrate.detector_arguments import add_detector_arguments, fitter_settings
from calibrate.fleet_manifest import CellError
from calibrate.settings import CalibrationSettings
from edge.audio.channels import parse_channel
from edge.console.numbers import number, whole_number
from edge.errors import AuscultError, UserError
from edge.features.any_backbone import AnyBackbone, load_backbone

RAREST, MOST_FREQUENT = 1e-4, 1e5  # false alarms per week: one in two centuries, one in six seconds


def add_calibration_arguments(parser: ArgumentParser) -> None:
    """Declare them."""
    parser.add_argument(
        "--false-alarms-per-week",
        type=number(RAREST, MOST_FREQUENT),
        default=1.0,
        metavar="N",
        help="how many false alarms are acceptable (default: 1)",
    )
    parser.add_argument("--channel", type=parse_channel, default=0, help='channel of the recordings, counted from 0, or "mix" (default: 0)')
    parser.add_argument("--seed", type=whole_number(0), default=0, metavar="N", help="seed of every random choice (default: 0)")
    parser.add_argument(
        "--level",
        choices=("absolute", "relative"),
        default="absolute",
        help="relative: how loud the machine is does not count, for a microphone whose gain drifts (default: absolute)",
    )
    parser.add_argument("--ignore-level", dest="level", action="store_const", const="relative", help="the same as --level relative")
    add_detector_arguments(parser)
    add_check_arguments(parser)


def calibration_settings(arguments: Namespace, created_at: datetime) -> CalibrationSettings:
    """The settings that options ask for."""
    return CalibrationSettings(
        fitting=fitter_settings(arguments),
        backbone=arguments.backbone,
        mode=arguments.mode,
        false_alarms_per_week=arguments.false_alarms_per_week,
        channel=arguments.channel,
        bad_recordings=arguments.bad_recordings,
        odd_recordings=arguments.odd_recordings,
        level=arguments.level,
        created_at=created_at,
    )


def moment() -> datetime:
    """What bundles give as the time they were made: now, or SOURCE_DATE_EPOCH, with which they can be made again bit for bit.

    Raises
    ------
    UserError
        SOURCE_DATE_EPOCH is no time.
    """
    epoch = os.environ.get("SOURCE_DATE_EPOCH")
    if not epoch:
        return datetime.now(timezone.utc)
    try:
        return datetime.fromtimestamp(int(epoch), timezone.utc)
    except (ValueError, OverflowError, OSError) as error:
        raise UserError("SOURCE_DATE_EPOCH", f"must be whole seconds since 1970, not {epoch!r}") from error


class _CellParser(ArgumentParser):
    """Takes one option, and raises what it would say."""

    def error(self, message: str) -> NoReturn:
        raise ValueError(message.partition(": ")[2] or message)  # without "argument --seed"


class RowSettings:
    """The settings of one machine: those of the command line, except what its row in the manifest sets; a `fleet_manifest.RowParser`."""

    options: tuple[str, ...]

    def __init__(self, arguments: Namespace, created_at: datetime, folder: Path) -> None:
        """Paths in the rows begin in `folder`, those of the command line where we are."""
        self._arguments = Namespace(**vars(arguments))
        if _is_path(arguments.backbone):
            self._arguments.backbone = str(Path(arguments.backbone).absolute())  # a worker's working folder is another
        self._created_at = created_at
        self._folder = folder
        self._parser = _CellParser(add_help=False, allow_abbrev=False)
        add_calibration_arguments(self._parser)
        self.options = tuple(vars(self._parser.parse_args([])))

    def check(self, option: str, text: str) -> None:
        """CellError when a cell is not what its option takes, or names a backbone that is not there."""
        self._parse(option, text, Namespace())
        if option == "backbone":
            try:
                _loaded(self._path(text))
            except AuscultError as error:
                raise CellError(option, str(error)) from error

    def settings(self, cells: Mapping[str, str]) -> CalibrationSettings:
        """A machine's settings, from option -> text.

        Raises
        ------
        CellError
            Its detector does not take its backbone.
        UserError
            The same, but the command line says so.
        """
        arguments = Namespace(**vars(self._arguments))
        for option, text in cells.items():
            self._parse(option, text, arguments)
        settings = calibration_settings(arguments, self._created_at)
        backbone = _loaded(settings.backbone or settings.fitting.backbone)
        try:
            settings.fitting.fitter(backbone, backbone.front_end.sample_rate_hz / 2, settings.mode)
        except AuscultError as error:
            column = next((option for option in ("backbone", "detector") if option in cells), None)
            if column is None:
                raise
            raise CellError(column, str(error)) from error
        return settings

    def _parse(self, option: str, text: str, arguments: Namespace) -> None:
        value = self._path(text) if option == "backbone" else text
        try:
            self._parser.parse_args([f"--{option.replace('_', '-')}={value}"], arguments)
        except ValueError as error:
            raise CellError(option, f"{error}, or leave it empty") from error

    def _path(self, backbone: str) -> str:
        return str((self._folder / backbone).absolute()) if _is_path(backbone) else backbone


@lru_cache(maxsize=2)
def _loaded(backbone: str | Path) -> AnyBackbone:
    return load_backbone(backbone)


def _is_path(backbone: str | None) -> bool:
    return backbone is not None and backbone.endswith(".onnx")
