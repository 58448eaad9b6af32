"""Configuration of the adversarially regularized autoencoder of images."""

from dataclasses import field

from huggingface_hub.dataclasses import strict

from hf_arae.models.ae_image.configuration_ae_image import AeImageConfig
from hf_arae.utils.validation import WIDTHS, check_range, check_widths


@strict
class AraeImageConfig(AeImageConfig):
    """Sizes and switches of an ARAE of images (thesis, sections 4.3 and 4.6.3).

    The sizes are the published ones for binarised digits; `amplify_code` and `amplify_adversary` are not published,
    and help where the noise on codes is small. Published are batch norm in the critic, whose weights are clipped, and
    an `adversary_init_std` of 0.02. Beside the fields of [`AeImageConfig`]:

    Args:
        latent_size: width of the generator's input z.
        generator_sizes: hidden widths of the generator, with ReLU.
        generator_batch_norm: normalise after each of the generator's hidden layers.
        critic_sizes: hidden widths of the critic, with LeakyReLU(0.2).
        critic_batch_norm: normalise from the critic's second hidden layer on. Not with a gradient penalty, which is
            of each example.
        amplify_adversary: the critic reads codes times `sqrt(code_size)`, and the generator's output is divided by it
            before its tanh, so that both work at a size of 1 a coordinate.
        adversary_init_std: the first weights of critic and generator are drawn from a normal distribution of this
            deviation, and offsets are 0; torch's own first weights if `None`.
    """

    model_type = "arae_image"

    latent_size: int = 32
    generator_sizes: list[int] | tuple[int, ...] = field(default_factory=lambda: [100, 150])
    generator_batch_norm: bool = True
    critic_sizes: list[int] | tuple[int, ...] = field(default_factory=lambda: [100, 60, 20])
    critic_batch_norm: bool = False
    amplify_adversary: bool = True
    adversary_init_std: float | None = None

    def validate_adversary(self):
        check_range(self, WIDTHS, "latent_size")
        check_widths(self, "generator_sizes", "critic_sizes")
        if self.adversary_init_std is not None:
            check_range(self, "(0, inf)", "adversary_init_std")


__all__ = ["AraeImageConfig"]
