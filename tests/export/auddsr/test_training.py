from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("onnx")

import torch

import export.auddsr.training as training
from edge.errors import UserError
from export.auddsr.excerpts import Excerpts
from export.auddsr.settings import AudDsrTraining
from export.auddsr.training import Sound, exported, focal_loss, resized, sampled, train_auddsr

CPU = torch.device("cpu")
TINY = AudDsrTraining(autoencoder_steps=4, autoencoder_batch=4, steps=3, batch=4, learning_rate=1e-3, codes=8, channels=4)


def excerpts(seed: int) -> Excerpts:
    rng = np.random.default_rng(seed)
    return Excerpts([(8.0 * rng.standard_normal((200, 128)) - 20.0).astype(np.float32) for _ in range(2)])


def sound(*, outliers: bool = False) -> Sound:
    return Sound(excerpts(0), excerpts(1), excerpts(2) if outliers else None, 128)


def test_settings_defaults_are_the_schedule_of_the_paper() -> None:
    told = AudDsrTraining()
    assert (told.autoencoder_steps, told.autoencoder_batch, told.steps, told.batch, told.learning_rate) == (20000, 256, 10000, 16, 2e-4)


def test_focal_loss_is_that_of_the_paper() -> None:
    odds = torch.logit(torch.tensor([0.9, 0.2, 0.6]))
    target = torch.tensor([1.0, 1.0, 0.0])
    expected = -(0.1**2 * np.log(0.9) + 0.8**2 * np.log(0.2) + 0.6**2 * np.log(0.4)) / 3
    assert float(focal_loss(odds, target)) == pytest.approx(expected, rel=1e-5)


def test_resized_disturbs_every_place_that_a_mask_touches() -> None:
    mask = np.zeros((256, 100), np.bool_)
    mask[20, 13] = True
    mask1, mask2, target = resized([mask], 3, 128, CPU)
    assert mask1.shape == (3, 32, 16)
    assert mask2.shape == (3, 64, 32)
    assert mask1.nonzero().tolist() == [[0, 2, 1]]
    assert mask2.nonzero().tolist() == [[0, 5, 3]]
    assert target.shape == (3, 1, 256, 128)
    disturbed = target.nonzero()
    assert len(disturbed) == 64
    assert disturbed.min(dim=0).values.tolist() == [0, 0, 16, 8]
    assert disturbed.max(dim=0).values.tolist() == [0, 0, 23, 15]


def test_sampled_draws_other_codes_from_the_nearest_part_and_only_where_the_mask_is() -> None:
    nearest_first = torch.stack([(torch.arange(100) + code) % 100 for code in range(100)])  # code + 1 is the nearest other, and so on
    codes = torch.full((2, 40, 10), 7)
    mask = torch.zeros(2, 40, 10, dtype=torch.bool)
    mask[:, 5:35] = True
    drawn = sampled(codes, mask, nearest_first, torch.tensor([0.1, 1.0]), torch.Generator().manual_seed(0))
    assert (drawn[:, :5] == 7).all()
    assert (drawn[:, 35:] == 7).all()
    assert set(drawn[0, 5:35].flatten().tolist()) == set(range(8, 18))  # of 99 others the nearest tenth
    far = set(drawn[1, 5:35].flatten().tolist())
    assert 7 not in far
    assert len(far) > 80


@pytest.mark.parametrize("stop", [("codes", 2), ("faults", 1)])
def test_train_auddsr_continues_bit_for_bit(stop: tuple[str, int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = exported(train_auddsr(sound(), TINY, CPU), 128)
    random = training._random

    def stopping(seed: int, stage: int, step: int) -> object:
        if (("codes", "faults")[stage - 1], step) == stop:
            raise KeyboardInterrupt
        return random(seed, stage, step)

    monkeypatch.setattr(training, "_random", stopping)
    with pytest.raises(KeyboardInterrupt):
        train_auddsr(sound(), TINY, CPU, tmp_path)
    monkeypatch.setattr(training, "_random", random)
    assert exported(train_auddsr(sound(), TINY, CPU, tmp_path), 128) == whole
    assert [len((tmp_path / f"{stage}.csv").read_text().splitlines()) for stage in ("codes", "faults")] == [5, 4]


def test_train_auddsr_same_seed_gives_the_same_networks_and_another_seed_others() -> None:
    first, again, other = (exported(train_auddsr(sound(), replace(TINY, seed=seed), CPU), 128) for seed in (0, 0, 1))
    assert first == again != other


def test_train_auddsr_state_of_other_recordings_is_refused(tmp_path: Path) -> None:
    short = replace(TINY, autoencoder_steps=1, steps=1)
    train_auddsr(sound(), short, CPU, tmp_path)
    with pytest.raises(UserError, match=r"holds another training \(outliers was none and is now"):
        train_auddsr(sound(outliers=True), short, CPU, tmp_path)


def test_train_auddsr_second_stage_leaves_the_first_as_it_is() -> None:
    autoencoder = training.learn_codes(sound(), (-20.0, 8.0), TINY, CPU)
    before = {name: value.clone() for name, value in autoencoder.state_dict().items()}
    network = training.learn_faults(autoencoder, sound(outliers=True), (-20.0, 8.0), TINY, CPU)
    assert all(torch.equal(value, before[name]) for name, value in network.autoencoder.state_dict().items())


def test_train_auddsr_outliers_teach_the_detection_module_only() -> None:
    autoencoder = training.learn_codes(sound(), (-20.0, 8.0), TINY, CPU)
    plain, annotated = (
        training.learn_faults(autoencoder, sound(outliers=outliers), (-20.0, 8.0), TINY, CPU).state_dict() for outliers in (False, True)
    )
    differing = {name.split(".")[0] for name in plain if not torch.equal(plain[name], annotated[name])}
    assert differing == {"detection"}


def test_train_auddsr_simulates_faults_only_where_there_is_sound(monkeypatch: pytest.MonkeyPatch) -> None:
    widths = []

    def remember(rng: np.random.Generator, frames: int, mels: int) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
        widths.append(mels)
        return np.ones((frames, mels), np.bool_)

    monkeypatch.setattr(training, "simulated_mask", remember)
    train_auddsr(replace(sound(), mels=96), TINY, CPU)
    assert widths == [96] * TINY.steps * (TINY.batch // 2)  # half of each batch
