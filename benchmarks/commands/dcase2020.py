"""`auscult benchmark dcase2020`: the development set of DCASE 2020 Task 2 as published, and the table of AudDSR."""

from __future__ import annotations

import argparse

from benchmarks.commands.published_table import add_table_arguments, run_table
from benchmarks.datasets.dcase2020 import read_dcase2020
from benchmarks.tables.published import DCASE2020

FORMATS = ("text", "markdown", "json")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the benchmark takes."""
    parser.description = "Each machine of DCASE 2020 Task 2, learned from its own normal recordings: table 1 of AudDSR."
    parser.epilog = "example: auscult benchmark dcase2020 --root dcase2020/ --detector autoencoder,auddsr --format markdown"
    add_table_arguments(parser, "fan/train/normal_id_00_00000000.wav")


def run(arguments: argparse.Namespace) -> int:
    """Measure and print."""
    dataset = read_dcase2020(arguments.root)
    title = "DCASE 2020 Task 2: means over ids (AudDSR, table 1)"
    return run_table(arguments, dataset, title, DCASE2020, {"AUC": "roc_auc", "pAUC": "pauc"})
