"""Configuration of the recurrent language model."""

from huggingface_hub.dataclasses import strict

from hf_arae.models.text.text_config import TextConfig
from hf_arae.utils.validation import LAYERS, VOCABULARY, WIDTHS, check_range


@strict
class RnnLmConfig(TextConfig):
    """Sizes of an LSTM language model.

    Args:
        vocab_size: number of tokens, special ones included.
        embedding_size: width of the token embeddings.
        hidden_size: width of the state.
        num_layers: LSTM layers.
        dropout: probability, in [0, 1), of dropping a unit of the embeddings and of each layer's output while
            training (Zaremba et al. 2014).
        share_embeddings: the embedding table is, transposed, the output projection too; the states are first mapped
            to its width.
        max_sequence_length: longest sentence that is written, in tokens without special ones.
        pad_token_id, bos_token_id, unk_token_id, mask_token_id: tokens that are never written.
        eos_token_id: token that ends a sentence.
    """

    model_type = "rnn_lm"

    vocab_size: int = 10_000
    embedding_size: int = 200
    hidden_size: int = 200
    num_layers: int = 1
    dropout: float | int = 0.0
    share_embeddings: bool = False
    max_sequence_length: int = 25
    tie_word_embeddings: bool = False

    def validate_sizes(self):
        check_range(self, VOCABULARY, "vocab_size")
        check_range(self, WIDTHS, "embedding_size", "hidden_size", "max_sequence_length")
        check_range(self, LAYERS, "num_layers")

    def validate_dropout(self):
        check_range(self, "[0, 1)", "dropout")


__all__ = ["RnnLmConfig"]
