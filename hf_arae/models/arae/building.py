"""A new ARAE for a tokenizer and a training set: sizes from arguments, word statistics from the data."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field

import numpy as np
from datasets import Dataset
from transformers import PreTrainedTokenizerBase

from hf_arae.data.text.salience import attribute_log_odds
from hf_arae.data.text.token_arrays import flat_column
from hf_arae.models.arae.configuration_arae import AraeConfig
from hf_arae.models.arae.modeling_arae import AraeModel


@dataclass
class AraeModelArguments:
    """Sizes and switches of a new model, ready for `HfArgumentParser`; see [`AraeConfig`]."""

    embedding_size: int = field(default=128, metadata={"help": "Width of the token embeddings."})
    hidden_size: int = field(default=320, metadata={"help": "Width of the decoders' state. Published: 128."})
    code_size: int = field(default=384, metadata={"help": "Width of the code. Published: 128."})
    latent_size: int = field(default=32, metadata={"help": "Width of the generator's input z."})
    amplify_code: bool = field(
        default=True, metadata={"help": "The decoder reads the code times sqrt(code_size). Published: off."}
    )
    share_embeddings: bool = field(
        default=True, metadata={"help": "One table for encoder, decoders and output. Published: off."}
    )
    mask_attribute_words: bool = field(
        default=True, metadata={"help": "Hide words that give the attribute away from the encoder. Published: off."}
    )
    salience_threshold: float = field(
        default=1.1, metadata={"help": "Log-odds (nats) above which a word gives the attribute away."}
    )
    salience_smoothing: float = field(
        default=5.0, metadata={"help": "Added to each word's count of sentences: more spares rare words."}
    )
    initialization: str = field(default="scaled", metadata={"help": "scaled, or published: everything +-0.1."})


def build_arae(
    arguments: AraeModelArguments, tokenizer: PreTrainedTokenizerBase, train: Dataset, label_names: list[str]
) -> AraeModel:
    """Builds a model and fills its word statistics.

    Args:
        arguments: sizes and switches.
        tokenizer: gives vocabulary, special tokens and the longest length.
        train: rows of `encode_dataset`, with `attribute` if there are two or more labels.
        label_names: attribute values in the order of their ids; with fewer than two the model has one decoder.
    """
    values = max(1, len(label_names))
    switches = asdict(arguments)
    smoothing = switches.pop("salience_smoothing")
    if values == 1:
        switches["mask_attribute_words"] = False
    config = AraeConfig(
        vocab_size=len(tokenizer),
        num_attributes=values,
        id2label=dict(enumerate(label_names)) if values > 1 else None,
        max_sequence_length=tokenizer.model_max_length - 2,
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        decoder_start_token_id=tokenizer.bos_token_id,
        unk_token_id=tokenizer.unk_token_id,
        mask_token_id=tokenizer.mask_token_id,
        **switches,
    )
    model = AraeModel(config)
    if values > 1:
        tokens, lengths = flat_column(train, "input_ids")
        sentences = np.split(tokens, lengths.cumsum()[:-1])
        special = tokenizer.all_special_ids
        odds = attribute_log_odds(sentences, train["attribute"][:], config.vocab_size, values, smoothing, special)
        model.attribute_log_odds.copy_(odds)
    return model
