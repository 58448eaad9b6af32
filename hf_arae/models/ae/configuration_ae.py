"""Configuration of the plain autoencoder for text."""

from huggingface_hub.dataclasses import strict

from hf_arae.models.recurrent.autoencoder_config import LabelledDecodersConfig
from hf_arae.utils.validation import WIDTHS, check_range


@strict
class AeConfig(LabelledDecodersConfig):
    """Sizes and switches of a plain autoencoder for text (thesis, section 4.2).

    The default sizes are those of the published ARAE for transfer, which it is compared with; there the
    encoder's state is the code. Beside the fields of [`LabelledDecodersConfig`]:

    Args:
        encoder_size: width of the encoder's LSTM, of whose state the code is then a linear map. `None`: the state is
            the code. Narrow codes want a wider state.
        normalize_code: keep codes on the unit sphere.
    """

    model_type = "ae"

    encoder_size: int | None = None
    normalize_code: bool = True

    def encoder_sizes(self) -> dict[str, int | bool | None]:
        """What [`~hf_arae.models.recurrent.autoencoder.TextAutoencoder`] is told of the encoder."""
        wider = self.encoder_size is not None  # than the code, which is then a linear map of the encoder's state
        return {
            "encoder_size": self.encoder_size if wider else self.code_size,
            "normalize": self.normalize_code,
            "code_size": self.code_size if wider else None,
        }

    def validate_encoder_size(self):
        if self.encoder_size is not None:
            check_range(self, WIDTHS, "encoder_size")


__all__ = ["AeConfig"]
