"""Configuration of the unsupervised summarizer."""

from huggingface_hub.dataclasses import strict

from hf_arae.models.text.text_config import TextConfig
from hf_arae.utils.validation import LAYERS, VOCABULARY, WIDTHS, check_range


@strict
class UrsaeConfig(TextConfig):
    """Sizes of a URSAE (thesis, chapter 5; the defaults are those of section 5.7.1).

    As the thesis has it, writer and reconstructor have two tables each, by default. `copy_gate` is not in the thesis.

    Args:
        vocab_size: number of tokens, special ones included; summaries and sources share them.
        embedding_size: width of the writer's and of the reconstructor's token embeddings.
        hidden_size: width of the state of the writer's LSTM.
        num_layers: layers of the writer's LSTM.
        dropout: share of the writer's units that are dropped, in [0, 1), while it is trained as a language model. As a
            summarizer's part it is frozen and drops nothing.
        share_embeddings: the writer's embedding table is its output table too, and so is the reconstructor's.
        reader_size: width of the reader's queries, keys and positions.
        reader_kernel: source words, around each, that its key is made of; odd. With 1 a key does not know
            its neighbours, so that "the word after the one just written" cannot be asked for.
        copy_gate: a word's share of the attention, times a gate that the writer's state sets, is added to its logit.
            Without it the reader reaches a logit through the writer's output table only.
        max_source_length: longest source in tokens, without `<bos>` and `<eos>`.
        max_summary_length: longest summary, in words.
        conv_size: feature maps of the reconstructor.
        encoder_layers: number of the reconstructor's convolutions over the summary.
        encoder_kernel: width of the convolutions over the summary, in words.
        decoder_layers: number of the reconstructor's causal convolutions over the source.
        decoder_kernel: width of the convolutions over the source, in words.
        reconstructor_dropout: share of the reconstructor's units that are dropped while training, in [0, 1).
        write_length: words of a written summary, where no length is asked for; `None`: the model ends it itself.
        write_source_words_only, write_source_order, write_longest_gap, write_no_repeat_ngram_size: what a written
            summary is held to unless a call says otherwise, see `summarize`. A reader has learned to write under such
            limits and has no sense of anything else, so training keeps here what it was trained and measured under.
        pad_token_id, bos_token_id, unk_token_id, mask_token_id: tokens that are never written.
        eos_token_id: token that ends a summary, and a source.
    """

    model_type = "ursae"
    length_field = "max_source_length"
    not_chosen = (
        *TextConfig.not_chosen,
        "max_source_length",
        "write_length",
        "write_source_words_only",
        "write_source_order",
        "write_longest_gap",
        "write_no_repeat_ngram_size",
    )

    vocab_size: int = 30_000
    embedding_size: int = 300
    hidden_size: int = 300
    num_layers: int = 2
    dropout: float | int = 0.2
    share_embeddings: bool = False
    reader_size: int = 300
    reader_kernel: int = 1
    copy_gate: bool = False
    max_source_length: int = 60
    max_summary_length: int = 14
    conv_size: int = 300
    encoder_layers: int = 4
    encoder_kernel: int = 4
    decoder_layers: int = 3
    decoder_kernel: int = 3
    reconstructor_dropout: float | int = 0.1
    write_length: int | None = None
    write_source_words_only: bool = False
    write_source_order: bool = False
    write_longest_gap: int | None = None
    write_no_repeat_ngram_size: int = 0
    decoder_start_token_id: int | None = 1
    is_encoder_decoder: bool = True
    tie_word_embeddings: bool = False

    def validate_sizes(self):
        check_range(self, VOCABULARY, "vocab_size")
        check_range(self, WIDTHS, "embedding_size", "hidden_size", "reader_size", "conv_size")
        check_range(self, WIDTHS, "max_source_length", "max_summary_length")
        check_range(self, LAYERS, "num_layers", "encoder_layers", "decoder_layers")
        check_range(self, LAYERS, "reader_kernel", "encoder_kernel", "decoder_kernel")
        if self.reader_kernel % 2 == 0:
            raise ValueError(f"reader_kernel must be odd, got {self.reader_kernel}")

    def validate_writing(self):
        if self.write_length is not None and not 1 <= self.write_length <= self.max_summary_length:
            raise ValueError(
                f"write_length must lie in 1..{self.max_summary_length} (max_summary_length), or be None; "
                f"got {self.write_length}"
            )
        if self.write_longest_gap is not None and self.write_longest_gap < 0:
            raise ValueError(f"write_longest_gap must not be negative, got {self.write_longest_gap}")
        if self.write_no_repeat_ngram_size < 0:
            raise ValueError(f"write_no_repeat_ngram_size must not be negative, got {self.write_no_repeat_ngram_size}")

    def validate_dropout(self):
        check_range(self, "[0, 1)", "dropout", "reconstructor_dropout")

    def validate_tokens(self):
        for name in ("pad_token_id", "bos_token_id", "eos_token_id"):
            if getattr(self, name) is None:
                raise ValueError(f"{name} is needed: summaries begin with <bos>, end with <eos> and are padded")


__all__ = ["UrsaeConfig"]
