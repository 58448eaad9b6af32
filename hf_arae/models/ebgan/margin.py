"""Where to begin the search for a margin."""

from __future__ import annotations

import copy

import torch
from torch import Tensor

from hf_arae.models.ebgan.modeling_ebgan import EbganModel
from hf_arae.utils.validation import check_number


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
        batch_size: images an update, >= 2.
        max_epochs: passes over the images at most, >= 1.
        tolerance: it ends with a pass that lowers the mean energy by less than this share.
        seed: of the order, and of noise.

    Returns:
        The mean energy of the last pass, > 0, on the scale of the model's energy.

    Raises:
        ValueError: the discriminator is a critic, which has no energy to begin with; there are fewer than two images;
            or a number is out of range.
    """
    if model.config.discriminator == "critic":
        raise ValueError("a critic's energy has no scale of its own, and its game no margin")
    check_number("batch_size", batch_size, "[2, inf)", whole=True)
    check_number("max_epochs", max_epochs, "[1, inf)", whole=True)
    check_number("learning_rate", learning_rate, "(0, inf)")
    images = model.check_pixels(images).to(model.device)
    if len(images) < 2:
        raise ValueError(f"at least 2 images are needed to estimate a margin, got {len(images)}")
    copied, last = copy.deepcopy(model).train(), float("inf")
    parts = [copied.ladder] if model.config.backbone == "ladder" else [copied.encoder, copied.decoder]
    parameters = [parameter for part in parts for parameter in part.parameters()]
    optimizer = torch.optim.Adam(parameters, learning_rate, betas=(0.5, 0.999), fused=True)
    source = torch.Generator().manual_seed(seed)
    for _ in range(max_epochs):
        total, count = torch.zeros((), device=images.device), 0
        for rows in torch.randperm(len(images), generator=source).split(batch_size):
            if len(rows) == 1:  # batch norm has no deviation of it
                continue
            energies = copied.rate(images[rows.to(images.device)])[1]
            optimizer.zero_grad(set_to_none=True)
            energies.mean().backward(inputs=parameters)  # into each one's own memory layout, as fused optimizers need
            optimizer.step()
            total, count = total + energies.detach().sum(), count + len(rows)
        mean = total.item() / count
        if mean > (1 - tolerance) * last:
            return mean
        last = mean
    return last


__all__ = ["estimate_margin"]
