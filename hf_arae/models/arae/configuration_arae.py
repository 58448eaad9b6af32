"""Configuration of the adversarially regularized autoencoder."""

from dataclasses import field

from huggingface_hub.dataclasses import strict

from hf_arae.models.base import FamilyConfig


@strict
class AraeConfig(FamilyConfig):
    """Sizes and switches of an ARAE for text (thesis, chapter 4).

    The defaults are the published Yelp transfer settings, for one decoder.

    Args:
        vocab_size: number of tokens, special ones included.
        embedding_size: width of the token embeddings.
        hidden_size: width of the decoder's state.
        code_size: width of the code, which is the encoder's state.
        num_layers: LSTM layers in the encoder and in each decoder.
        latent_size: width of the generator's input z.
        generator_sizes: hidden widths of the generator.
        critic_sizes: hidden widths of the critic.
        classifier_sizes: hidden widths of the attribute classifier of codes (used with two or more attributes).
        num_attributes: number of attribute values, one decoder each; 1 is a plain autoencoder without attributes.
            Their names stand in `id2label`.
        normalize_code: keep codes on the unit sphere.
        amplify_code: the decoder reads the code times `sqrt(code_size)`, which puts its coordinates at the size of 1.
            Not in the thesis; its effect was not measured apart from other changes.
        share_embeddings: one table serves the encoder, every decoder and, transposed, the output projection. The
            published model has a table for each, at four times the parameters.
        initialization: `"published"` (tables and recurrent layers uniform(-0.1, 0.1), MLPs normal(0, 0.02)) or
            `"scaled"` (variances that keep signals at their size). With the published one all codes are nearly the
            same at first, and the decoder begins to read them later.
        mask_attribute_words: the encoder sees `mask_token_id` in place of each token whose log-odds for one attribute
            value exceed `salience_threshold`. Not in the thesis. The log-odds are the model's buffer
            `attribute_log_odds`, which every model with attributes has and which is filled before training.
        salience_threshold: in nats of smoothed log-odds between one attribute value and the others.
        max_sequence_length: longest sentence in tokens, without special ones.
        unk_token_id, mask_token_id: unknown words; the token that stands for a masked one.
    """

    model_type = "arae"

    vocab_size: int = 10_000
    embedding_size: int = 128
    hidden_size: int = 128
    code_size: int = 128
    num_layers: int = 1
    latent_size: int = 32
    generator_sizes: list[int] | tuple[int, ...] = field(default_factory=lambda: [128, 128])
    critic_sizes: list[int] | tuple[int, ...] = field(default_factory=lambda: [128, 128])
    classifier_sizes: list[int] | tuple[int, ...] = field(default_factory=lambda: [128, 128])
    num_attributes: int = 1
    normalize_code: bool = True
    amplify_code: bool = False
    share_embeddings: bool = False
    initialization: str = "published"
    mask_attribute_words: bool = False
    salience_threshold: float | int = 1.0
    max_sequence_length: int = 25
    pad_token_id: int | None = 0
    bos_token_id: int | None = 1
    eos_token_id: int | None = 2
    decoder_start_token_id: int | None = 1
    unk_token_id: int | None = 3
    mask_token_id: int | None = 4
    is_encoder_decoder: bool = True
    tie_word_embeddings: bool = False

    def validate_sizes(self):
        for name in (
            "vocab_size",
            "embedding_size",
            "hidden_size",
            "code_size",
            "num_layers",
            "latent_size",
            "num_attributes",
            "max_sequence_length",
        ):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")

    def validate_initialization(self):
        if self.initialization not in ("published", "scaled"):
            raise ValueError(f"initialization must be published or scaled, got {self.initialization!r}")

    def validate_attributes(self):
        if self.num_attributes > 1 and self.num_labels != self.num_attributes:
            raise ValueError(
                f"id2label names {self.num_labels} attribute values, but num_attributes is {self.num_attributes}"
            )
        if self.mask_attribute_words and self.num_attributes < 2:
            raise ValueError("mask_attribute_words needs num_attributes of at least 2")


__all__ = ["AraeConfig"]
