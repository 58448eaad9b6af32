"""Unsupervised summarizer: a reader that steers a frozen language model, and a reconstructor of the source."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import initialization as init
from transformers.utils import ModelOutput

from hf_arae.models.rnn_lm.configuration_rnn_lm import RnnLmConfig
from hf_arae.models.rnn_lm.modeling_rnn_lm import RnnLmForCausalLM
from hf_arae.models.ursae.configuration_ursae import UrsaeConfig
from hf_arae.models.ursae.layers_ursae import Reader, Reconstructor, UrsaeReading
from hf_arae.models.ursae.writing_ursae import SummaryWriter
from hf_arae.nn.text.linear_cross_entropy import linear_cross_entropy
from hf_arae.nn.text.padding import padded_right
from hf_arae.nn.text.recurrent_cache import RecurrentCache
from hf_arae.nn.text.token_log_probs import token_log_probs


@dataclass
class UrsaeOutput(ModelOutput):
    """Output of [`UrsaeForConditionalGeneration`].

    Args:
        loss: -log p_enc(labels | source) in nats per token, if `labels` were given.
        logits: `(batch, sequence, vocab_size)`; those at a place predict the next token of the summary.
        cache: the writer's state after the last token, if `use_cache`.
        encoder_last_hidden_state: the reader's keys, `(batch, source, reader_size)`.
        read_weights: where each word was read from, `(batch, sequence, source)`.
    """

    loss: Tensor | None = None
    logits: Tensor | None = None
    cache: RecurrentCache | None = None
    encoder_last_hidden_state: Tensor | None = None
    read_weights: Tensor | None = None


class UrsaeForConditionalGeneration(SummaryWriter):
    """URSAE (thesis, chapter 5): text -> summary, a sequence of words -> text again.

    p_enc writes the summary: a frozen LSTM language model, to whose state before the vocabulary projection the reader
    adds what it reads, nu. With nu = 0 it *is* the language model. p_dec reconstructs the source.

    Sources and summaries are token ids as the tokenizer gives them: `<bos> w1 ... wn <eos>`, padded on the right.

    Args:
        config: see [`UrsaeConfig`].
    """

    config: UrsaeConfig
    config_class = UrsaeConfig
    auto_classes = ("AutoModelForSeq2SeqLM",)

    def __init__(self, config: UrsaeConfig):
        super().__init__(config)
        self.writer = RnnLmForCausalLM(writer_config(config))
        self.reader = Reader(config)
        self.reconstructor = Reconstructor(config)
        self.post_init()
        self._set_generation_defaults()

    def _longest_text(self) -> int:
        return self.config.max_summary_length

    @torch.no_grad()
    def _init_weights(self, module: nn.Module) -> None:
        """Tables and the writer as published; the other layers keep the size of what they read."""
        super()._init_weights(module)
        if isinstance(module, nn.Linear | nn.Conv1d):
            fan_in = module.weight[0].numel()
            gated = isinstance(module, nn.Conv1d) and module.bias is not None
            init.normal_(module.weight, 0.0, ((4 if gated else 1) / fan_in) ** 0.5)  # a gate halves what it lets pass
            if module.bias is not None:
                init.zeros_(module.bias)
        elif isinstance(module, nn.LayerNorm):
            init.ones_(module.weight)
            init.zeros_(module.bias)
        elif isinstance(module, Reader):
            init.eye_(module.value)
            if module.gate is not None:
                init.zeros_(module.gate.weight)
                init.constant_(module.gate.bias, 1 / module.gate_scale)

    def train(self, mode: bool = True) -> UrsaeForConditionalGeneration:
        """As in torch; the writer, being frozen, stays in evaluation mode: it is to drop nothing."""
        super().train(mode)
        self.writer.eval()
        return self

    def load_writer(self, model: RnnLmForCausalLM) -> None:
        """Takes a pretrained language model's weights over.

        Raises:
            ValueError: its vocabulary or sizes are not the writer's; names each that differs.
        """
        names = ("vocab_size", "embedding_size", "hidden_size", "num_layers", "share_embeddings", "pad_token_id")
        names += ("bos_token_id", "eos_token_id")
        own, other = self.writer.config, model.config
        differing = [
            f"{name} is {getattr(other, name)}, not {getattr(own, name)}"
            for name in names
            if getattr(other, name) != getattr(own, name)
        ]
        if differing:
            raise ValueError(f"the language model does not fit this model's writer: {'; '.join(differing)}")
        self.writer.load_state_dict(model.state_dict())

    # The parts, on tensors

    def read_source(self, input_ids: Tensor, attention_mask: Tensor | None = None) -> UrsaeReading:
        """Prepares sources `(batch, source)` for the reader.

        Raises:
            ValueError: there are more than `max_source_length` tokens beside `<bos>` and `<eos>`.
        """
        input_ids, mask = self._trim(*self._padded_right(input_ids, attention_mask))
        embedded = self.writer.embeddings(input_ids).detach()
        table = self.writer.embeddings.weight if self.config.share_embeddings else self.writer.projection.weight
        silent = (input_ids == self.config.bos_token_id) | ~mask
        values = table.detach()[input_ids].masked_fill(silent.unsqueeze(2), 0.0)
        return UrsaeReading(self.reader.encode(embedded, mask), values, mask, input_ids)

    def summary_logits(self, states: Tensor, reading: UrsaeReading) -> tuple[Tensor, Tensor]:
        """Logits `(batch, places, vocab_size)` of the next word, and the reader's weights `(batch, places, source)`.

        Args:
            states: the writer's, after the words before, `(batch, places, hidden_size)`. The places may be of one
                summary or of several: they do not see each other.
            reading: of the sources.
        """
        read, weights = self.reader(states, reading)
        narrow, weight, bias = self.writer.projection_operands(states)
        logits = F.linear(narrow + read.to(narrow.dtype), weight.detach(), bias.detach())
        return self.reader.copy(logits, states, weights, reading), weights

    def reconstruct_loss(
        self, summary_ids: Tensor, input_ids: Tensor, weights: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """-log p_dec(X | Z), summed over each source's tokens (nats), and their numbers.

        Args:
            summary_ids: Z, `(batch, summary)`.
            input_ids: X, `(batch, source)`; `<bos>` is given, padding is not counted.
            weights: how many times each token after `<bos>` counts, `(batch, source - 1)`; once if `None`.

        Returns:
            Losses `(batch,)` and counts `(batch,)`.
        """
        operands, targets = self._reconstruction(summary_ids, input_ids)
        losses, counted = -token_log_probs(*operands, targets), targets != -100
        if weights is not None:
            weights = weights[:, : targets.shape[1]]
            losses, counted = losses * weights, counted * weights
        return losses.sum(1), counted.sum(1)

    def total_reconstruct_loss(self, summary_ids: Tensor, input_ids: Tensor) -> tuple[Tensor, int]:
        """`reconstruct_loss` summed over all rows, and the number of all tokens: faster to train with."""
        operands, targets = self._reconstruction(summary_ids, input_ids)
        return linear_cross_entropy(*operands, targets)

    def _reconstruction(self, summary_ids: Tensor, input_ids: Tensor) -> tuple[tuple[Tensor, Tensor, Tensor], Tensor]:
        input_ids, _ = self._trim(input_ids, input_ids != self.config.pad_token_id)
        targets = input_ids[:, 1:].masked_fill(input_ids[:, 1:] == self.config.pad_token_id, -100)
        return self.reconstructor(summary_ids, input_ids[:, :-1]), targets

    @torch.no_grad()
    def language_model_score(self, summary_ids: Tensor) -> Tensor:
        """log p_enc(Z | nu = 0) of summaries `(batch, summary)`, `<bos>` first, in nats; returns `(batch,)`.

        The language model's, over its whole vocabulary; an `<eos>` counts however it got there.
        """
        return -self.surprisal(summary_ids).sum(1)

    @torch.no_grad()
    def surprisal(self, input_ids: Tensor) -> Tensor:
        """-log p_LM of each token after `<bos>`, in nats, and 0 of padding: `(batch, tokens - 1)`."""
        targets = input_ids[:, 1:].masked_fill(input_ids[:, 1:] == self.config.pad_token_id, -100)
        states, _ = self.writer.hidden_states(input_ids[:, :-1])
        return -token_log_probs(*self.writer.projection_operands(states), targets)

    @torch.no_grad()
    def expected_words(self, input_ids: Tensor) -> Tensor:
        """Log of how likely the language model holds each word to be, on average over the places of texts.

        An untrained one holds all words to be equally likely.

        Args:
            input_ids: texts, `(batch, sequence)`, `<bos>` first.

        Returns:
            `(vocab_size,)`, float32.
        """
        states, _ = self.writer.hidden_states(input_ids[:, :-1])
        states, weight, bias = self.writer.projection_operands(states[input_ids[:, 1:] != self.config.pad_token_id])
        return F.linear(states, weight, bias).float().softmax(-1).mean(0).log()

    def _padded_right(self, input_ids: Tensor, attention_mask: Tensor | None) -> tuple[Tensor, Tensor]:
        """Sources and their mask, bool, with all padding on the right."""
        mask = input_ids != self.config.pad_token_id if attention_mask is None else attention_mask.bool()
        return padded_right(input_ids, mask, self.config.pad_token_id)

    def _trim(self, input_ids: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Cuts padding beyond the longest source off; see `read_source`."""
        places = self.config.max_source_length + 2
        if input_ids.shape[1] > places and mask[:, places:].any():
            raise ValueError(
                f"a source has {int(mask.sum(1).max())} tokens; accepted: at most {places}, that is "
                f"max_source_length={self.config.max_source_length} and <bos>, <eos>. Truncate it"
            )
        return input_ids[:, :places], mask[:, :places]

    # transformers' interface -----------------------------------------------------------------------------------------

    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        decoder_input_ids: Tensor | None = None,
        labels: Tensor | None = None,
        encoder_outputs: UrsaeReading | None = None,
        cache: RecurrentCache | None = None,
        use_cache: bool | None = None,
        return_dict: bool | None = None,
        **kwargs,
    ) -> UrsaeOutput | tuple:
        """Predicts each summary's next word, p_enc, with teacher forcing.

        Args:
            input_ids: sources, `(batch, source)`.
            attention_mask: `(batch, source)`.
            decoder_input_ids: the summaries' words so far, `<bos>` first, `(batch, sequence)`; the labels, if `None`.
            labels: summaries to score, `<bos>` first, `(batch, sequence)`; the shift by one happens here. Places that
                hold the padding token or -100 are not counted.
            encoder_outputs: what `read_source` gave, in place of `input_ids`.
            cache: the writer's state to continue from and to update.
            use_cache: return the writer's state.
            return_dict: a tuple instead of an [`UrsaeOutput`] if `False`.
            kwargs: what transformers hands to any model; nothing of it is used.

        Raises:
            TypeError: an argument is unknown.
            ValueError: neither `decoder_input_ids` nor `labels` are given, or they are padded on the left.
        """
        self._refuse_unknown(kwargs)
        if cache is None:
            self._check_prefixes(labels=labels, decoder_input_ids=decoder_input_ids)
        if decoder_input_ids is None:
            if labels is None:
                raise ValueError("give decoder_input_ids or labels: the words of the summary so far, <bos> first")
            decoder_input_ids = labels[:, :-1].clamp(min=0)
        reading = self.read_source(input_ids, attention_mask) if encoder_outputs is None else encoder_outputs
        before = None if cache is None else cache.state
        states, state = self.writer.hidden_states(decoder_input_ids, before)
        logits, weights = self.summary_logits(states, reading)
        loss = None
        if labels is not None:
            targets = labels[:, 1:].masked_fill(labels[:, 1:] == self.config.pad_token_id, -100)
            total = F.cross_entropy(
                logits[:, : targets.shape[1]].float().flatten(0, 1), targets.flatten(), reduction="sum"
            )
            loss = total / (targets != -100).sum().clamp(min=1)
        if use_cache:
            cache = cache if cache is not None else RecurrentCache()
            cache.advance(state, decoder_input_ids.shape[1])
        output = UrsaeOutput(loss, logits, cache if use_cache else None, reading.last_hidden_state, weights)
        return output if return_dict is not False else output.to_tuple()

    def get_input_embeddings(self) -> nn.Embedding:
        """The writer's table of words, which the reader reads as well, `(vocab_size, embedding_size)`."""
        return self.writer.embeddings

    def set_input_embeddings(self, value: nn.Embedding) -> None:
        """Puts another table in the place of the writer's."""
        self.writer.embeddings = value

    def _word_tables(self) -> list[tuple[nn.Module, str]]:
        part = self.reconstructor
        tables = [*self.writer._word_tables(), (part.embeddings, "weight"), (part.projection, "bias")]
        return tables if self.config.share_embeddings else [*tables, (part.projection, "weight")]

    def resize_token_embeddings(self, new_num_tokens: int | None = None, *arguments, **options) -> nn.Embedding:
        """As the other families do."""
        table = super().resize_token_embeddings(new_num_tokens, *arguments, **options)
        self.writer.config.vocab_size = self.config.vocab_size
        return table


def writer_config(config: UrsaeConfig) -> RnnLmConfig:
    """Config of the language model that a summarizer's writer is."""
    same = ("vocab_size", "embedding_size", "hidden_size", "num_layers", "dropout", "share_embeddings")
    same += ("pad_token_id", "bos_token_id", "eos_token_id", "unk_token_id", "mask_token_id")
    return RnnLmConfig(max_sequence_length=config.max_summary_length, **{name: getattr(config, name) for name in same})


__all__ = ["UrsaeForConditionalGeneration", "UrsaeOutput"]
