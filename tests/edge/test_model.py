from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from edge.errors import BundleError, UserError
from edge.features.backbone import BUILT_IN, DEFAULT_BACKBONE, Backbone
from edge.judgement.head_names import head_names
from edge.model import BACKBONE_MEMBER, CARD_MEMBER, Model
from edge.scoring import score_file
from tests.bundles import CalibratedMachine, tampered

Manifest = dict[str, Any]
Arrays = dict[str, dict[str, NDArray[Any]]]
Blobs = dict[str, bytes]
Change = Callable[[Manifest, Arrays, Blobs], object]


def refusal(path: Path) -> str:
    with pytest.raises(UserError) as caught:
        Model.load(path)
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith(f"{path}: ")
    return message


def test_model_of_a_fresh_bundle_knows_its_window_threshold_and_features(machine: CalibratedMachine) -> None:
    model = machine.model
    assert (model.window_s, model.hop_s, model.window_cells) == (10.0, 0.5, 250)
    assert model.alarm_surprise == model.bundle.manifest.threshold.score_scale > 0
    assert (model.detector.bands, dict(model.detector.features)) == (16, {"cnn14": 16, "logmel": 16, "excess": 16})


def test_model_anomaly_map_is_the_surprise_of_each_cell_in_units_of_the_threshold(machine: CalibratedMachine) -> None:
    model = machine.model
    rng = np.random.default_rng(0)
    deviations = {feature: rng.normal(2.0, 3.0, (20, bands)).astype(np.float32) for feature, bands in model.detector.features.items()}
    for values in deviations.values():
        values[7] = np.nan
    shown = model.anomaly_map(deviations)
    assert shown.shape == (20, 16)
    assert shown.dtype == np.float32
    np.testing.assert_allclose(shown * model.alarm_surprise, model.heads.cell_surprise(deviations), rtol=1e-5)
    np.testing.assert_array_equal(np.isnan(shown).any(axis=1), np.arange(20) == 7)
    assert np.nanmin(shown) >= 0


def test_model_missing_bundle_is_one_line(tmp_path: Path) -> None:
    assert "no such bundle" in refusal(tmp_path / "pump1.auscult")


def set_in(*path: str, value: object) -> Change:
    def change(manifest: Manifest, arrays: Arrays, blobs: Blobs) -> None:
        place: Any = manifest
        for key in path[:-1]:
            place = place[key]
        place[path[-1]] = value

    change.__name__ = f"{'.'.join(path)}={value}"
    return change


def nan_in_bank(manifest: Manifest, arrays: Arrays, blobs: Blobs) -> None:
    bank = arrays["cnn14"]["bank_4"].copy()
    bank[0, 0] = np.nan
    arrays["cnn14"]["bank_4"] = bank


def missing_feature(manifest: Manifest, arrays: Arrays, blobs: Blobs) -> None:
    del arrays["logmel"]


def missing_bank(manifest: Manifest, arrays: Arrays, blobs: Blobs) -> None:
    del arrays["logmel"]["bank_15"]


def missing_middle_bank(manifest: Manifest, arrays: Arrays, blobs: Blobs) -> None:
    del arrays["logmel"]["bank_3"]


def wrong_shape(manifest: Manifest, arrays: Arrays, blobs: Blobs) -> None:
    arrays["cnn14"]["bank_2"] = arrays["cnn14"]["bank_2"][:, :-1]


def no_deviation(manifest: Manifest, arrays: Arrays, blobs: Blobs) -> None:
    arrays["excess"]["unit"] = np.zeros_like(arrays["excess"]["unit"])


def fewer_bands(manifest: Manifest, arrays: Arrays, blobs: Blobs) -> None:
    for feature in ("cnn14", "logmel"):
        arrays[feature] = {
            name: array[:15] if name in ("mean", "deviation") else array for name, array in arrays[feature].items() if name != "bank_15"
        }


def no_steady(manifest: Manifest, arrays: Arrays, blobs: Blobs) -> None:
    del arrays["steady"]


def no_profile(manifest: Manifest, arrays: Arrays, blobs: Blobs) -> None:
    del arrays["steady"]["profile_centre"]


def nan_in_steady(manifest: Manifest, arrays: Arrays, blobs: Blobs) -> None:
    arrays["steady"]["dynamics_scale"] = np.full_like(arrays["steady"]["dynamics_scale"], np.nan)


def narrow_steady(manifest: Manifest, arrays: Arrays, blobs: Blobs) -> None:
    arrays["steady"]["shape_centre"] = arrays["steady"]["shape_centre"][:-1]


def no_projection(manifest: Manifest, arrays: Arrays, blobs: Blobs) -> None:
    del arrays["projection"]


