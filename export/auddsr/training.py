"""AudDSR's training: one function for each stage (sections 3.1 and 3.2).

1. `learn_codes`   any machine's sound -> the discrete autoencoder: codebooks, encoders, general decoders.
2. `learn_faults`  normal sound of one machine -> the object-specific decoder and the anomaly detection module.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from edge.detectors.auddsr import SEEN_FRAMES
from edge.features.frontend import BLOCK_FRAMES
from export.auddsr.discrete_autoencoder import DiscreteAutoencoder
from export.auddsr.excerpts import Excerpts
from export.auddsr.network import AnomalyDetection, AudDsrNetwork, ObjectDecoder, drawn_twice
from export.auddsr.settings import AudDsrTraining
from export.auddsr.simulation import simulated_mask
from export.training.onnx_file import as_onnx
from export.training.resumable import Keeping, run_resumable

CODES, FAULTS = "codes", "faults"  # the stages, and the names of their files
CODES_FRAMES = 2 * BLOCK_FRAMES  # of an excerpt of stage 1, whose networks draw each frame from some fifty on either side
RENEWALS = 20  # of unused codes, over the first half of stage 1
# A fault's codes are drawn from the nearest part of all others; how large a part is drawn for each excerpt. (DSR, section 3.3: faults that
# are hardly any make the detection module look closely.)
LEAST_PART = 0.2
FOCUS = 2.0  # gamma of the focal loss


@dataclass(frozen=True, slots=True)
class Sound:
    """The sound of a training."""

    normal: Excerpts  # of the machine
    general: Excerpts | None  # of any machines, for stage 1 beside the machine's own
    outliers: Excerpts | None  # known not to be of the machine when it is well: AudDSR_annot
    mels: int  # of how many mel bands carry sound; the others count nowhere

    def digests(self) -> dict[str, str]:
        """Show whether a resumed training gets the same."""
        named = {"recordings": self.normal, "general sound": self.general, "outliers": self.outliers}
        return {name: excerpts.digest() if excerpts else "none" for name, excerpts in named.items()}


def train_auddsr(sound: Sound, told: AudDsrTraining, device: torch.device, folder: Path | None = None) -> AudDsrNetwork:
    """Both stages; with a `folder`, a training that was stopped continues where it stopped.

    Raises
    ------
    UserError : the folder holds another training
    """
    keeping = Keeping(folder, {**asdict(told), **sound.digests()}) if folder else None
    scale = sound.normal.scale()
    autoencoder = learn_codes(sound, scale, told, device, keeping)
    return learn_faults(autoencoder, sound, scale, told, device, keeping)


def learn_codes(
    sound: Sound, scale: tuple[float, float], told: AudDsrTraining, device: torch.device, keeping: Keeping | None = None
) -> DiscreteAutoencoder:
    """Stage 1: learn to express spectrograms in codes, by equation 1. Half of a batch is of other machines, if there are any."""
    torch.manual_seed(told.seed)
    autoencoder = DiscreteAutoencoder(told.channels, told.codes).to(device).train()
    autoencoder.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # twice as fast on a CPU
    optimizer = torch.optim.Adam(autoencoder.parameters(), lr=told.learning_rate)
    codebook1, codebook2 = autoencoder.codebook1, autoencoder.codebook2
    renew_every = max(1, told.autoencoder_steps // (2 * RENEWALS))

    def learn(step: int) -> dict[str, float]:
        rng, generator = _random(told.seed, 1, step)
        foreign = told.autoencoder_batch // 2 if sound.general else 0
        drawn = [sound.normal.draw(rng, told.autoencoder_batch - foreign, CODES_FRAMES)]
        drawn += [sound.general.draw(rng, foreign, CODES_FRAMES)] if sound.general and foreign else []
        x = _scaled(np.concatenate(drawn), scale, device)
        f1, f2 = autoencoder.features1(x)
        if step % renew_every == 0 and step <= told.autoencoder_steps // 2:
            codebook1.renew(f2, generator)
        q1, loss1 = codebook1.learned(f2)
        f = autoencoder.features2(f1, q1)
        if step % renew_every == 0 and step <= told.autoencoder_steps // 2:
            codebook2.renew(f, generator)
        q2, loss2 = codebook2.learned(f)
        x_out = autoencoder.decoder2(q1, q2)
        drawn_again = nn.functional.mse_loss(x_out[..., : sound.mels], x[..., : sound.mels])
        loss = drawn_again + loss1 + loss2
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        return {"loss": float(loss.detach()), "reconstruction": float(drawn_again.detach())}

    run_resumable(CODES, told.autoencoder_steps, learn, autoencoder, optimizer, keeping, ("reconstruction",))
    return autoencoder.eval()


def learn_faults(
    autoencoder: DiscreteAutoencoder,
    sound: Sound,
    scale: tuple[float, float],
    told: AudDsrTraining,
    device: torch.device,
    keeping: Keeping | None = None,
) -> AudDsrNetwork:
    """Stage 2: disturb codes of normal sound; learn to reconstruct what was there before, and to find where it was.

    Half of a batch is disturbed. With outliers (section 4.2, AudDSR_annot) as many of them come on top, whose mask is 1 everywhere; only
    the detection module learns from them.
    """
    torch.manual_seed(told.seed)
    decoder = ObjectDecoder(told.channels, sound.normal.mels).to(device).train()
    detection = AnomalyDetection(told.channels).to(device).train()
    networks = nn.ModuleList([decoder, detection])
    networks.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # twice as fast on a CPU
    optimizer = torch.optim.Adam(networks.parameters(), lr=told.learning_rate)
    autoencoder.requires_grad_(False)
    codebook1, codebook2 = autoencoder.codebook1, autoencoder.codebook2
    nearest_first1, nearest_first2 = codebook1.by_distance(), codebook2.by_distance()

    def learn(step: int) -> dict[str, float]:
        rng, generator = _random(told.seed, 2, step)
        x = _scaled(sound.normal.draw(rng, told.batch, SEEN_FRAMES), scale, device)
        disturbed = told.batch // 2
        masks = [simulated_mask(rng, SEEN_FRAMES, sound.mels) for _ in range(disturbed)]
        mask1, mask2, mask = resized(masks, told.batch, sound.normal.mels, device)
        part = torch.from_numpy(rng.uniform(LEAST_PART, 1.0, told.batch)).to(device)

        codes1, codes2 = autoencoder.codes(x)
        q1, q2 = codebook1.told(codes1), codebook2.told(codes2)
        q1_a = codebook1.told(sampled(codes1, mask1, nearest_first1, part, generator))
        q2_a = codebook2.told(sampled(codes2, mask2, nearest_first2, part, generator))
        x_g = autoencoder.decoder2(q1_a, q2_a)
        x_s, restored1, restored2 = decoder(q1_a, q2_a, codebook1, codebook2)
        heard = sound.mels
        drawn = nn.functional.mse_loss(x_s[..., :heard], x[..., :heard])
        restored = nn.functional.mse_loss(restored1, q1) + nn.functional.mse_loss(restored2, q2)

        general, specific = x_g, x_s.detach()  # what is found must not change what is drawn
        if sound.outliers:
            others = _scaled(sound.outliers.draw(rng, max(1, disturbed), SEEN_FRAMES), scale, device)
            general, specific, mask = _with_outliers(autoencoder, decoder, others, general, specific, mask)
        found = focal_loss(detection(general, specific)[..., :heard], mask[..., :heard])
        loss = drawn + restored + found
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        parts = {"loss": loss, "reconstruction": drawn, "restriction": restored, "focal": found}
        return {name: float(value.detach()) for name, value in parts.items()}

    run_resumable(FAULTS, told.steps, learn, networks, optimizer, keeping, ("reconstruction", "restriction", "focal"))
    return AudDsrNetwork(autoencoder, decoder.eval(), detection.eval(), scale).eval()


def sampled(codes: Tensor, mask: Tensor, nearest_first: Tensor, part: Tensor, generator: torch.Generator) -> Tensor:
    """Codes with others where the mask is set, (excerpt, time, mel): drawn evenly from the nearest `part`, (excerpt,), of the others."""
    others = nearest_first.shape[1] - 1
    drawn = torch.rand(codes.shape, generator=generator, dtype=torch.float64).to(codes.device)
    reach = torch.clamp((part * others).ceil(), 1, others)[:, None, None]
    rank = 1 + (drawn * reach).long()  # 0 is the code itself
    return torch.where(mask, nearest_first[codes, rank], codes)


def resized(masks: list[NDArray[np.bool_]], batch: int, mels: int, device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    """Masks at the places of Q_1 and Q_2, and the target: all that was disturbed, 0 or 1, (excerpt, 1, time, mel); the rest is undisturbed.

    A place is disturbed if any of its frames and mels is, so the target is what Q_1's coarser places make of a mask.
    """
    whole = np.zeros((batch, SEEN_FRAMES, mels), np.float32)
    for index, mask in enumerate(masks):
        whole[index, :, : mask.shape[1]] = mask
    fine = torch.from_numpy(whole).to(device)[:, None]
    mask1, mask2 = nn.functional.max_pool2d(fine, 8), nn.functional.max_pool2d(fine, 4)
    return mask1[:, 0] > 0, mask2[:, 0] > 0, nn.functional.interpolate(mask1, scale_factor=8.0, mode="nearest")


def focal_loss(odds: Tensor, target: Tensor) -> Tensor:
    """The mean of -(1 - p)^2 log p (Lin et al. 2017, equation 4), p what the right answer, 0 or 1, is given; `odds` are logarithms."""
    surprise = nn.functional.binary_cross_entropy_with_logits(odds, target, reduction="none")  # -log p
    return ((1.0 - torch.exp(-surprise)) ** FOCUS * surprise).mean()


def exported(network: AudDsrNetwork, mels: int) -> bytes:
    """The networks as edge/detectors/auddsr.py runs them."""
    return as_onnx(network, (SEEN_FRAMES, mels), "log_mel", "cells")


def _with_outliers(
    autoencoder: DiscreteAutoencoder, decoder: ObjectDecoder, outliers: Tensor, general: Tensor, specific: Tensor, mask: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """X_G, X_S and target with those of outliers on top; the decoder learns nothing from them, not even what is usual."""
    with torch.no_grad():
        decoder.eval()
        theirs = drawn_twice(autoencoder, decoder, outliers)
        decoder.train()
    return (
        torch.cat([general, theirs[0]]),
        torch.cat([specific, theirs[1]]),
        torch.cat([mask, torch.ones_like(theirs[0])]),
    )


def _scaled(log_mel: NDArray[np.float32], scale: tuple[float, float], device: torch.device) -> Tensor:
    """As the networks see it, (excerpt, 1, time, mel), of (excerpt, time, mel) dB."""
    return ((torch.from_numpy(log_mel) - scale[0]) / scale[1])[:, None].to(device)


def _random(seed: int, stage: int, step: int) -> tuple[np.random.Generator, torch.Generator]:
    rng = np.random.default_rng([seed, stage, step])
    return rng, torch.Generator().manual_seed(int(rng.integers(1 << 62)))
