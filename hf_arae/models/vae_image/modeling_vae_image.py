"""Variational autoencoder of images."""

from __future__ import annotations

import torch
from torch import Tensor

from hf_arae.losses.gaussian import draw_gaussian
from hf_arae.models.images.prior_autoencoder import PriorImageAutoencoder
from hf_arae.models.vae_image.configuration_vae_image import VaeImageConfig


class VaeImageModel(PriorImageAutoencoder):
    """VAE of images: p(z) p(x | z), with q(z | x) = N(mean, variance) for the posterior of an image's code z.

    `encode` gives the posterior's mean, `sample` decodes draws of the prior. `forward`, as in the other autoencoders,
    gives the loss of reconstructing from `encode`'s codes; the bound on the likelihood is `elbo`.

    Args:
        config: sizes and switches.
    """

    config: VaeImageConfig
    config_class = VaeImageConfig

    def __init__(self, config: VaeImageConfig):
        super().__init__(config, encoder_outputs=2 * config.code_size)
        self.post_init()

    def posterior(self, pixel_values: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log-variance of q(z | x), each `(batch, code_size)`."""
        mean, log_variance = self.encoder_state(pixel_values).chunk(2, dim=1)
        return mean, log_variance

    def encode(self, pixel_values: Tensor) -> Tensor:
        """Codes as the base's: the means of the posteriors."""
        return self.posterior(pixel_values)[0]

    def elbo(self, pixel_values: Tensor, samples: int = 1, seed: int | None = None) -> tuple[Tensor, Tensor]:
        """The two parts of the evidence lower bound of each image, in nats: log p(x) >= -(reconstruction + KL).

        Args:
            pixel_values: `(batch, num_channels, image_size, image_size)`.
            samples: draws from the posterior that are averaged over, at least 1.
            seed: makes the draws repeatable, the same on every device; else from torch's generator of the CPU.

        Returns:
            Reconstruction, -E log p(x | z), and KL(q(z | x) || p(z)), each `(batch,)`; both can be differentiated.

        Raises:
            ValueError: there are no samples.
        """
        if samples < 1:
            raise ValueError(f"samples must be at least 1, got {samples}")
        source = None if seed is None else torch.Generator().manual_seed(seed)
        mean, log_variance = self.posterior(pixel_values)
        reconstruction, divergence = 0, 0
        for _ in range(samples):
            code = draw_gaussian(mean, log_variance, torch.randn(mean.shape, generator=source).to(mean))
            reconstruction = reconstruction + self.negative_log_likelihood(code, pixel_values) / samples
            divergence = divergence + self.prior.kl(mean, log_variance, code).sum(1) / samples
        return reconstruction, divergence


__all__ = ["VaeImageModel"]