@pytest.mark.parametrize(
    "change",
    [
        *(nan_in_bank, missing_feature, missing_bank, missing_middle_bank, wrong_shape, no_deviation, fewer_bands, no_projection),
        *(no_steady, no_profile, nan_in_steady, narrow_steady),
    ],
    ids=lambda change: change.__name__,
)
def test_model_tampered_detector_is_refused_in_one_line(machine: CalibratedMachine, tmp_path: Path, change: Change) -> None:
    assert "its detector" in refusal(tampered(machine.bundle, tmp_path / "b.auscult", change))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (set_in("front_end", value="vggish"), "unknown front end"),
        (set_in("front_end", value="clap-44k"), "with the front end clap-44k, which its backbone cnn14-distilled does not take"),
        (set_in("detector", "name", value="oracle"), "unknown detector"),
        (set_in("detector", "parameters", value={}), "its detector is incomplete"),
        (set_in("detector", "parameters", "tail", value=[1, 2]), "its detector is incomplete"),
        (
            set_in("detector", "parameters", "tail", value={"onset": 0, "rate_per_s": 1, "scale": 0, "shape": 0}),
            "its detector is incomplete",
        ),
        (
            set_in("detector", "parameters", "tail", value={"onset": 0, "rate_per_s": 1, "scale": 1, "shape": -1}),
            "its detector is incomplete",
        ),
        (set_in("detector", "parameters", "heads", value={}), "its detector is incomplete"),
        (set_in("detector", "parameters", "heads", value=["level"]), "its detector is incomplete"),
        (set_in("detector", "parameters", "heads", "logmel_cell", value={"onset": 1.0}), "its detector is incomplete"),
        (set_in("detector", "parameters", "heads", "excess_moment", "scale", value=0.0), "its detector is incomplete"),
        (set_in("detector", "parameters", "heads", "excess_moment", "cells", value=0), "its detector is incomplete"),
        (set_in("detector", "parameters", "heads", "excess_moment", "cells", value=10**400), "its detector is incomplete"),
        (set_in("detector", "parameters", "steady", value={"heads": "level"}), "its detector is incomplete"),
        (set_in("detector", "parameters", "steady", value={"heads": ["level"], "level": "loud"}), "its detector is incomplete"),
        (set_in("detector", "parameters", "steady", value={"heads": ["volume"]}), "its detector is incomplete"),
        (set_in("detector", "parameters", "steady", value={"heads": []}), "its detector is incomplete"),
        (set_in("detector", "parameters", "steady", value=[]), "its detector is incomplete"),
        (set_in("detector", "parameters", "units", value={"cells": 0.0}), "its detector is incomplete"),
        (set_in("detector", "parameters", "units", value={"steady": "one"}), "its detector is incomplete"),
        (set_in("detector", "parameters", "window_s", value="ten"), "its detector is incomplete"),
        (set_in("detector", "parameters", "window_s", value=1e9), "make no sense"),
        (set_in("detector", "parameters", "hop_s", value=0.0), "make no sense"),
        (set_in("detector", "parameters", "hop_s", value=1e-9), "make no sense"),
        (set_in("threshold", "score_scale", value=-1.0), "its threshold"),
        (set_in("bandwidth_hz", value=4000.0), "does not fit its bandwidth"),
        (set_in("backbone", "name", value="cnn14-trained"), "needs the backbone cnn14-trained"),
        (set_in("backbone", "name", value="../../secret.onnx"), "is no name"),
        (set_in("backbone", "name", value=10_000 * "x"), f"is no name ('{100 * 'x'}')"),
        (set_in("backbone", "sha256", value="0" * 64), "another backbone"),
        (set_in("probe", "members", value=["other"]), "its probe is missing"),
        (set_in("probe", "members", value=[]), "its probe is missing"),
    ],
    ids=lambda value: value.__name__ if callable(value) else "",
)
def test_model_manifest_that_does_not_fit_is_refused_in_one_line(
    machine: CalibratedMachine, tmp_path: Path, change: Change, says: str
) -> None:
    assert says in refusal(tampered(machine.bundle, tmp_path / "b.auscult", change))


def other_cells(manifest: Manifest, arrays: Arrays, blobs: Blobs) -> None:
    arrays["probe"]["cells"] = arrays["probe"]["cells"] * np.float16(1.1)


def nan_cells(manifest: Manifest, arrays: Arrays, blobs: Blobs) -> None:
    arrays["probe"]["cells"] = np.full_like(arrays["probe"]["cells"], np.nan)


def fewer_cells(manifest: Manifest, arrays: Arrays, blobs: Blobs) -> None:
    arrays["probe"]["cells"] = arrays["probe"]["cells"][1:]


@pytest.mark.parametrize("change", [other_cells, nan_cells, fewer_cells], ids=lambda change: change.__name__)
def test_model_probe_that_comes_out_differently_is_refused_in_one_line(machine: CalibratedMachine, tmp_path: Path, change: Change) -> None:
    assert "differently from the one that calibrated" in refusal(tampered(machine.bundle, tmp_path / "b.auscult", change))


