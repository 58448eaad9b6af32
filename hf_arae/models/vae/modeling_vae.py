"""Variational autoencoder for text."""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import initialization as init

from hf_arae.losses.gaussian import draw_gaussian, gaussian_log_density
from hf_arae.models.recurrent.prior_autoencoder import PriorAutoencoder
from hf_arae.models.vae.configuration_vae import VaeConfig
from hf_arae.nn.mlp import Mlp
from hf_arae.nn.posteriors import BalancedPosterior, BatchNormPosterior, DeltaPosterior, GaussianPosterior


class VaeModel(PriorAutoencoder):
    """VAE for text: p(z) p(x | z), with q(z | x) for the posterior of a sentence's code z.

    `encode` gives the posterior's mean, `sample` writes from draws of the prior. `forward`, as in the other
    autoencoders, gives the loss of reconstructing from `encode`'s codes; the bound on the likelihood is `elbo`.

    Args:
        config: sizes and switches.
    """

    config: VaeConfig
    config_class = VaeConfig

    def __init__(self, config: VaeConfig):
        super().__init__(config)
        sizes = (config.hidden_size, config.code_size)
        if config.posterior == "batch_norm":
            self.posterior_head = BatchNormPosterior(*sizes, config.batch_norm_scale)
        elif config.posterior == "balanced":
            self.posterior_head = BalancedPosterior(*sizes, config.min_mean_variance)
        elif config.posterior == "delta":
            self.posterior_head = DeltaPosterior(*sizes, config.delta_rate)
        else:
            self.posterior_head = GaussianPosterior(*sizes)
        if config.bag_of_words_sizes is not None:
            self.bag_of_words = Mlp(config.code_size, config.bag_of_words_sizes, config.vocab_size)
        self.post_init()
        self._set_generation_defaults()

    @torch.no_grad()
    def _init_weights(self, module: nn.Module) -> None:
        """As the base does, with posteriors that all begin about as wide and bags of words about even."""
        bag = getattr(self, "bag_of_words", None)
        if module is self.posterior_head.log_variance or (bag is not None and module is bag.output_layer):
            init.normal_(module.weight, 0.0, 0.02)
            if module.bias is not None:
                init.zeros_(module.bias)
        elif isinstance(module, GaussianPosterior):
            module.reset_parameters()
        else:
            super()._init_weights(module)

    def _word_tables(self) -> list[tuple[nn.Module, str]]:
        tables = super()._word_tables()
        if self.config.bag_of_words_sizes is not None:
            layer = self.bag_of_words.output_layer
            tables += [(layer, "weight"), (layer, "bias")]
        return tables

    def posterior(self, input_ids: Tensor, attention_mask: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Mean and log-variance of q(z | x), each `(batch, code_size)`; the arguments are those of `encode`.

        With batch norm (`posterior="batch_norm"` or `"balanced"`) a sentence's posterior depends, while training, on
        the batch.
        """
        return self.posterior_head(self.encoder_state(input_ids, attention_mask))

    def encode(
        self, input_ids: Tensor, attention_mask: Tensor | None = None, attribute: Tensor | None = None
    ) -> Tensor:
        """Codes as the base's: the means of the posteriors; no label is read."""
        return self.posterior(input_ids, attention_mask)[0]

    def bag_of_words_loss(self, code: Tensor, labels: Tensor) -> Tensor:
        """Summed cross-entropy (nats) of the words of `labels` `(batch, sequence)`, each from the code alone.

        `<bos>` and padding are not counted (Zhao et al. 2017, the bag-of-word loss).
        """
        log_shares = F.log_softmax(self.bag_of_words(code), dim=1)
        wanted = labels[:, 1:]
        return -log_shares.gather(1, wanted).masked_fill(wanted == self.config.pad_token_id, 0.0).sum()

    # Bounds on the likelihood

    def elbo(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        samples: int = 1,
        seed: int | None = None,
    ) -> tuple[Tensor, Tensor]:
        """The two parts of the evidence lower bound of each sentence, in nats: log p(x) >= -(reconstruction + KL).

        Args:
            input_ids: `(batch, sequence)`.
            attention_mask: `(batch, sequence)`.
            samples: draws from the posterior that are averaged over, at least 1.
            seed: makes the draws repeatable, the same on every device; else from torch's generator of the CPU.

        Returns:
            Reconstruction, -E log p(x | z), and KL(q(z | x) || p(z)), each `(batch,)`; both can be differentiated.
        """
        input_ids, attention_mask = self._padded_right(input_ids, attention_mask)
        mean, log_variance = self.posterior(input_ids, attention_mask)
        reconstruction, divergence = 0, 0
        for noise in self._noise(mean, samples, seed):
            code = draw_gaussian(mean, log_variance, noise)
            reconstruction = reconstruction - self.log_probability(code, input_ids) / samples
            divergence = divergence + self.prior.kl(mean, log_variance, code).sum(1) / samples
        return reconstruction, divergence

    @torch.no_grad()
    def log_likelihood(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        samples: int = 100,
        seed: int | None = None,
    ) -> Tensor:
        """Importance-weighted bound on log p(x) of each sentence in nats, `(batch,)` (Burda et al. 2016, equation 8).

        log 1/K sum_k p(x | z_k) p(z_k) / q(z_k | x) with K draws from q. It grows with K, in the mean, towards
        log p(x); with K = 1 it is an estimate of the evidence lower bound.

        Args:
            samples: K, at least 1; 500 is usual.
            input_ids, attention_mask, seed: see `elbo`.
        """
        input_ids, attention_mask = self._padded_right(input_ids, attention_mask)
        mean, log_variance = self.posterior(input_ids, attention_mask)
        total = mean.new_full((len(mean),), -torch.inf)
        for noise in self._noise(mean, samples, seed):
            code = draw_gaussian(mean, log_variance, noise)
            ratio = self.prior.log_density(code) - gaussian_log_density(code, mean, log_variance)
            total = total.logaddexp(self.log_probability(code, input_ids) + ratio.sum(1))
        return total - math.log(samples)

    @staticmethod
    def _noise(like: Tensor, samples: int, seed: int | None) -> Iterator[Tensor]:
        if samples < 1:
            raise ValueError(f"samples must be at least 1, got {samples}")
        source = None if seed is None else torch.Generator().manual_seed(seed)
        return (torch.randn(like.shape, generator=source).to(like) for _ in range(samples))


__all__ = ["VaeModel"]
