# SPDX-License-Identifier: Apache-2.0
# Exported from hf_arae/models/arae/configuration_arae.py of hf_arae 0.1.0.
# Edits belong there: the next save_pretrained overwrites this file.
"""Configuration of the adversarially regularized autoencoder."""

from dataclasses import field

from huggingface_hub.dataclasses import strict

from .hf_arae_models_autoencoder_config import TextAutoencoderConfig


@strict
class AraeConfig(TextAutoencoderConfig):
    """Sizes and switches of an ARAE for text (thesis, chapter 4).

    The defaults are the published Yelp transfer settings, for one decoder. The encoder's state is the code. Beside the
    fields of [`TextAutoencoderConfig`]:

    Args:
        latent_size: width of the generator's input z.
        generator_sizes: hidden widths of the generator.
        generator_batch_norm: normalise after each of its hidden layers. Published, but without it the generator comes
            nearer to the codes: on the codes of captions, after 600 updates, a Frechet distance of 0.24 and not 0.65.
        generator_shortcut: give the generator a linear path from z to its output, beside its layers. Not published.
        critic_sizes: hidden widths of the critic.
        amplify_adversary: the critic reads codes times `sqrt(code_size)`, and the generator's output is divided by it,
            so that both work at a size of 1 a coordinate. Not published. With it `critic_scale` weighs as much more.
        classifier_sizes: hidden widths of the attribute classifier of codes (used with two or more attributes).
        normalize_code: keep codes on the unit sphere.
    """

    model_type = "arae"

    latent_size: int = 32
    generator_sizes: list[int] | tuple[int, ...] = field(default_factory=lambda: [128, 128])
    generator_batch_norm: bool = True
    generator_shortcut: bool = False
    critic_sizes: list[int] | tuple[int, ...] = field(default_factory=lambda: [128, 128])
    amplify_adversary: bool = False
    classifier_sizes: list[int] | tuple[int, ...] = field(default_factory=lambda: [128, 128])
    normalize_code: bool = True

    def validate_latent_size(self):
        if self.latent_size < 1:
            raise ValueError(f"latent_size must be at least 1, got {self.latent_size}")


__all__ = ["AraeConfig"]
