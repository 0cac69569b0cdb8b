"""UrbanSound8K: up to 4 s of ten classes of street sound, in ten folds.

Published     https://zenodo.org/records/1203745, `UrbanSound8K.tar.gz`: `audio/fold1/101415-3-0-2.wav` to `audio/fold10/`, and
              `metadata/UrbanSound8K.csv` with `slice_file_name, fsID, start, end, salience, fold, classID, class`. Rates and channels vary.
Source        Salamon, Jacoby and Bello, "A dataset and taxonomy for urban sound research" (2014).
"""

from __future__ import annotations

from benchmarks.datasets.folds import Table
from benchmarks.datasets.published import Source

TABLE = Table(
    source=Source("UrbanSound8K", "https://zenodo.org/records/1203745", "audio/fold1/101415-3-0-2.wav"),
    path="metadata/UrbanSound8K.csv",
    file_column="slice_file_name",
    class_column="class",
    audio="audio/fold{fold}/{file}",
    folds=tuple(range(1, 11)),
)
