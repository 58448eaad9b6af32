"""A new summarizer for a tokenizer and a pretrained language model."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field

from torch import Tensor
from transformers import PreTrainedTokenizerBase

from hf_arae.models.headline_selector.layers import WordSelector
from hf_arae.models.rnn_lm.modeling_rnn_lm import RnnLmForCausalLM
from hf_arae.models.ursae.configuration_ursae import UrsaeConfig
from hf_arae.models.ursae.modeling_ursae import UrsaeForConditionalGeneration


@dataclass
class UrsaeModelArguments:
    """Sizes of a new model, ready for `HfArgumentParser`; see [`UrsaeConfig`]. A pretrained writer brings its own."""

    embedding_size: int = field(default=300, metadata={"help": "Width of the token embeddings, without a writer."})
    hidden_size: int = field(default=300, metadata={"help": "Width of the writer's state, without a writer."})
    num_layers: int = field(default=2, metadata={"help": "LSTM layers of the writer, without a writer."})
    share_embeddings: bool = field(
        default=True, metadata={"help": "Tables serve as output tables too, without a writer. Published: off."}
    )
    reader_size: int = field(default=300, metadata={"help": "Width of the reader's queries and keys."})
    reader_kernel: int = field(default=3, metadata={"help": "Source words that a key is made of. Published: 1."})
    copy_gate: bool = field(
        default=True, metadata={"help": "The reader raises the logits of words that it attends to. Published: off."}
    )
    max_summary_length: int = field(default=14, metadata={"help": "Most words of a summary."})
    conv_size: int = field(default=300, metadata={"help": "Feature maps of the reconstructor."})
    encoder_layers: int = field(default=4, metadata={"help": "The reconstructor's layers over the summary."})
    encoder_kernel: int = field(default=4, metadata={"help": "Their width, in words."})
    decoder_layers: int = field(default=3, metadata={"help": "The reconstructor's layers over the source."})
    decoder_kernel: int = field(default=3, metadata={"help": "Their width, in words."})
    reconstructor_dropout: float = field(default=0.1, metadata={"help": "In [0, 1)."})


def build_ursae(
    arguments: UrsaeModelArguments, tokenizer: PreTrainedTokenizerBase, writer: RnnLmForCausalLM | None = None
) -> UrsaeForConditionalGeneration:
    """Builds a model around a language model.

    Args:
        arguments: sizes.
        tokenizer: gives vocabulary, special tokens and the longest source, `model_max_length - 2` words.
        writer: pretrained language model over the same vocabulary. `None`: an untrained one (the thesis' ablation).

    Raises:
        ValueError: the writer's vocabulary or special tokens are not the tokenizer's.
    """
    sizes = asdict(arguments)
    if writer is not None:
        names = ("embedding_size", "hidden_size", "num_layers", "share_embeddings", "dropout")
        sizes |= {name: getattr(writer.config, name) for name in names}
    config = UrsaeConfig(
        vocab_size=len(tokenizer),
        max_source_length=tokenizer.model_max_length - 2,
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        decoder_start_token_id=tokenizer.bos_token_id,
        unk_token_id=tokenizer.unk_token_id,
        mask_token_id=tokenizer.mask_token_id,
        **sizes,
    )
    model = UrsaeForConditionalGeneration(config)
    if writer is not None:
        model.load_writer(writer)
    return model


def add_selector(
    model: UrsaeForConditionalGeneration,
    signals: Tensor,
    selectable: Tensor,
    forms: Tensor,
    phrases: Tensor | None = None,
    selector_size: int = 64,
    selector_members: int = 3,
) -> None:
    """Gives a model an untrained selector, in place of the one that it may have.

    Args:
        model: a summarizer.
        signals, selectable: see `hf_arae.models.headline_selector.signals.headline_signals`.
        forms, phrases: what is written for a word or two; see `hf_arae.models.headline_selector.forms`.
        selector_size, selector_members: see [`UrsaeConfig`].
    """
    config = model.config
    config.selector_size, config.selector_members = selector_size, selector_members
    config.selector_signals = signals.shape[1]
    selector = WordSelector(config.vocab_size, signals.shape[1], selector_size, selector_members)
    selector.set_words(signals, selectable, forms, phrases)
    model.selector = selector.to(model.device)
