from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from edge.audio.resampler import Resampler
from edge.errors import CheckpointError
from export.pretrain.teacher import CLASSES, Teacher, load_teacher
from export.pretrain.teacher_frontend import FLOOR_POWER, kaldi_filterbank, mel_position, teacher_log_mel

SHARED = Path(__file__).parents[4] / "shared"
REAL = SHARED / "weights" / "mn04" / "mn04_as_mAP_432.pt"
CLIPS = SHARED / "data" / "background" / "esc10"

# The published parameter count and number of tensors of mn04; the key list itself is EfficientAT's.
PARAMETERS = 983_599
TENSORS = 312

# AudioSet's class indices of what ESC-10's clips hold.
CLASSES_OF = {"Dog bark": {72, 73, 74, 75}, "Rain": {289, 290, 291}, "Clock tick": {406, 407, 408}, "Rooster": {98, 99, 100, 101}}


def test_teacher_has_the_published_size_and_names() -> None:
    state = Teacher().state_dict()
    assert len(state) == TENSORS
    assert sum(parameter.numel() for parameter in Teacher().parameters()) == PARAMETERS
    assert state["features.4.block.2.conc_se_layers.0.fc1.weight"].shape == (8, 32)
    assert state["features.16.0.weight"].shape == (384, 64, 1, 1)
    assert state["classifier.5.weight"].shape == (CLASSES, 512)


def test_teacher_loaded_from_a_file_of_the_real_form_gives_maps_on_its_strides(teacher_file: Path, generated_teacher: Teacher) -> None:
    teacher = load_teacher(teacher_file)
    log_mel = torch.randn(2, 1, 128, 224)
    assert torch.equal(teacher(log_mel), generated_teacher(log_mel))
    maps = teacher.maps(log_mel, (3, 6, 12, 15))
    assert {layer: tuple(found.shape) for layer, found in maps.items()} == {
        3: (2, 16, 32, 56),
        6: (2, 16, 16, 28),
        12: (2, 48, 8, 14),
        15: (2, 64, 4, 7),
    }
    assert [teacher.stride_of(layer) for layer in (3, 6, 12, 15)] == [4, 8, 16, 32]


@pytest.mark.parametrize("spoil", ["missing", "text", "lacking", "nan", "strange", "shape"])
def test_teacher_that_is_something_else_is_refused_in_one_line(spoil: str, tmp_path: Path, generated_teacher: Teacher) -> None:
    path = tmp_path / "mn04.pt"
    state = {name: tensor.clone() for name, tensor in generated_teacher.state_dict().items()}
    if spoil == "text":
        path.write_text("not a checkpoint")
    elif spoil == "lacking":
        del state["features.3.block.0.0.weight"]
    elif spoil == "nan":
        state["classifier.5.bias"][0] = float("nan")
    elif spoil == "strange":
        state["more"] = torch.zeros(1)
    elif spoil == "shape":
        state["classifier.5.bias"] = torch.zeros(10)
    if spoil not in ("missing", "text"):
        torch.save(state, path)
    with pytest.raises(CheckpointError) as refused:
        load_teacher(path)
    assert "\n" not in str(refused.value)


def test_teacher_log_mel_of_a_tone_peaks_at_its_band() -> None:
    time_s = np.arange(32000) / 32000
    log_mel = teacher_log_mel(np.sin(2 * np.pi * 3000.0 * time_s).astype(np.float32))
    assert log_mel.shape == (100, 128)
    assert abs(int(log_mel[50].argmax()) - float(mel_position(np.array(3000.0)))) <= 1.0
    assert teacher_log_mel(np.zeros(6400, np.float32)).min() == pytest.approx(np.log(FLOOR_POWER))
    assert kaldi_filterbank().shape == (513, 128)


@pytest.mark.skipif(not (REAL.is_file() and CLIPS.is_dir()), reason="the real teacher and recordings are not here")
@pytest.mark.parametrize("sound", CLASSES_OF)
def test_teacher_real_names_what_is_in_the_recordings(sound: str) -> None:
    manifest = (SHARED / "data" / "manifest.csv").read_text(encoding="utf-8").splitlines()
    rows = [line.split(",") for line in manifest]
    paths = [SHARED / "data" / row[0] for row in rows if row[1:3] == ["background_esc10", sound]][:4]
    teacher = load_teacher(REAL)
    named = 0
    for path in paths:
        samples, rate_hz = soundfile.read(path, dtype="float32", always_2d=True)
        resampler = Resampler(rate_hz, 32000)
        heard = np.concatenate([resampler.push(samples[:, 0].copy()), resampler.finish()])
        scaled = (teacher_log_mel(heard) + 4.5) / 5.0
        best = teacher(torch.from_numpy(scaled.T.copy())[None, None])[0].topk(3).indices.tolist()
        named += bool(CLASSES_OF[sound] & set(best))
    assert named >= len(paths) - 1
