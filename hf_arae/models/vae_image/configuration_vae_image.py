"""Configuration of the variational autoencoder of images."""

from huggingface_hub.dataclasses import strict

from hf_arae.models.images.prior_autoencoder import PriorImageAutoencoderConfig


@strict
class VaeImageConfig(PriorImageAutoencoderConfig):
    """Sizes and switches of a VAE of images (Kingma and Welling 2014), fields as in [`PriorImageAutoencoderConfig`].

    The default sizes are those of the ARAE that it is compared with.
    """

    model_type = "vae_image"


__all__ = ["VaeImageConfig"]
