"""The parity gate on features: torch against ONNX, offline against streamed, fp32 against int8, with stated bounds.

Streamed and offline agree away from the ends only: offline pads every layer with zeros there, a stream has no ends. Two cells of each
block lie within reach of an end (block 4 sees 30 frames to either side, block 3 14, block 2 6).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from edge.errors import AuscultError
from edge.progress import progress
from export.cnn14 import offline_blocks
from export.sound import Clip
from export.streamed import LAG_CELLS, StreamedGraph
from export.trunk import FRAMES_PER_STEP, Float32Array, Parameters

EDGE_CELLS = 2  # of each block, at either end of a clip
BLOCK_SIZES = (FRAMES_PER_STEP, 3 * FRAMES_PER_STEP)  # a stream in these must equal the usual one

FP32_LARGEST_DIFFERENCE = 1e-4  # the contract between streamed cells and the offline computation
INT8_LARGEST_DIFFERENCE_BY_BLOCK_SIZE = 0.0  # bit for bit
INT8_RELATIVE_RMS = 0.08  # root of error power over feature power
INT8_MEAN_COSINE = 0.99  # between the channel vectors of a cell

# comparison, figure, whether the bound is the most or the least it may be, bound
BOUNDS = (
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
    """Compare the features of `clips`, by block: differences are the largest of all clips, int8's errors are over all clips.

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


def check_bounds(figures: Figures, subject: object) -> None:
    """AuscultError that names the first figure outside its bound."""
    for comparison, figure, side, bound in BOUNDS:
        for block, values in figures[comparison].items():
            value = values[figure]
            if not (value <= bound if side == "most" else value >= bound):  # written so that NaN is outside
                name = f"{comparison}.{block}.{figure}"
                raise AuscultError(
                    subject, f"fails the parity gate: {name} is {value:.3g}, may be at {side} {bound:g}; nothing was written"
                )


def _inner(blocks: Blocks, missing: int = LAG_CELLS) -> dict[str, Float32Array]:
    """Cells out of reach of a clip's ends; a stream's blocks end `missing` cells before their clip does."""
    return {name: cells[EDGE_CELLS : len(cells) - EDGE_CELLS + missing] for name, cells in blocks.items()}


class _Comparison:
    """How far candidates are from references, by block."""

    def __init__(self) -> None:
        self._largest: dict[str, float] = {}
        self._sums: dict[str, NDArray[np.float64]] = {}  # error power, change power, power, cosines, cells; each of (5,) float64

    def add(self, candidate: Blocks, reference: Blocks) -> None:
        for name, expected in reference.items():
            error = candidate[name] - expected  # (time, mel, channel)
            power, other = np.square(expected).sum(axis=2), np.square(candidate[name]).sum(axis=2)  # (time, mel)
            cosine = (candidate[name] * expected).sum(axis=2) / np.sqrt(np.maximum(power * other, np.finfo(np.float32).tiny))
            changing = error - error.mean(axis=0), expected - expected.mean(axis=0)
            terms = [np.square(error).sum(), power.sum(), *(np.square(part).sum() for part in changing), cosine.sum(), cosine.size]
            self._sums[name] = self._sums.get(name, 0.0) + np.array(terms, np.float64)
            self._largest[name] = float(np.maximum(self._largest.get(name, 0.0), np.abs(error).max()))  # np.maximum keeps NaN

    def figures(self) -> dict[str, dict[str, float]]:
        """Per block; `relative_rms_of_change` holds the errors' changes in time against the features': noise that a detector sees."""
        return {name: self._block_figures(name) for name in self._largest}

    def _block_figures(self, name: str) -> dict[str, float]:
        error, power, changing_error, changing_power, cosine, cells = self._sums[name]
        return {
            "largest_difference": self._largest[name],
            "relative_rms": float(np.sqrt(error / power)),
            "relative_rms_of_change": float(np.sqrt(changing_error / changing_power)),
            "mean_cosine": float(cosine / cells),
        }
