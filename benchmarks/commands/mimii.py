"""`auscult benchmark mimii`: MIMII as published, and the table of "From Vision to Sound"."""

from __future__ import annotations

import argparse

from benchmarks.commands.published_table import add_table_arguments, run_table
from benchmarks.datasets.mimii import read_mimii
from benchmarks.tables.published import MIMII

FORMATS = ("text", "markdown", "json")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the benchmark takes."""
    parser.description = 'Each machine of MIMII at each ratio, learned from its own normal recordings: table 1 of "From Vision to Sound".'
    parser.epilog = "example: auscult benchmark mimii --root MIMII/ --detector patchcore,padim,cfa,stfpm --format markdown"
    add_table_arguments(parser, "6_dB_fan/fan/id_00/normal/00000000.wav")


def run(arguments: argparse.Namespace) -> int:
    """Measure and print."""
    dataset = read_mimii(arguments.root, seed=arguments.seed)
    title = "MIMII: means over ids and ratios (From Vision to Sound, table 1)"
    return run_table(arguments, dataset, title, MIMII, {"F1": "f1", "ROC": "roc_auc"})
