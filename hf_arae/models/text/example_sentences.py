"""Made-up sentences: valid inputs of any text model."""

from hf_arae.models.text.text_config import TextConfig


def example_sentences(config: TextConfig) -> list[list[int]]:
    """Two rows of token ids: `<bos> w1 w2 w3 w4 <eos>`, and `<bos> w1 w2 <eos>` with two tokens of padding."""
    special = {getattr(config, f"{name}_token_id") for name in ("pad", "bos", "eos", "unk", "mask")}
    words = [token for token in range(min(config.vocab_size, 16)) if token not in special] or [config.unk_token_id]
    first, second = ([words[place % len(words)] for place in range(*ends)] for ends in ((0, 4), (4, 6)))
    return [
        [config.bos_token_id, *first, config.eos_token_id],
        [config.bos_token_id, *second, config.eos_token_id, config.pad_token_id, config.pad_token_id],
    ]


__all__ = ["example_sentences"]
