from __future__ import annotations

import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from edge.errors import CheckpointError
from export.architecture import SOURCES, cnn14_shapes
from export.checkpoint import generate_checkpoint, load_checkpoint
from export.trunk import trunk_shapes

PANNS, CLAP = SOURCES["panns"], SOURCES["clap2022"]
Model = dict[str, torch.Tensor]


class RunsCode:
    """What a poisoned pickle does."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, ("touch poisoned",)


def _without_block_5(model: Model) -> None:
    for name in [name for name in model if name.startswith(("conv_block5", "conv_block6"))]:
        del model[name]


def _to_cnn6(model: Model) -> None:
    _without_block_5(model)
    for name in [name for name in model if "conv2" in name or "bn2" in name]:
        del model[name]


def _to_16k(model: Model) -> None:
    for part in ("real", "imag"):
        model[f"spectrogram_extractor.stft.conv_{part}.weight"] = torch.zeros(257, 1, 512)
    model["logmel_extractor.melW"] = torch.zeros(257, 64)


def _put(name: str, value: Any) -> Callable[[Model], None]:
    return lambda model: model.__setitem__(name, value)


def _saved(tmp_path: Path, change: Callable[[Model], None] = lambda model: None, source: Any = PANNS) -> Path:
    checkpoint = generate_checkpoint(source, seed=3)
    change(checkpoint["model"])
    path = tmp_path / "checkpoint.pth"
    torch.save(checkpoint, path)
    return path


@pytest.mark.parametrize("source", SOURCES.values(), ids=SOURCES)
@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "legacy"])
def test_load_checkpoint_of_the_real_form_gives_the_trunk(tmp_path: Path, source: Any, zipped: bool) -> None:
    checkpoint = generate_checkpoint(source, seed=3)
    path = tmp_path / "checkpoint.pth"
    torch.save(checkpoint, path, _use_new_zipfile_serialization=zipped)
    loaded = load_checkpoint(path, source)
    assert {name: array.shape for name, array in loaded.items()} == trunk_shapes()
    for name, array in loaded.items():
        np.testing.assert_array_equal(array, checkpoint["model"][source.prefix + name].numpy())


@pytest.mark.parametrize("source", SOURCES.values(), ids=SOURCES)
def test_load_checkpoint_saved_on_several_cards_is_the_same(tmp_path: Path, source: Any) -> None:
    checkpoint = generate_checkpoint(source, seed=3)
    checkpoint["model"] = {f"module.{name}": value for name, value in checkpoint["model"].items()}
    torch.save(checkpoint, tmp_path / "parallel.pth")
    parallel, plain = load_checkpoint(tmp_path / "parallel.pth", source), load_checkpoint(_saved(tmp_path, source=source), source)
    assert parallel.keys() == plain.keys()
    assert all(np.array_equal(parallel[name], plain[name]) for name in plain)


@pytest.mark.parametrize("stored", [torch.float16, torch.bfloat16, torch.float64])
def test_load_checkpoint_of_another_precision_becomes_single(tmp_path: Path, stored: torch.dtype) -> None:
    def convert(model: Model) -> None:
        model.update({name: value.to(stored) for name, value in model.items() if value.is_floating_point()})

    loaded, exact = load_checkpoint(_saved(tmp_path, convert), PANNS), load_checkpoint(_saved(tmp_path), PANNS)
    for name, values in loaded.items():
        assert values.dtype == exact[name].dtype
        np.testing.assert_allclose(values.astype(np.float64), exact[name].astype(np.float64), rtol=0.01, atol=1e-4)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda model: model.pop("conv_block2.bn1.bias"), "lacks conv_block2.bn1.bias"),
        (lambda model: model.pop("fc_audioset.weight"), "lacks fc_audioset.weight"),
        (_without_block_5, "(it is a Cnn10)"),
        (_to_cnn6, "(it is a Cnn6)"),
        (_to_16k, "spectrogram_extractor.stft.conv_real.weight has shape (257, 1, 512) instead of (513, 1, 1024) (a Cnn14 for another"),
        (_put("conv_block1.conv1.weight", torch.zeros(64, 1, 5, 5)), "conv_block1.conv1.weight has shape (64, 1, 5, 5)"),
        (_put("pre_conv0.weight", torch.zeros(3)), "holds pre_conv0.weight, which"),
        (_put("conv_block3.bn2.weight", torch.full((256,), torch.nan)), "conv_block3.bn2.weight holds NaN"),
        (_put("conv_block6.bn2.weight", torch.full((2048,), torch.inf)), "conv_block6.bn2.weight holds NaN or infinite"),
        (_put("bn0.running_var", torch.full((64,), -1.0)), "bn0.running_var holds a negative variance"),
        (_put("bn0.weight", torch.zeros(64, dtype=torch.int32)), "bn0.weight holds torch.int32"),
        (_put("bn0.bias", [0.0] * 64), "bn0.bias is not a tensor but list"),
    ],
)
def test_load_checkpoint_that_almost_fits_says_where_in_one_line(tmp_path: Path, change: Callable[[Model], None], says: str) -> None:
    path = _saved(tmp_path, change)
    with pytest.raises(CheckpointError) as caught:
        load_checkpoint(path, PANNS)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert says in message
    assert "\n" not in message
    assert "--source panns takes PANNs Cnn14 (32 kHz), Cnn14_mAP=0.431.pth" in message


def test_load_checkpoint_of_the_other_source_names_it(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="--source clap2022"):
        load_checkpoint(_saved(tmp_path, source=CLAP), PANNS)
    with pytest.raises(CheckpointError, match="--source panns"):
        load_checkpoint(_saved(tmp_path, source=PANNS), CLAP)


def test_load_checkpoint_clap_with_a_strange_key_in_the_audio_encoder_is_refused(tmp_path: Path) -> None:
    path = _saved(tmp_path, _put("audio_encoder.base.conv_block7.conv1.weight", torch.zeros(1)), CLAP)
    with pytest.raises(CheckpointError, match=r"holds audio_encoder\.base\.conv_block7"):
        load_checkpoint(path, CLAP)


def test_load_checkpoint_with_pickled_code_never_runs_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for zipped in (True, False):
        torch.save({"model": {}, "extra": RunsCode()}, "bad.pth", _use_new_zipfile_serialization=zipped)
        with pytest.raises(CheckpointError, match=r"bad\.pth: asks for (posix|nt)\.system to be called, but pickled code is never run"):
            load_checkpoint(Path("bad.pth"), PANNS)
    assert not Path("poisoned").exists()


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "legacy"])
@pytest.mark.parametrize("share", [0.0001, 0.01, 0.5, 0.999])
def test_load_checkpoint_truncated_says_so(tmp_path: Path, share: float, zipped: bool) -> None:
    path = tmp_path / "cut.pth"
    torch.save(generate_checkpoint(PANNS, seed=0), path, _use_new_zipfile_serialization=zipped)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    with pytest.raises(CheckpointError, match="truncated, damaged or not a torch checkpoint"):
        load_checkpoint(path, PANNS)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "No such file"),
        (b"", "is empty"),
        (b"<!DOCTYPE html><html>not found</html>", "truncated, damaged or not a torch"),
        (pickle.dumps({"model": {}}, protocol=4), "truncated, damaged or not a torch"),  # torch would also warn of the protocol
    ],
)
def test_load_checkpoint_that_is_no_checkpoint_says_so(tmp_path: Path, content: bytes | None, says: str) -> None:
    path = tmp_path / "no.pth"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(CheckpointError, match=says):
        load_checkpoint(path, PANNS)


def test_load_checkpoint_folder_says_so(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="Is a directory"):
        load_checkpoint(tmp_path, PANNS)


@pytest.mark.parametrize("checkpoint", [{"state_dict": {}}, [1, 2], {"model": [1]}])
def test_load_checkpoint_without_a_model_says_so(tmp_path: Path, checkpoint: object) -> None:
    torch.save(checkpoint, tmp_path / "x.pth")
    with pytest.raises(CheckpointError, match="no parameters under the key 'model'"):
        load_checkpoint(tmp_path / "x.pth", PANNS)


def test_cnn14_shapes_follow_the_front_end() -> None:
    assert cnn14_shapes(PANNS.front_end)["logmel_extractor.melW"] == (513, 64)
