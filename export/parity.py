"""The parity gate on features: torch against ONNX, offline against streamed, fp32 against int8, with stated bounds.

Streamed and offline agree away from the ends only: offline pads every layer with zeros there, a stream has no ends. Two cells of each
block lie within reach of an end (block 4 sees 30 frames to either side, block 3 14, block 2 6).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from edge.console.progress import progress
from export.cnn14 import offline_blocks
from export.gate import Side, check_bound
from export.sound import Clip
from export.streamed import LAG_CELLS, StreamedGraph
from export.trunk import FRAMES_PER_STEP, Float32Array, Parameters, Precision

EDGE_CELLS = 2  # of each block, at either end of a clip
BLOCK_SIZES = (FRAMES_PER_STEP, 3 * FRAMES_PER_STEP)  # a stream in these must equal the usual one

FP32_LARGEST_DIFFERENCE = 1e-4  # the contract between streamed cells and the offline computation
INT8_LARGEST_DIFFERENCE_BY_BLOCK_SIZE = 0.0  # bit for bit
INT8_RELATIVE_RMS = 0.08  # root of error power over feature power, of the median clip: a few very tonal ones clip
INT8_MEAN_COSINE = 0.99  # between the channel vectors of a cell

# comparison, figure, whether the bound is the most or the least it may be, bound
BOUNDS: tuple[tuple[str, str, Side, float], ...] = (
    ("fp32_offline_vs_torch", "largest_difference", "most", FP32_LARGEST_DIFFERENCE),
    ("fp32_streamed_vs_torch", "largest_difference", "most", FP32_LARGEST_DIFFERENCE),
    ("fp32_streamed_vs_offline", "largest_difference", "most", FP32_LARGEST_DIFFERENCE),
    ("fp32_block_sizes", "largest_difference", "most", FP32_LARGEST_DIFFERENCE),
    ("int8_block_sizes", "largest_difference", "most", INT8_LARGEST_DIFFERENCE_BY_BLOCK_SIZE),
    ("int8_streamed_vs_fp32", "relative_rms", "most", INT8_RELATIVE_RMS),
    ("int8_streamed_vs_fp32", "mean_cosine", "least", INT8_MEAN_COSINE),
)

Blocks = Mapping[str, Float32Array]
Figures = dict[str, dict[str, dict[str, float]]]  # comparison -> block -> figure -> value


def feature_parity(parameters: Parameters, fp32: bytes, int8: bytes, clips: Sequence[Clip]) -> Figures:
    """Compare the features of `clips`, by block: differences are the largest of all clips, int8's errors the median clip's.

    `parameters` go through torch, `fp32` and `int8` are the content of ONNX files.
    """
    graphs = {"fp32": StreamedGraph(fp32), "int8": StreamedGraph(int8)}
    comparisons = {comparison: _Comparison() for comparison, *_ in BOUNDS}
    for clip in progress(clips, label="checking parity"):
        log_mel = clip.log_mel
        torch_offline = _inner(offline_blocks(parameters, log_mel), missing=0)
        offline = _inner(graphs["fp32"].blocks(log_mel, block_frames=len(log_mel)))
        streamed = {precision: graph.blocks(log_mel) for precision, graph in graphs.items()}
        inner = _inner(streamed["fp32"])
        comparisons["fp32_offline_vs_torch"].add(offline, torch_offline)
        comparisons["fp32_streamed_vs_torch"].add(inner, torch_offline)
        comparisons["fp32_streamed_vs_offline"].add(inner, offline)
        comparisons["int8_streamed_vs_fp32"].add(_inner(streamed["int8"]), inner)
        for precision, graph in graphs.items():
            for frames in BLOCK_SIZES:
                comparisons[f"{precision}_block_sizes"].add(graph.blocks(log_mel, frames), streamed[precision])
    return {name: comparison.figures() for name, comparison in comparisons.items()}


def check_bounds(figures: Figures, subject: object, precision: Precision = "int8") -> None:
    """AuscultError that names the first figure outside its bound; for fp32, of those in which int8 has no part."""
    for comparison, figure, side, bound in BOUNDS:
        if precision == "fp32" and comparison.startswith("int8"):
            continue
        for block, values in figures[comparison].items():
            check_bound(subject, f"{comparison}.{block}.{figure}", values[figure], side, bound)


def _inner(blocks: Blocks, missing: int = LAG_CELLS) -> dict[str, Float32Array]:
    """Cells out of reach of a clip's ends; a stream's blocks end `missing` cells before their clip does."""
    return {name: cells[EDGE_CELLS : len(cells) - EDGE_CELLS + missing] for name, cells in blocks.items()}


class _Comparison:
    """How far candidates are from references, by block."""

    def __init__(self) -> None:
        self._clips: dict[str, list[dict[str, float]]] = {}  # by block, the figures of each clip

    def add(self, candidate: Blocks, reference: Blocks) -> None:
        for name, expected in reference.items():
            self._clips.setdefault(name, []).append(_clip_figures(candidate[name], expected))

    def figures(self) -> dict[str, dict[str, float]]:
        """Per block: the median clip's, and the worst one's where it matters."""
        return {name: self._block_figures(clips) for name, clips in self._clips.items()}

    def _block_figures(self, clips: list[dict[str, float]]) -> dict[str, float]:
        by_figure = {figure: np.array([clip[figure] for clip in clips]) for figure in clips[0]}  # (clip,) each
        return {
            "largest_difference": float(by_figure["largest_difference"].max()),
            "relative_rms": float(np.median(by_figure["relative_rms"])),
            "worst_relative_rms": float(by_figure["relative_rms"].max()),
            "relative_rms_of_change": float(np.median(by_figure["relative_rms_of_change"])),
            "mean_cosine": float(np.median(by_figure["mean_cosine"])),
        }


def _clip_figures(candidate: Float32Array, expected: Float32Array) -> dict[str, float]:
    """Figures of one block of one clip, from arrays (time, mel, channel).

    `relative_rms_of_change` holds the errors' changes in time against the features' own: the noise that a detector sees.
    """
    error = candidate - expected
    power, other = np.square(expected).sum(axis=2), np.square(candidate).sum(axis=2)  # (time, mel)
    cosine = (candidate * expected).sum(axis=2) / np.sqrt(np.maximum(power * other, np.finfo(np.float32).tiny))  # (time, mel)
    return {
        "largest_difference": float(np.abs(error).max()),
        "relative_rms": _ratio(error, expected),
        "relative_rms_of_change": _ratio(error - error.mean(axis=0), expected - expected.mean(axis=0)),
        "mean_cosine": float(cosine.mean(dtype=np.float64)),
    }


def _ratio(error: Float32Array, expected: Float32Array) -> float:
    floor = np.finfo(np.float64).tiny  # a feature that never changes has errors, if any, without measure
    return float(np.sqrt(np.square(error, dtype=np.float64).sum() / max(np.square(expected, dtype=np.float64).sum(), floor)))
