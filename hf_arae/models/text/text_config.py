"""What the configs of text models share: a tokenizer gives their vocabulary, tokens and longest text."""

from typing import Any

from huggingface_hub.dataclasses import strict
from transformers import PreTrainedTokenizerBase

from hf_arae.models.base import FamilyConfig


@strict
class TextConfig(FamilyConfig):
    """Config of a model of texts in a tokenizer's words.

    Subclasses declare the other fields that `not_chosen` lists, as far as they have them.

    Args:
        pad_token_id, bos_token_id, eos_token_id: padding, and the tokens before and after a text.
        unk_token_id, mask_token_id: stand for an unknown word, and for one that is hidden.
    """

    length_field = "max_sequence_length"  # what the config calls the longest text
    not_chosen = (
        *FamilyConfig.not_chosen,
        "vocab_size",
        "max_sequence_length",
        "pad_token_id",
        "bos_token_id",
        "eos_token_id",
        "decoder_start_token_id",
        "unk_token_id",
        "mask_token_id",
    )

    pad_token_id: int | None = 0
    bos_token_id: int | None = 1
    eos_token_id: int | None = 2
    unk_token_id: int | None = 3
    mask_token_id: int | None = 4

    @classmethod
    def from_tokenizer(cls, tokenizer: PreTrainedTokenizerBase, **sizes: Any) -> "TextConfig":
        """A config for a tokenizer's vocabulary, special tokens and longest text, `model_max_length - 2` words.

        Args:
            tokenizer: of the texts.
            sizes: other fields of the config, or a longest text that is not the tokenizer's.
        """
        given = {"vocab_size": len(tokenizer), cls.length_field: tokenizer.model_max_length - 2}
        for name in ("pad", "bos", "eos", "unk", "mask"):
            given[f"{name}_token_id"] = getattr(tokenizer, f"{name}_token_id")
        if cls.is_encoder_decoder:
            given["decoder_start_token_id"] = tokenizer.bos_token_id
        return cls(**(given | sizes))

    def check_sizes(self, sizes: dict[str, Any], name: str) -> None:
        """Makes sure that a trained model has the sizes that are asked for.

        Args:
            sizes: fields of the config.
            name: of the model, for the message.

        Raises:
            ValueError: it has others.
        """
        other = {key: value for key, value in sizes.items() if value != getattr(self, key)}
        if other:
            listed = ", ".join(f"{key} {getattr(self, key)} (not {value})" for key, value in other.items())
            raise ValueError(f"{name} was built with {listed}: its sizes cannot be changed")


__all__ = ["TextConfig"]
