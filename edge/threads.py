"""One thread for numpy's BLAS, set before numpy is imported: our matrices are too small for more, and waiting threads spin.

Importing this module is what sets it, so entry points import it first. A variable that is already set is left alone.
ONNX Runtime has its own thread count (config.yaml, `inference.threads`).
"""

from __future__ import annotations

import os

for _variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_variable, "1")
