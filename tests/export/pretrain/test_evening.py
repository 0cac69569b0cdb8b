from __future__ import annotations

import torch

from export.cnn14 import Cnn14Trunk
from export.pretrain.batches import Batches
from export.pretrain.evening import DEVIATION, evened
from export.pretrain.pool import Piece
from export.random_trunk import random_parameters


def test_evened_channels_deviate_alike_and_the_trunk_computes_the_same(pieces: list[Piece]) -> None:
    batches = Batches(pieces, [], size=4, seed=0, wants_view=False, wants_teacher=False)
    seen = [batches[number] for number in range(2)]
    trunk = Cnn14Trunk.from_parameters(random_parameters(0))
    trunk.train()
    with torch.no_grad():
        for _ in range(40):
            trunk(seen[0].log_mel)
        trunk.eval()
        even = evened(trunk, seen)
        log_mel = torch.cat([batch.log_mel for batch in seen])
        before, after = trunk(log_mel), even(log_mel)
    for name, cells in after.items():
        deviation = cells.flatten(0, 2).std(dim=0)
        assert abs(float(deviation.median()) - DEVIATION) < 0.01
        ratio = cells.flatten(0, 2).double().sum(0) / before[name].flatten(0, 2).double().sum(0)  # one number per channel
        assert torch.allclose(before[name] * ratio.float(), cells, atol=2e-3)
