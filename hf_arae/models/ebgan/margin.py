"""Where to begin the search for a margin."""

from __future__ import annotations

import copy

import torch
from torch import Tensor

from hf_arae.models.ebgan.modeling_ebgan import EbganModel


def estimate_margin(
    model: EbganModel,
    images: Tensor,
    learning_rate: float = 1e-3,
    batch_size: int = 128,
    max_epochs: int = 20,
    tolerance: float = 0.02,
    seed: int = 0,
) -> float:
    """The energy that real images come to where the discriminator learns them alone (thesis, section 3.8).

    That is where the two terms of its loss are of one size: the start of a search, beside its double and its half.

    Args:
        model: its discriminator, an autoencoder, is trained as a copy; itself it stays as it is.
        images: real ones, `(rows, channels, size, size)`, in the model's range; some thousand are enough.
        learning_rate: of Adam.
        batch_size: images an update.
        max_epochs: passes over the images at most.
        tolerance: it ends with a pass that lowers the mean energy by less than this share.
        seed: of the order, and of noise.

    Returns:
        The mean energy of the last pass, > 0, on the scale of the model's energy.

    Raises:
        ValueError: the discriminator is a critic, which has no energy to begin with, or there are no images.
    """
    if model.config.discriminator == "critic":
        raise ValueError("a critic's energy has no scale of its own, and its game no margin")
    images = model.check_pixels(images.to(model.device))
    if not len(images):
        raise ValueError("images are needed to estimate a margin")
    copied, last = copy.deepcopy(model).train(), float("inf")
    parts = [copied.ladder] if model.config.backbone == "ladder" else [copied.encoder, copied.decoder]
    parameters = [parameter for part in parts for parameter in part.parameters()]
    optimizer = torch.optim.Adam(parameters, learning_rate, betas=(0.5, 0.999), fused=True)
    source = torch.Generator().manual_seed(seed)
    for _ in range(max_epochs):
        total = torch.zeros((), device=images.device)
        for rows in torch.randperm(len(images), generator=source).split(batch_size):
            energies = copied.rate(images[rows.to(images.device)])[1]
            for parameter, gradient in zip(
                parameters, torch.autograd.grad(energies.mean(), parameters, allow_unused=True), strict=True
            ):
                parameter.grad = gradient
            optimizer.step()
            total += energies.detach().sum()
        mean = total.item() / len(images)
        if mean > (1 - tolerance) * last:
            return mean
        last = mean
    return last


__all__ = ["estimate_margin"]
