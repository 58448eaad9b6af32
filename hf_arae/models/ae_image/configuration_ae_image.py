"""Configuration of the plain autoencoder of images."""

from huggingface_hub.dataclasses import strict

from hf_arae.models.images.autoencoder_config import ImageAutoencoderConfig


@strict
class AeImageConfig(ImageAutoencoderConfig):
    """Sizes and switches of a plain autoencoder of images (thesis, section 4.2).

    Beside the fields of [`ImageAutoencoderConfig`]:

    Args:
        normalize_code: keep codes on the unit sphere.
    """

    model_type = "ae_image"

    normalize_code: bool = True


__all__ = ["AeImageConfig"]
