"""Configuration of the headline selector."""

from huggingface_hub.dataclasses import strict

from hf_arae.models.text.text_config import TextConfig
from hf_arae.utils.validation import LAYERS, VOCABULARY, WIDTHS, check_range


@strict
class HeadlineSelectorConfig(TextConfig):
    """Sizes of a headline selector.

    Args:
        vocab_size: number of tokens, special ones included.
        signal_size: columns of the table of what is known of each word; by default the 8 named signals of
            `hf_arae.models.headline_selector.signals` and a word's vector of 32 numbers.
        hidden_size: width of the networks that score words.
        num_members: number of those networks, whose scores are averaged.
        dropout: share of those networks' units that are dropped while they are trained, in [0, 1).
        max_source_length: longest source in tokens, without `<bos>` and `<eos>`.
        shortest_headline: fewest words of a headline, where no length is asked for.
        longest_headline: most words of a headline, where no length is asked for.
        pad_token_id, bos_token_id, eos_token_id: the frame of a sentence, which no headline has.
        unk_token_id, mask_token_id: the tokenizer's other special tokens.
    """

    model_type = "headline_selector"
    length_field = "max_source_length"
    not_chosen = (*TextConfig.not_chosen, "max_source_length", "signal_size", "id2label")

    vocab_size: int = 30_000
    signal_size: int = 40
    hidden_size: int = 64
    num_members: int = 3
    dropout: float | int = 0.25
    max_source_length: int = 60
    shortest_headline: int = 7
    longest_headline: int = 12
    id2label: dict[int, str] | dict[str, str] | None = None

    def __post_init__(self, **kwargs):
        if self.id2label is None:
            self.id2label = {0: "left out", 1: "kept"}
        super().__post_init__(**kwargs)

    def validate_sizes(self):
        check_range(self, VOCABULARY, "vocab_size")
        check_range(self, WIDTHS, "signal_size", "hidden_size")
        check_range(self, WIDTHS, "max_source_length", "shortest_headline", "longest_headline")
        check_range(self, LAYERS, "num_members")
        if self.longest_headline < self.shortest_headline:
            raise ValueError(
                f"longest_headline is {self.longest_headline}, less than shortest_headline={self.shortest_headline}"
            )

    def validate_dropout(self):
        check_range(self, "[0, 1)", "dropout")

    def validate_labels(self):
        if len(self.id2label or ()) != 2:
            raise ValueError(f"a word is left out or kept, which takes two labels, got {self.id2label}")

    def validate_tokens(self):
        for name in ("pad_token_id", "bos_token_id", "eos_token_id"):
            if getattr(self, name) is None:
                raise ValueError(f"{name} is needed: sources begin with <bos>, end with <eos> and are padded")


__all__ = ["HeadlineSelectorConfig"]
