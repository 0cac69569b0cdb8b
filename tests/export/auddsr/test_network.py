from __future__ import annotations

from collections.abc import Iterator

import pytest

pytest.importorskip("torch")

import torch
from torch import Tensor, nn

from edge.detectors.auddsr import CONTEXT_FRAMES, SEEN_FRAMES
from export.auddsr.codebook import Codebook
from export.auddsr.discrete_autoencoder import DiscreteAutoencoder
from export.auddsr.network import REACH_FRAMES, AnomalyDetection, AudDsrNetwork, ObjectDecoder
from tests.networks import auddsr_network


def test_discrete_autoencoder_tells_eight_by_eight_and_four_by_four() -> None:
    network = DiscreteAutoencoder(8, 16)
    x = torch.randn(2, 1, 64, 128)
    f1, f2 = network.features1(x)
    assert f1.shape == (2, 8, 16, 32)
    assert f2.shape == (2, 8, 8, 16)
    codes1, codes2 = network.codes(x)
    assert codes1.shape == (2, 8, 16)
    assert codes2.shape == (2, 16, 32)
    assert network.decoder2(network.codebook1.told(codes1), network.codebook2.told(codes2)).shape == x.shape


def test_discrete_autoencoder_second_codes_know_the_first() -> None:
    """Figure 1: what Q_1 says goes into what VQ_2 quantizes."""
    torch.manual_seed(0)
    network = DiscreteAutoencoder(8, 16)
    f1, f2 = network.features1(torch.randn(1, 1, 64, 128))
    assert not torch.allclose(network.features2(f1, f2), network.features2(f1, torch.zeros_like(f2)))


def test_object_decoder_restored_features_are_quantized_before_they_are_drawn() -> None:
    torch.manual_seed(0)
    decoder, codebooks = ObjectDecoder(8, 128).eval(), [Codebook(1, 8), Codebook(1, 8)]
    one, _, _ = decoder(torch.randn(1, 8, 8, 16), torch.randn(1, 8, 16, 32), *codebooks)
    other, restored1, restored2 = decoder(torch.randn(1, 8, 8, 16), torch.randn(1, 8, 16, 32), *codebooks)
    torch.testing.assert_close(one, other)  # with one code each there is nothing to tell
    assert restored1.shape == (1, 8, 8, 16)
    assert restored2.shape == (1, 8, 16, 32)


def test_auddsr_network_gives_the_chunk_in_the_middle() -> None:
    network = auddsr_network()
    log_mel = 8.0 * torch.randn(SEEN_FRAMES, 128) - 20.0
    with torch.inference_mode():
        cells, chunk = network.cells(log_mel), network(log_mel)
    assert cells.shape == (64, 32)
    assert torch.equal(chunk, cells[24:40])
    assert 0.0 <= float(chunk.min()) < float(chunk.max()) <= 1.0


def test_auddsr_network_map_does_not_reach_further_than_its_context() -> None:
    """With everything in it that cannot be differentiated made smooth, and all weights positive, so that nothing cancels out."""
    network = _smooth(AudDsrNetwork(DiscreteAutoencoder(4, 4), ObjectDecoder(4, 128), AnomalyDetection(4), (0.0, 1.0)).double().eval())
    x = torch.rand(1, 1, 416, 128, dtype=torch.float64, requires_grad=True)
    f1, f2 = network.autoencoder.features1(x)
    f = network.autoencoder.features2(f1, f2)
    specific = network.decoder.decoder(network.decoder.restriction1(f2), network.decoder.restriction2(f))
    odds = network.detection(network.autoencoder.decoder2(f2, f), specific)
    reaches = []
    for frame in range(208, 216):
        (gradient,) = torch.autograd.grad(odds[0, 0, frame].sum(), x, retain_graph=True)
        frames = gradient[0, 0].abs().sum(dim=1).nonzero().flatten()
        reaches += [frame - int(frames[0]), int(frames[-1]) - frame]
    assert REACH_FRAMES == CONTEXT_FRAMES
    assert 0.7 * REACH_FRAMES < max(reaches) <= REACH_FRAMES


def _smooth(network: AudDsrNetwork) -> AudDsrNetwork:
    def modules() -> Iterator[tuple[nn.Module, str, nn.Module]]:
        for parent in list(network.modules()):
            for name, child in list(parent.named_children()):
                yield parent, name, child

    for parent, name, child in modules():
        if isinstance(child, nn.ReLU):
            setattr(parent, name, nn.LeakyReLU(0.5))
        if isinstance(child, nn.MaxPool2d):
            setattr(parent, name, nn.AvgPool2d(child.kernel_size))
    for parameter in network.parameters():
        parameter.data = parameter.data.abs() + 0.01
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            module.weight.data /= module.weight[0].numel()

    def soft_pool(x: Tensor, size: tuple[int, int]) -> Tensor:
        return nn.functional.avg_pool2d(x, size)

    network.detection.pool = soft_pool  # type: ignore[assignment]
    return network
