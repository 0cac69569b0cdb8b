from __future__ import annotations

import numpy as np

from edge.features.frontend import PANNS
from export.pretrain.pool import Piece, synthesised_pieces
from export.pretrain.scene import KINDS, LABELS, make_scene


def test_scene_is_the_same_again_and_its_parts_are_no_louder_than_the_whole() -> None:
    for index in range(4):
        one, two = (make_scene(5, index, 2.0, 32000) for _ in range(2))
        assert np.array_equal(one.samples, two.samples)
        assert np.array_equal(one.labels, two.labels, equal_nan=True)
        assert set(one.parts) <= set(KINDS)
        total = float(np.mean(np.square(one.samples)))
        assert all(float(np.mean(np.square(part))) <= 1.2 * total for part in one.parts.values())


def test_scene_labels_are_known_for_what_is_there_only() -> None:
    scenes = [make_scene(6, index, 1.0, 32000) for index in range(12)]
    names = list(LABELS)
    for scene in scenes:
        assert np.isfinite(scene.labels[names.index("shaft")])
        assert np.isfinite(scene.labels[names.index("whine")]) == ("whine" in scene.parts)
        assert np.isfinite(scene.labels[names.index("leak_low")]) == ("leak" in scene.parts)
    known = np.stack([scene.labels for scene in scenes])
    assert np.nanmax(np.abs(known)) < 4.0


def test_scenes_hold_every_kind_of_sound_now_and_then() -> None:
    scenes = [make_scene(7, index, 1.0, 32000) for index in range(24)]
    for kind in KINDS[1:]:
        assert 0 < sum(kind in scene.parts for scene in scenes) < len(scenes), kind
    calling = [scene for scene in scenes if "call" in scene.parts]
    assert all(scene.parts["call"].shape == scene.samples.shape for scene in calling)


def test_pieces_are_at_the_reference_level_and_shares_lie_between_0_and_1(pieces: list[Piece]) -> None:
    for piece in pieces:
        assert piece.log_mel.shape == (400, PANNS.mel_bands)
        assert piece.teacher is not None
        assert piece.teacher.shape == (400, 128)
        assert abs(float(piece.log_mel.astype(np.float32).mean()) + 20.0) < 0.5
        assert piece.shares is not None
        assert piece.shares.shape == (100, 16, len(KINDS))
        assert float(piece.shares.min()) >= 0.0
        assert float(piece.shares.max()) <= 1.0


def test_pieces_made_by_processes_are_the_same() -> None:
    alone = synthesised_pieces(2, seed=9, for_teacher=False)
    together = synthesised_pieces(2, seed=9, for_teacher=False, workers=1)
    assert all(np.array_equal(one.log_mel, two.log_mel) for one, two in zip(alone, together, strict=True))
