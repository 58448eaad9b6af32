"""Configuration of the adversarially regularized autoencoder."""

from dataclasses import field

from huggingface_hub.dataclasses import strict

from hf_arae.models.ae.configuration_ae import AeConfig
from hf_arae.utils.validation import WIDTHS, check_range, check_widths


@strict
class AraeConfig(AeConfig):
    """Sizes and switches of an ARAE for text (thesis, chapter 4).

    The defaults are the published Yelp transfer settings, for one decoder. `draw_noise`, `generator_shortcut` and
    `amplify_adversary` are not in the thesis, and are off by default. Beside the fields of [`AeConfig`]:

    Args:
        draw_noise: standard deviation, a coordinate, of the noise that is added to the codes of new sentences. A
            decoder that has learned from noisy codes knows how much a code says, and writes as varied sentences as the
            real ones only if the codes that it is given are as noisy.
        latent_size: width of the generator's input z. (A [`~hf_arae.LatentSpace`] has points of either kind: codes, of
            `code_size`, and z, of this size.)
        generator_sizes: hidden widths of the generator.
        generator_batch_norm: normalise after each of the generator's hidden layers. Without it the generator comes
            nearer to the codes.
        generator_shortcut: give the generator a linear path from z to its output, beside its layers.
        critic_sizes: hidden widths of the critic.
        amplify_adversary: the critic reads codes times `sqrt(code_size)`, and the generator's output is divided by it,
            so that both work at a size of 1 a coordinate. With it `critic_scale` weighs as much more.
        classifier_sizes: hidden widths of the attribute classifier of codes (used with two or more attributes).
    """

    model_type = "arae"

    latent_size: int = 32
    generator_sizes: list[int] | tuple[int, ...] = field(default_factory=lambda: [128, 128])
    generator_batch_norm: bool = True
    generator_shortcut: bool = False
    critic_sizes: list[int] | tuple[int, ...] = field(default_factory=lambda: [128, 128])
    amplify_adversary: bool = False
    classifier_sizes: list[int] | tuple[int, ...] = field(default_factory=lambda: [128, 128])
    draw_noise: float | int = 0.0

    def validate_widths(self):
        check_range(self, WIDTHS, "latent_size")
        check_widths(self, "generator_sizes", "critic_sizes", "classifier_sizes")

    def validate_draw_noise(self):
        check_range(self, "[0, inf)", "draw_noise")


__all__ = ["AraeConfig"]
