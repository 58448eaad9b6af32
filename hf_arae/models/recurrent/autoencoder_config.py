"""Configurations that the text autoencoders share: sizes of encoder and decoder, labels, and a fixed prior."""

from huggingface_hub.dataclasses import strict

from hf_arae.models.text.text_config import TextConfig
from hf_arae.utils.validation import LAYERS, VOCABULARY, WIDTHS, check_choice, check_range


@strict
class TextAutoencoderConfig(TextConfig):
    """Sizes and switches of a text autoencoder's encoder and decoder.

    The defaults of the switches are as the ARAE was published: a table for each of the encoder, the decoders and the
    output. `amplify_code`, `share_embeddings` and `dropout` are not in the thesis.

    Args:
        vocab_size: number of tokens, special ones included.
        embedding_size: width of the token embeddings.
        hidden_size: width of the decoder's state.
        code_size: width of the code.
        num_layers: LSTM layers in the encoder and in each decoder.
        amplify_code: the decoder reads the code times `sqrt(code_size)`, which puts the coordinates of a code on the
            unit sphere at the size of 1. Its effect was not measured apart from other changes.
        share_embeddings: one table serves the encoder, every decoder and, transposed, the output projection. The
            alternative is a table for each, at several times the parameters.
        initialization: `"published"` (tables and recurrent layers uniform(-0.1, 0.1), linear layers normal(0, 0.02))
            or `"scaled"` (variances that keep signals at their size). With `"published"` all codes are nearly the same
            at first, and the decoder begins to read them later.
        dropout: probability, in [0, 1), of dropping a unit of the decoder's inputs and outputs while training, as a
            language model does.
        max_sequence_length: longest sentence in tokens, without special ones.
        unk_token_id, mask_token_id: unknown words; the token that stands for a masked one.
    """

    not_chosen = (*TextConfig.not_chosen, "num_attributes")

    vocab_size: int = 10_000
    embedding_size: int = 128
    hidden_size: int = 128
    code_size: int = 128
    num_layers: int = 1
    num_attributes = 1  # no field: a model without labels. [`LabelledDecodersConfig`] makes it one
    amplify_code: bool = False
    share_embeddings: bool = False
    initialization: str = "published"
    dropout: float | int = 0.0
    max_sequence_length: int = 25
    decoder_start_token_id: int | None = 1
    is_encoder_decoder: bool = True
    tie_word_embeddings: bool = False

    def validate_sizes(self):
        check_range(self, VOCABULARY, "vocab_size")
        check_range(self, WIDTHS, "embedding_size", "hidden_size", "code_size", "max_sequence_length")
        check_range(self, LAYERS, "num_layers")

    def validate_dropout(self):
        check_range(self, "[0, 1)", "dropout")

    def validate_initialization(self):
        check_choice(self, "initialization", ("published", "scaled"))


@strict
class LabelledDecodersConfig(TextAutoencoderConfig):
    """As [`TextAutoencoderConfig`], with a decoder for each label. `mask_attribute_words` is not in the thesis.

    Args:
        num_attributes: number of attribute values, one decoder each; 1 is a model without attributes. Their names
            stand in `id2label`.
        mask_attribute_words: the encoder sees `mask_token_id` in place of each token whose log-odds for one attribute
            value exceed `salience_threshold`. The log-odds are the model's buffer `attribute_log_odds`, which every
            model with attributes has and which is filled before training.
        salience_threshold: a word is hidden above this, in nats of smoothed log-odds between one attribute value
            and the others.
    """

    num_attributes: int = 1
    mask_attribute_words: bool = False
    salience_threshold: float | int = 1.0

    def validate_salience(self):
        check_range(self, "[0, inf)", "salience_threshold")

    def validate_attributes(self):
        check_range(self, LAYERS, "num_attributes")
        if self.num_attributes > 1 and self.num_labels != self.num_attributes:
            raise ValueError(
                f"id2label names {self.num_labels} attribute values, but num_attributes is {self.num_attributes}"
            )
        if self.mask_attribute_words and self.num_attributes < 2:
            raise ValueError("mask_attribute_words needs num_attributes of at least 2")


@strict
class PriorAutoencoderConfig(TextAutoencoderConfig):
    """As [`TextAutoencoderConfig`], for codes with a fixed prior.

    `hidden_size` is the width of the encoder's state too, and `initialization` is `"scaled"` unless said otherwise.
    The sparse prior of Mathieu et al. (2019) has a `prior_sparsity` of 0.8.

    Args:
        prior_sparsity: gamma, the share in [0, 1) of coordinates of the prior that are near 0, see
            [`hf_arae.nn.priors.FixedPrior`]. 0 is the standard normal.
        prior_spike_std: their standard deviation sigma_0, in (0, 1).
    """

    initialization: str = "scaled"
    prior_sparsity: float | int = 0.0
    prior_spike_std: float | int = 0.05

    def validate_prior(self):
        check_range(self, "[0, 1)", "prior_sparsity")
        check_range(self, "(0, 1)", "prior_spike_std")


__all__ = ["LabelledDecodersConfig", "PriorAutoencoderConfig", "TextAutoencoderConfig"]