@pytest.mark.parametrize("samples", [np.zeros(0), np.zeros((4, 4)), np.array(["a"]), np.zeros(10), np.float32(0.0)])
def test_model_probe_that_is_no_sound_is_refused_in_one_line(machine: CalibratedMachine, tmp_path: Path, samples: NDArray[Any]) -> None:
    def change(manifest: Manifest, arrays: Arrays, blobs: Blobs) -> None:
        arrays["probe"]["samples"] = samples

    assert "its probe is missing or damaged" in refusal(tampered(machine.bundle, tmp_path / "b.auscult", change))


def test_model_embedded_backbone_travels_in_the_bundle(machine: CalibratedMachine, tmp_path: Path) -> None:
    def embed(manifest: Manifest, arrays: Arrays, blobs: Blobs) -> None:
        blobs[BACKBONE_MEMBER] = (BUILT_IN / f"{DEFAULT_BACKBONE}.onnx").read_bytes()
        blobs[CARD_MEMBER] = (BUILT_IN / f"{DEFAULT_BACKBONE}.json").read_bytes()
        manifest["backbone"]["name"] = "not-built-in"

    model = Model.load(tampered(machine.bundle, tmp_path / "b.auscult", embed))
    assert model.backbone.sha256 == Backbone.load(DEFAULT_BACKBONE).sha256


@pytest.mark.parametrize("card", [None, b"", b"{}"])
def test_model_embedded_backbone_without_its_card_is_refused_in_one_line(
    machine: CalibratedMachine, tmp_path: Path, card: bytes | None
) -> None:
    def embed(manifest: Manifest, arrays: Arrays, blobs: Blobs) -> None:
        blobs[BACKBONE_MEMBER] = (BUILT_IN / f"{DEFAULT_BACKBONE}.onnx").read_bytes()
        if card is not None:
            blobs[CARD_MEMBER] = card

    assert "the card of its backbone is damaged" in refusal(tampered(machine.bundle, tmp_path / "b.auscult", embed))


def test_model_embedded_rubbish_is_refused_in_one_line(machine: CalibratedMachine, tmp_path: Path) -> None:
    def embed(manifest: Manifest, arrays: Arrays, blobs: Blobs) -> None:
        card = (BUILT_IN / f"{DEFAULT_BACKBONE}.json").read_text()
        blobs[BACKBONE_MEMBER] = b"rubbish"
        digest = hashlib.sha256(b"rubbish").hexdigest()
        blobs[CARD_MEMBER] = card.replace(Backbone.load(DEFAULT_BACKBONE).sha256, digest).encode()

    assert "holds bytes that are not ONNX" in refusal(tampered(machine.bundle, tmp_path / "b.auscult", embed))


def drop_cell_heads(manifest: Manifest, arrays: Arrays, blobs: Blobs) -> None:
    heads = manifest["detector"]["parameters"]["heads"]
    for name in [name for name in heads if not name.endswith(("_cell", "_second"))]:
        del heads[name]


def drop_steady(manifest: Manifest, arrays: Arrays, blobs: Blobs) -> None:
    del manifest["detector"]["parameters"]["steady"], manifest["detector"]["parameters"]["units"], arrays["steady"]


def test_model_of_an_earlier_bundle_has_no_heads_of_steady_sound(machine: CalibratedMachine, tmp_path: Path) -> None:
    model = Model.load(tampered(machine.bundle, tmp_path / "b.auscult", drop_steady))
    assert model.steady is None
    assert (model.units.cells, model.units.steady) == (1.0, 1.0)
    assert len(model.heads) == 4
    assert all(set(window.heads) == set(head_names(model.detector.features)) for window in score_file(model, machine.recordings[0]).windows)


def test_model_may_have_heads_of_steady_sound_alone_but_not_none_at_all(machine: CalibratedMachine, tmp_path: Path) -> None:
    alone = Model.load(tampered(machine.bundle, tmp_path / "b.auscult", drop_cell_heads))
    (window,) = score_file(alone, machine.recordings[0]).windows
    assert set(window.heads) == {"level", "profile", "dynamics"}

    def drop_all(manifest: Manifest, arrays: Arrays, blobs: Blobs) -> None:
        drop_cell_heads(manifest, arrays, blobs)
        drop_steady(manifest, arrays, blobs)

    assert "its detector is incomplete (no heads)" in refusal(tampered(machine.bundle, tmp_path / "none.auscult", drop_all))


def test_model_rate_that_is_too_low_is_refused_in_one_line(machine: CalibratedMachine) -> None:
    with pytest.raises(BundleError, match=r"machine\.auscult: .* mic carries only 8000 Hz \(16000 Hz sample rate\)") as caught:
        machine.model.check_rate(16000, "mic")
    assert "\n" not in str(caught.value)
    machine.model.check_rate(48000, "mic")
