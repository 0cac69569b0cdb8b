from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from edge.detectors.selection import CHANNELS, Selection
from edge.features.backbone import BLOCK_SHAPES, Features
from export.cfa.descriptor import Descriptor, flattened

BANDS, DIMENSIONS = 13, 6


def blocks(seed: int, sizes: tuple[float, float, float] = (1.0, 1.0, 1.0)) -> dict[str, NDArray[np.float32]]:
    rng = np.random.default_rng(seed)
    return {
        name: (size * (2.0 + rng.standard_normal(shape))).astype(np.float16).astype(np.float32)
        for (name, shape), size in zip(BLOCK_SHAPES.items(), sizes, strict=True)
    }


def rows(count: int, sizes: tuple[float, float, float] = (1.0, 1.0, 1.0)) -> torch.Tensor:
    return torch.from_numpy(np.concatenate([flattened(blocks(seed, sizes)) for seed in range(count)])).float()


def test_descriptor_of_rows_is_that_of_the_aligned_cells_which_the_detector_hears() -> None:
    descriptor = Descriptor(BANDS, DIMENSIONS, seed=0)
    descriptor.settle(rows(4))
    selection = Selection(np.arange(CHANNELS), BANDS)
    cells = np.concatenate([selection.of(Features(**blocks(seed))) for seed in range(3)])
    with torch.no_grad():
        np.testing.assert_allclose(descriptor.of_rows(rows(3)), descriptor(torch.from_numpy(cells)), atol=1e-4)


def test_descriptor_tells_the_same_patch_in_two_bands_apart() -> None:
    descriptor = Descriptor(BANDS, DIMENSIONS, seed=0)
    with torch.no_grad():
        described = descriptor(torch.ones(1, BANDS, CHANNELS))[0]
        steps = described[1:] - described[:-1]
        np.testing.assert_allclose(steps, (descriptor.coordinate_weight * 2.0 / (BANDS - 1)).expand(BANDS - 1, -1), atol=1e-5)


@pytest.mark.parametrize("sizes", [(1.0, 1.0, 1.0), (10.0, 1.0, 0.1)])
def test_descriptor_settled_has_mean_zero_and_varies_by_one_to_which_all_blocks_add_a_third(sizes: tuple[float, float, float]) -> None:
    descriptor = Descriptor(BANDS, 400, seed=0)
    descriptor.settle(rows(40, sizes))
    with torch.no_grad():
        described = descriptor.of_rows(rows(40, sizes))
        assert float(described.mean(dim=(0, 1)).abs().max()) < 1e-4
        assert float(described.var(dim=0).sum(dim=1).mean()) == pytest.approx(1.0, rel=0.1)
        first = 0
        for (_, _, channels), size in zip(BLOCK_SHAPES.values(), sizes, strict=True):
            share = float(descriptor.weight[first : first + channels].square().sum()) * size**2
            assert share == pytest.approx(1.0 / 3.0, rel=0.1)
            first += channels


def test_flattened_holds_what_is_beyond_half_precision_at_its_edge() -> None:
    heard = blocks(0)
    heard["block2"][0, 0, 0] = 1e6
    assert flattened(heard)[0, 0] == np.float16(60000.0)
    assert flattened(heard).shape == (1, 16384 + 8192 + 4096)
