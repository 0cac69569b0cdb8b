"""Arguments that benchmarks share, each declared once."""

from __future__ import annotations

import argparse
from pathlib import Path

from edge.console.numbers import whole_number


def add_manifest_argument(parser: argparse.ArgumentParser, *, required: bool = True) -> None:
    """Say which recordings to measure."""
    parser.add_argument(
        "--manifest",
        type=Path,
        required=required,
        metavar="CSV",
        help="recordings with path, dataset, unit, role and label; paths from its folder",
    )
    parser.add_argument(
        "--without",
        nargs="+",
        default=[],
        metavar="GLOB",
        help="leave out recordings whose path matches, such as those that a backbone was trained on",
    )


def add_units_argument(
    parser: argparse.ArgumentParser, which: str = "only these", names: str = "a unit, dataset/unit or a whole dataset"
) -> None:
    """Say which machines to measure; `names` is what may be given."""
    parser.add_argument("--units", nargs="+", metavar="UNIT", help=f"{which}: {names}")


def add_repeats_argument(parser: argparse.ArgumentParser, then: str = "") -> None:
    """Offer to draw the split of the normal recordings anew; `then` is what becomes of the draws."""
    parser.add_argument(
        "--repeats",
        type=whole_number(1),
        metavar="N",
        help=f"draw N new fit and test halves of the normal files{then} (default: the manifest's split, once)",
    )


def add_seed_argument(parser: argparse.ArgumentParser, meaning: str = "seed of every random choice") -> None:
    """Offer a seed: the same one gives the same figures."""
    parser.add_argument("--seed", type=whole_number(0), default=0, help=f"{meaning} (default: %(default)s)")
