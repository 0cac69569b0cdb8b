"""The options that say which detector to fit, and how: the same for `calibrate` and for all benchmarks."""

from __future__ import annotations

from argparse import ArgumentParser, ArgumentTypeError, Namespace

from calibrate.fitters import FITTERS
from calibrate.fitters.fitter import FitterSettings
from edge.judgement.heads import Mode


def add_detector_arguments(parser: ArgumentParser, *, several: bool = False, mode: Mode = "stream") -> None:
    """Declare the choice of detector, or of several, of backbone and mode, and the options of every detector."""
    choice = parser.add_argument_group("detector", "; ".join(f"{name}: {settings.summary}" for name, settings in FITTERS.items()))
    choice.add_argument(
        "--detector",
        type=_names if several else _name,
        default="patchcore",
        metavar="NAME[,NAME...]" if several else "NAME",
        help=f"how to compare with normal sound: {', '.join(FITTERS)} (default: %(default)s)",
    )
    choice.add_argument(
        "--backbone",
        metavar="NAME_OR_ONNX",
        help="built-in name or exported file (default: the detector's own; "
        + ", ".join(f"{name}: {settings.backbone}" for name, settings in FITTERS.items())
        + ")",
    )
    choice.add_argument(
        "--mode",
        choices=("stream", "clip"),
        default=mode,
        help="judge an endless stream by all heads, or clips of one length as the detectors were published (default: %(default)s)",
    )
    choice.add_argument(
        "--device",
        choices=("auto", "cpu", "cuda"),
        default="auto",
        help="where a network is trained; patchcore has none (default: %(default)s)",
    )
    for name, settings in FITTERS.items():
        settings.add_arguments(parser.add_argument_group(f"of {name}"))


def fitter_settings(arguments: Namespace) -> FitterSettings:
    """The settings of the detector that was asked for; the seed of everything random is the option `seed` of the command."""
    return FITTERS[arguments.detector].from_arguments(arguments)


def _name(text: str) -> str:
    if text not in FITTERS:
        raise ArgumentTypeError(f"no such detector: {text!r}; there are {', '.join(FITTERS)}")
    return text


def _names(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(_name(name.strip()) for name in text.split(",")))
