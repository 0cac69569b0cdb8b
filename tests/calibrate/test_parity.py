from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from calibrate.parity import ScoreGate
from edge.errors import AuscultError
from edge.features.backbone import Backbone
from edge.features.frontend import PANNS


@pytest.mark.slow
def test_score_gate_passes_what_export_makes_and_refuses_another_network(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    from export.exporter import Origin, export_backbone
    from export.gate import Candidate
    from export.random_trunk import calibrated_random_trunk
    from export.sound import synthesised_clips

    seen: list[Candidate] = []

    class Witness:
        name = "witness"

        def __call__(self, candidate: Candidate) -> dict[str, object]:
            seen.append(candidate)
            return {}

    clips = synthesised_clips(PANNS, 60.0, seed=5)
    origin = Origin("tiny", PANNS, ("none",), ("synthesised",), "Apache-2.0", 0)
    export = export_backbone(calibrated_random_trunk(0, clips), origin, clips, clips[:2], tmp_path, [Witness(), ScoreGate()])
    figures = export.parity["scores"]
    assert isinstance(figures, dict)
    assert figures["alarms"] > 0
    assert figures["fp32_streamed_vs_torch"]["different_alarms"] == 0
    assert figures["int8_streamed_vs_fp32"]["largest_region_shift"] <= 1
    assert Backbone.load(tmp_path / "tiny.onnx").precision == "int8"
    (candidate,) = seen
    other = dataclasses.replace(candidate, torch_offline=lambda log_mel: {k: v * 0.5 for k, v in candidate.torch_offline(log_mel).items()})
    with pytest.raises(AuscultError, match=r"scores\.fp32_streamed_vs_torch\.largest_map_difference is .*, may be at most 0\.02"):
        ScoreGate()(other)
