"""The arguments that say what EnvMix is made of: a manifest, or the published datasets."""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path

from benchmarks.commands.arguments import add_manifest_argument
from benchmarks.datasets.envmix import EnvMix, envmix_of_folders, envmix_of_manifest
from benchmarks.datasets.manifest import read_manifest
from edge.console.numbers import number, number_above
from edge.errors import UserError

SNR_DB = (6.0, 0.0, -6.0)


def add_envmix_arguments(parser: argparse.ArgumentParser) -> None:
    """Say where the sounds come from and how they are mixed."""
    add_manifest_argument(parser, required=False)
    parser.add_argument(
        "--root", type=Path, metavar="DIR", help="instead of a manifest: a folder with UrbanSound8K/ and ESC-50/ as published"
    )
    parser.add_argument(
        "--snr",
        type=number(),
        nargs="+",
        default=list(SNR_DB),
        metavar="DB",
        help="ratios of the added sound to what it is added to (default: 6 0 -6)",
    )
    parser.add_argument(
        "--snr-over",
        choices=("sound", "clip"),
        default="sound",
        help="ratios of powers while the added sound lasts, or over the whole recording: a short sound is then louder (default: sound)",
    )
    parser.add_argument(
        "--share",
        type=number_above(0, below=1),
        default=0.5,
        metavar="PART",
        help="share of a class to learn from, where there are no folds (default: 0.5)",
    )
    parser.add_argument("--classes", nargs="+", metavar="CLASS", help="only these classes of normal sound (default: all)")


def envmix_of(arguments: argparse.Namespace) -> EnvMix:
    """The classes that were asked for; UserError when there are none."""
    if (arguments.manifest is None) == (arguments.root is None):
        raise UserError("--manifest or --root", "give one of them: a manifest of recordings, or the folder of the published datasets")
    if arguments.manifest is not None:
        recordings = read_manifest(arguments.manifest, arguments.without)
        return replace(envmix_of_manifest(recordings, arguments.classes), over=arguments.snr_over, share=arguments.share)
    mix = replace(envmix_of_folders(arguments.root, arguments.root, arguments.classes), over=arguments.snr_over)
    for note in mix.notes:
        print(f"auscult: {note}", file=sys.stderr)
    return mix
