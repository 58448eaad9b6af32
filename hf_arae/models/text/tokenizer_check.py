"""Is a tokenizer a model's?"""

from __future__ import annotations

from transformers import PreTrainedConfig, PreTrainedTokenizerBase

_SPECIAL = ("pad", "bos", "eos", "unk", "mask")
_DISPENSABLE = ("unk", "mask")  # a tokenizer may do without them, and a config has an id for them all the same


def check_tokenizer(tokenizer: PreTrainedTokenizerBase | None, config: PreTrainedConfig) -> None:
    """Compares a tokenizer with what a model's config says of its own.

    Raises:
        ValueError: there is no tokenizer, their vocabularies differ in size, or special tokens have other ids.
    """
    if tokenizer is None:
        raise ValueError("its tokenizer is missing, without which it reads no text")
    known = getattr(config, "vocab_size", None)
    if known is not None and len(tokenizer) != known:
        raise ValueError(f"the tokenizer is not the model's: it has {len(tokenizer):,} words and the model {known:,}")
    for name in _SPECIAL:
        theirs, ours = getattr(tokenizer, f"{name}_token_id", None), getattr(config, f"{name}_token_id", None)
        if ours is not None and theirs != ours and not (theirs is None and name in _DISPENSABLE):
            raise ValueError(
                f"the tokenizer is not the model's, or its tokenizer_config.json is missing: its token <{name}> is "
                f"{theirs}, the model's {ours}"
            )


__all__ = ["check_tokenizer"]
