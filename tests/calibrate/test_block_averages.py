from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from calibrate.block_averages import BlockAverages
from calibrate.embeddings import Recording
from calibrate.fitters.loudness import fit_loudness, loudness_store
from edge.detectors.detector import real_cells
from edge.features.cell_averages import AverageLayout, AverageStream
from edge.features.feature_extractor import PlacedBlock, file_features
from edge.features.frontend import DCASE, PANNS, FrontEnd, mels_below
from edge.features.logmel_backbone import LogMelBackbone
from edge.judgement.window_sound import WindowSound
from tests.noise import noise_recordings

Float32 = NDArray[np.float32]

BANDWIDTH_HZ = 8000.0


def cells_of(recording: Recording, front_end: FrontEnd, cells: int) -> Float32:
    """The averages of all cells of a recording, shape = (cell, column), as the daemon has them on its timeline."""
    layout = AverageLayout(front_end, mels_below(front_end, BANDWIDTH_HZ))
    found, segment = np.full((cells, layout.width), np.nan, np.float32), -1
    for heard in file_features(recording.path, 0, LogMelBackbone(front_end), BANDWIDTH_HZ):
        if isinstance(heard, PlacedBlock):
            if heard.segment != segment:
                stream, segment = AverageStream(layout), heard.segment
            rows, real = stream.push(heard.block, heard.cells), real_cells(heard.block.first_cell, heard.cells)
            first = heard.base_cell + heard.block.first_cell
            if real.stop > real.start:
                found[first + real.start : first + real.stop] = rows[real]
    return found


@pytest.mark.parametrize("front_end", [PANNS, DCASE], ids=lambda front_end: front_end.name)
def test_block_averages_of_a_window_are_the_mean_of_its_cells(front_end: FrontEnd, tmp_path: Path) -> None:
    """What calibration learns of a window is what the daemon makes of it."""
    (recording,) = noise_recordings(tmp_path, 7.0)
    one = loudness_store([recording], front_end, BANDWIDTH_HZ).averages()[0]
    cells = int((round(7.0 * front_end.sample_rate_hz) // front_end.hop_samples + 1) // 4)
    assert (one.cells, one.blocks) == (cells, -(-cells // 8))
    sound = WindowSound(AverageLayout(front_end, mels_below(front_end, BANDWIDTH_HZ)))
    rows = cells_of(recording, front_end, cells)
    for first, last in ((0, one.blocks), (0, 1), (2, 5), (one.blocks - 1, one.blocks)):
        mean, heard = one.mean(first, last)
        assert heard == min(8 * last, cells) - 8 * first
        np.testing.assert_allclose(mean, sound.mean(rows[8 * first : 8 * last]), rtol=1e-4, atol=1e-5)


def test_block_averages_leave_out_what_was_not_heard(tmp_path: Path) -> None:
    samples = 0.05 * np.random.default_rng(0).standard_normal(8 * 32000)
    samples[3 * 32000 : 5 * 32000] = 0.0
    soundfile.write(tmp_path / "gap.wav", samples, 32000)
    soundfile.write(tmp_path / "silence.wav", np.zeros(3 * 32000), 32000)
    recordings = [Recording(tmp_path / "silence.wav", 0, 75), Recording(tmp_path / "gap.wav", 0, 200), *noise_recordings(tmp_path, 2.0)]
    fitted = fit_loudness(loudness_store(recordings, PANNS, BANDWIDTH_HZ), PANNS.cell_s)
    found = fitted.averages
    assert list(found) == [1, 2] == fitted.heard  # whose deviations go with them one by one
    assert [one.cells for one in found.values()] == [150, 50]
    mean, cells = found[1].mean(10, 15)  # cells 80 to 119, all of the gap
    assert cells == 0
    assert np.isnan(mean).all()
    _, around = found[1].mean(8, 17)
    assert around == 8 + 3 + 16  # of nine blocks
    whole, _ = found[1].mean(0, found[1].blocks)
    assert np.isfinite(whole).all()


def test_block_averages_weigh_blocks_by_the_cells_that_were_heard_and_columns_by_the_blocks_that_know_them() -> None:
    rows = np.array([[1.0, np.nan], [4.0, 2.0], [np.nan, np.nan], [10.0, 6.0]], np.float32)
    one = BlockAverages(rows, np.array([8, 8, 0, 2]))
    mean, cells = one.mean(0, 4)
    assert (one.blocks, one.cells, cells) == (4, 18, 18)
    assert mean.tolist() == pytest.approx([(8 * 1 + 8 * 4 + 2 * 10) / 18, (8 * 2 + 2 * 6) / 10])
    empty, none = one.mean(2, 3)
    assert none == 0
    assert np.isnan(empty).all()
