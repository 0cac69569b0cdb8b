"""A bundle that is made to be measured: learned from recordings, loaded and forgotten."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from calibrate.calibration import calibrate
from calibrate.left_out import Sieve
from calibrate.settings import CalibrationSettings, with_seed
from edge.model import Model

DEFAULTS = CalibrationSettings(bad_recordings="drop")  # recordings that cannot be learned from are left out

Learn = Callable[[Sequence[Path], int, Sieve], Model]


def learn(paths: Sequence[Path], seed: int, sieve: Sieve, *, settings: CalibrationSettings = DEFAULTS) -> Model:
    """Calibrate a bundle; what cannot be learned from stays in the sieve. UserError when there is too little else."""
    with tempfile.TemporaryDirectory(prefix="auscult-") as folder:
        bundle = Path(folder, "machine.auscult")
        calibrate(list(paths), bundle, with_seed(settings, seed), leave_out=sieve.leave_out)
        return Model.load(bundle)
