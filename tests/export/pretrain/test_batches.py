from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from edge.features.frontend import PANNS, mel_edges_hz, mels_below
from edge.features.level import MASKED_DB
from export.pretrain.augment import levelled, sum_db, through_channel
from export.pretrain.batches import EXCERPT_FRAMES, WHOLE_FRAMES, Batches
from export.pretrain.pool import SPEEDS, Piece, recorded_pieces
from export.pretrain.scene import KINDS


def _batches(synthesised: list[Piece], recorded: list[Piece], seed: int = 0) -> Batches:
    return Batches(synthesised, recorded, size=4, seed=seed, wants_view=True, wants_teacher=True)


def test_batches_depend_on_seed_and_number_alone(pieces: list[Piece]) -> None:
    batches = _batches(pieces, [])
    later = batches[7]
    assert torch.equal(_batches(pieces, [])[7].log_mel, later.log_mel)
    assert not torch.equal(batches[8].log_mel, later.log_mel)
    assert not torch.equal(_batches(pieces, [], seed=1)[7].log_mel, later.log_mel)
    assert later.log_mel.shape == later.other_view.shape == (4, EXCERPT_FRAMES, 64)
    assert later.teacher.shape == (4, WHOLE_FRAMES, 128)
    assert later.shares.shape == (4, EXCERPT_FRAMES // 4, 16, len(KINDS))


def test_recorded_pieces_of_a_narrow_microphone_are_masked_and_nothing_is_known_of_them(pieces: list[Piece], tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    soundfile.write(tmp_path / "short.wav", rng.normal(0.0, 0.01, 16000), 16000)
    soundfile.write(tmp_path / "silent.wav", np.zeros(16000), 16000)
    recorded = recorded_pieces([tmp_path], for_teacher=True)
    assert [piece.mels for piece in recorded] == [mels_below(PANNS, speed * 8000.0) for speed in SPEEDS]
    batch = _batches(pieces, recorded[:1])[0]
    for place in (1, 3):  # a short recording is played to and fro
        assert torch.all(batch.log_mel[place, :, recorded[0].mels :] == MASKED_DB)
        assert batch.audible[place, -1] == 0.0
        assert torch.isnan(batch.shares[place]).all()
        assert torch.isnan(batch.labels[place]).all()
    assert torch.isfinite(batch.shares[0]).all()


def test_recorded_pieces_are_heard_at_three_speeds(tmp_path: Path) -> None:
    rate_hz, seconds, tone_hz = 22050, 2.0, 2000.0
    rng = np.random.default_rng(0)
    sound = 0.1 * np.sin(2 * np.pi * tone_hz * np.arange(round(seconds * rate_hz)) / rate_hz) + rng.normal(
        0.0, 1e-3, round(seconds * rate_hz)
    )
    soundfile.write(tmp_path / "tone.wav", sound, rate_hz)
    recorded = recorded_pieces([tmp_path], for_teacher=True)
    edges_hz = mel_edges_hz(PANNS)
    assert len(recorded) == len(SPEEDS) == 3
    for piece, speed in zip(recorded, SPEEDS, strict=True):
        assert len(piece.log_mel) == pytest.approx(seconds / speed / PANNS.frame_s, abs=2)
        loudest = int(piece.log_mel.astype(np.float32).mean(axis=0).argmax())
        assert edges_hz[loudest] < speed * tone_hz < edges_hz[loudest + 2]
        assert piece.mels == mels_below(PANNS, speed * rate_hz / 2)
        assert piece.teacher is not None
        assert len(piece.teacher) == len(piece.log_mel)


def test_through_channel_changes_the_sound_and_gain_changes_nothing() -> None:
    rng = np.random.default_rng(1)
    log_mel = rng.normal(-20.0, 5.0, (WHOLE_FRAMES, 64)).astype(np.float32)
    heard, mels = through_channel(log_mel, 64, np.random.default_rng(2))
    assert heard.shape == log_mel.shape
    assert mels in {64, *(mels_below(PANNS, hz) for hz in (4000.0, 8000.0, 11025.0))}
    assert np.abs(heard - log_mel).mean() > 0.5
    louder = levelled(log_mel + np.float32(12.0), 64, EXCERPT_FRAMES)
    assert np.allclose(louder, levelled(log_mel, 64, EXCERPT_FRAMES), atol=1e-3)


def test_sum_db_of_two_equal_powers_is_3_db_more() -> None:
    same = np.full((2, 64), -30.0, np.float32)
    assert np.allclose(sum_db(same, same), -30.0 + 10.0 * np.log10(2.0), atol=1e-4)
