"""ESC-50: 5 s of fifty classes of everyday sound, in five folds; ESC-10 is ten of the classes in the same layout.

Published     https://github.com/karolpiczak/ESC-50, `master.zip`: `audio/1-100032-A-0.wav` (fold, recording, take, class), 44.1 kHz, and
              `meta/esc50.csv` with `filename, fold, target, category, esc10, src_file, take`.
Source        Piczak, "ESC: dataset for environmental sound classification" (2015).
"""

from __future__ import annotations

from benchmarks.datasets.folds import Table
from benchmarks.datasets.published import Source

TABLE = Table(
    source=Source("ESC-50", "https://github.com/karolpiczak/ESC-50", "audio/1-100032-A-0.wav"),
    path="meta/esc50.csv",
    file_column="filename",
    class_column="category",
    audio="audio/{file}",
    folds=tuple(range(1, 6)),
)
