"""Configuration of the infilling family."""

from huggingface_hub.dataclasses import strict
from transformers import MBartConfig

from hf_arae.models.text.text_config import TextConfig
from hf_arae.utils.validation import LAYERS, VOCABULARY, WIDTHS, check_range


@strict
class InfillingConfig(TextConfig):
    """Sizes of the networks, and how the best of many candidates is chosen.

    Args:
        vocab_size: number of tokens, special ones included.
        hidden_size: width of the table, of encoder and decoder, and of the language model.
        intermediate_size: width of the feed-forward layers.
        num_heads: attention heads; they divide `hidden_size`.
        encoder_layers, decoder_layers: attention layers.
        dropout: of encoder and decoder, in [0, 1).
        language_model_dropout: of the language model, an LSTM that shares the table, in [0, 1).
        classifier_embedding_size, classifier_maps: the classifier's table, and its convolutions of each width.
        num_attributes: number of labels, at least 2. Their names stand in `id2label`.
        max_sequence_length: longest sentence in tokens, without special ones.
        num_candidates: from so many different rewritings the best is chosen, where nothing else is said; 1: the
            rewriter writes one, greedily.
        style_weight, fluency_weight, content_weight: what counts how much in the choice, see
            [`~hf_arae.models.infilling.choice.Candidates.scores`]; at least 0, and not all 0.
        style_limit: log-odds of the wanted label beyond this count for no more, above 0. A low limit and a high weight
            say: those that have the label surely enough, and of them the best in the other two.
        rewriter_trained: the rewriter has learnt, and may be asked; a round of rewriting says so.
    """

    model_type = "infilling"
    not_chosen = (*TextConfig.not_chosen, "num_attributes", "rewriter_trained")

    vocab_size: int = 10_000
    hidden_size: int = 256
    intermediate_size: int = 384
    num_heads: int = 4
    encoder_layers: int = 2
    decoder_layers: int = 2
    dropout: float | int = 0.1
    language_model_dropout: float | int = 0.3
    classifier_embedding_size: int = 64
    classifier_maps: int = 96
    num_attributes: int = 2
    max_sequence_length: int = 25
    num_candidates: int = 1
    style_weight: float | int = 10.0
    fluency_weight: float | int = 1.0
    content_weight: float | int = 20.0
    style_limit: float | int = 1.0
    rewriter_trained: bool = False
    decoder_start_token_id: int | None = 1
    is_encoder_decoder: bool = True
    tie_word_embeddings: bool = False

    def validate_sizes(self):
        check_range(self, VOCABULARY, "vocab_size")
        check_range(
            self,
            WIDTHS,
            "hidden_size",
            "intermediate_size",
            "num_heads",
            "classifier_embedding_size",
            "classifier_maps",
            "max_sequence_length",
            "num_candidates",
        )
        check_range(self, LAYERS, "encoder_layers", "decoder_layers")
        check_range(self, "[0, 1)", "dropout", "language_model_dropout")
        if self.hidden_size % self.num_heads:
            raise ValueError(f"hidden_size={self.hidden_size} is not a multiple of num_heads={self.num_heads}")

    def validate_choice(self):
        check_range(self, "[0, inf)", "style_weight", "fluency_weight", "content_weight")
        check_range(self, "(0, inf)", "style_limit")
        if not (self.style_weight or self.fluency_weight or self.content_weight):
            raise ValueError("style_weight, fluency_weight and content_weight are all 0: nothing is left to choose by")

    def validate_attributes(self):
        check_range(self, "[2, 1000]", "num_attributes")
        if self.num_labels != self.num_attributes:
            raise ValueError(f"id2label names {self.num_labels} labels, but num_attributes is {self.num_attributes}")

    @property
    def longest_input(self) -> int:
        """Most tokens that encoder and decoder have places for: spans, and what stands between them."""
        return 2 * self.max_sequence_length + 4

    def network(self) -> MBartConfig:
        """The config of encoder and decoder: attention layers of transformers, normalised before each.

        Their table has, after the tokenizer's words, a token for each label to fill gaps with and one to rewrite with.
        """
        return MBartConfig(
            vocab_size=self.vocab_size + 2 * self.num_attributes,
            d_model=self.hidden_size,
            encoder_layers=self.encoder_layers,
            decoder_layers=self.decoder_layers,
            encoder_attention_heads=self.num_heads,
            decoder_attention_heads=self.num_heads,
            encoder_ffn_dim=self.intermediate_size,
            decoder_ffn_dim=self.intermediate_size,
            max_position_embeddings=self.longest_input,
            dropout=self.dropout,
            attention_dropout=0.0,
            scale_embedding=True,
            pad_token_id=self.pad_token_id,
            bos_token_id=self.bos_token_id,
            eos_token_id=self.eos_token_id,
            decoder_start_token_id=self.bos_token_id,
            forced_eos_token_id=None,
            attn_implementation="eager",  # of ten words; torch's fused attention takes a third longer on a CPU
        )


__all__ = ["InfillingConfig"]
