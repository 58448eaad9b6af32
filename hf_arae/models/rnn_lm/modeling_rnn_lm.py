"""Recurrent language model: p(token | tokens before it), by an LSTM."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import GenerationConfig
from transformers.utils import ModelOutput

from hf_arae.models.recurrent.text_model import RecurrentTextModel
from hf_arae.models.rnn_lm.configuration_rnn_lm import RnnLmConfig
from hf_arae.nn.text.decoding import WriterCell
from hf_arae.nn.text.linear_cross_entropy import linear_cross_entropy
from hf_arae.nn.text.padding import check_padded_right, padded_right, words_to_predict
from hf_arae.nn.text.recurrent_cache import RecurrentCache
from hf_arae.nn.text.vocabulary import VocabularyProjection
from hf_arae.utils.seeding import seeded


@dataclass
class RnnLmOutput(ModelOutput):
    """Output of [`RnnLmForCausalLM`].

    Args:
        loss: cross-entropy in nats per predicted token, if `labels` were given.
        logits: `(batch, sequence, vocab_size)`; those at a place predict the next token.
        cache: the state after the last token, if `use_cache`.
    """

    loss: Tensor | None = None
    logits: Tensor | None = None
    cache: RecurrentCache | None = None


class RnnLmForCausalLM(RecurrentTextModel):
    """LSTM language model (Mikolov et al. 2010; dropout as in Zaremba et al. 2014).

    Sentences are token ids as the tokenizer gives them: `<bos> w1 ... wn <eos>`, padded on the right.

    Args:
        config: see [`RnnLmConfig`].
    """

    config: RnnLmConfig
    config_class = RnnLmConfig
    auto_classes = ("AutoModelForCausalLM",)

    def __init__(self, config: RnnLmConfig):
        super().__init__(config)
        self.embeddings = nn.Embedding(config.vocab_size, config.embedding_size, padding_idx=config.pad_token_id)
        self.dropout = nn.Dropout(config.dropout)
        between = config.dropout if config.num_layers > 1 else 0.0
        self.lstm = nn.LSTM(
            config.embedding_size, config.hidden_size, config.num_layers, batch_first=True, dropout=between
        )
        self.projection = VocabularyProjection(
            config.hidden_size, config.vocab_size, config.embedding_size if config.share_embeddings else None
        )
        self.post_init()
        self._set_generation_defaults()

    def hidden_states(
        self, input_ids: Tensor, state: tuple[Tensor, Tensor] | None = None
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Reads tokens `(batch, sequence)` from the start, or on from `state`.

        Returns:
            States `(batch, sequence, hidden_size)` and the state after the last token, each part
            `(num_layers, batch, hidden_size)`.
        """
        states, state = self.lstm(self.dropout(self.embeddings(input_ids)), state)
        return self.dropout(states), state

    def token_loss(self, input_ids: Tensor) -> tuple[Tensor, int]:
        """Summed cross-entropy (nats) of all tokens after the first, and their number; padding is not counted.

        The same as `forward`'s loss times the count, without ever holding all logits: for training.

        Args:
            input_ids: `(batch, sequence)`, right padded.
        """
        targets = words_to_predict(input_ids, self.config.pad_token_id)
        states, _ = self.hidden_states(input_ids[:, :-1])
        return linear_cross_entropy(*self.projection_operands(states), targets)

    def projection_operands(self, states: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Returns (states, weight, bias) such that the logits are `states @ weight.T + bias`."""
        return self.projection.operands(states, self._shared_table())

    def _shared_table(self) -> Tensor | None:
        return self.embeddings.weight if self.config.share_embeddings else None

    # transformers' interface -----------------------------------------------------------------------------------------

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        labels: Tensor | None = None,
        cache: RecurrentCache | None = None,
        use_cache: bool | None = None,
        return_dict: bool | None = None,
        **kwargs,
    ) -> RnnLmOutput | tuple:
        """Predicts the token after each.

        Args:
            input_ids: `(batch, sequence)`, right padded.
            attention_mask: 1 for tokens, 0 for padding, which must be on the right: there it reaches no token's state.
                Derived from the padding token if `None`.
            labels: usually `input_ids` itself, `(batch, sequence)`; the shift by one happens here. Places that hold
                the padding token or -100 are not counted.
            cache: state to continue from; updated in place if `use_cache`.
            use_cache: return the state.
            return_dict: a tuple instead of an [`RnnLmOutput`] if `False`.
            kwargs: what transformers hands to any model; nothing of it is used.

        Raises:
            TypeError: an argument is unknown.
            ValueError: padding, or a place that the mask leaves out, comes before a token.
        """
        self._refuse_unknown(kwargs)
        if cache is None or cache.state is None:
            there = input_ids != self.config.pad_token_id if attention_mask is None else attention_mask
            check_padded_right("input_ids", there)
        states, state = self.hidden_states(input_ids, None if cache is None else cache.state)
        logits = self.projection(states, self._shared_table())
        loss = None
        if labels is not None:
            targets = words_to_predict(labels, self.config.pad_token_id)
            total = F.cross_entropy(logits[:, :-1].float().flatten(0, 1), targets.flatten(), reduction="sum")
            loss = total / (targets != -100).sum().clamp(min=1)
        if use_cache:
            cache = cache if cache is not None else RecurrentCache()
            cache.advance(state, input_ids.shape[1])
        output = RnnLmOutput(loss, logits, cache if use_cache else None)
        return output if return_dict is not False else output.to_tuple()

    def get_input_embeddings(self) -> nn.Embedding:
        """The table of words, `(vocab_size, embedding_size)`."""
        return self.embeddings

    def set_input_embeddings(self, value: nn.Embedding) -> None:
        """Puts another table in its place."""
        self.embeddings = value

    def _word_tables(self) -> list[tuple[nn.Module, str]]:
        tables = [(self.embeddings, "weight"), (self.projection, "bias")]
        return tables if self.config.share_embeddings else [*tables, (self.projection, "weight")]

    def generate(
        self, inputs: Tensor | None = None, generation_config: GenerationConfig | None = None, **arguments
    ) -> Tensor | ModelOutput:
        """As in transformers, going on after prompts `(batch, sequence)` of one length.

        The `<eos>` that a tokenizer puts behind every text is taken off, and so it is not in what is returned.

        Raises:
            ValueError: the prompts are of several lengths, or some alone end with `<eos>`.
        """
        inputs = arguments.pop("input_ids", None) if inputs is None else inputs
        mask = arguments.get("attention_mask")
        if inputs is not None and arguments.get("cache") is None and (mask is None or mask.shape == inputs.shape):
            pad, end = self.config.pad_token_id, self.config.eos_token_id
            mask = inputs != pad if mask is None else mask.bool()
            lengths = mask.sum(1)
            if (lengths == lengths[0]).all():
                inputs, mask = (part[:, : lengths[0]] for part in padded_right(inputs, mask, pad))
                ended = inputs[:, -1:] == end
                if inputs.shape[1] > 1 and ended.all():
                    inputs, mask = inputs[:, :-1], mask[:, :-1]
                elif len(ended) > 1 and ended.any():
                    raise ValueError("some of the prompts end with <eos> and others do not: give all without")
            arguments["attention_mask"] = mask.long()
        return super().generate(inputs, generation_config, **arguments)

    def prepare_inputs_for_generation(
        self, input_ids, cache=None, attention_mask=None, use_cache=None, is_first_iteration=False, **kwargs
    ):
        if is_first_iteration and attention_mask is not None and not attention_mask.all():
            raise ValueError(
                "the prompts of one generate() call must be of one length: a recurrent state cannot skip padding. "
                "Group them by length, or call generate() for each"
            )
        if use_cache and cache is None:
            cache = RecurrentCache()
        if cache is not None:
            input_ids = input_ids[:, cache.get_seq_length() :]
        return {"input_ids": input_ids, "cache": cache, "use_cache": use_cache}

    # Verbs

    @torch.no_grad()
    def sample(self, num_samples: int, seed: int | None = None, **generate_arguments) -> Tensor:
        """Writes new sentences; returns token ids `(num_samples, sequence)`, `<bos>` first.

        Args:
            num_samples: at least 1.
            seed: makes the draw repeatable and leaves the global generators as they were.
            generate_arguments: anything that `generate` takes (`temperature`, `top_p`, ...), and `precision`, see
                `AraeModel.decode`. By default the tokens
                are drawn from the model's own distribution, less the special ones that are never written.
        """
        if num_samples < 1:
            raise ValueError(f"num_samples must be at least 1, got {num_samples}")
        arguments = {"do_sample": True, **generate_arguments}
        with seeded(seed, self.device):
            cells = [WriterCell(self.embeddings.weight, self.lstm)]
            written = self._write(cells, self._shared_table(), num_samples, arguments)
            if written is not None:
                return written
            begin = torch.full((num_samples, 1), self.config.bos_token_id, device=self.device)
            return self.generate(begin, attention_mask=torch.ones_like(begin), **arguments)


__all__ = ["RnnLmForCausalLM", "RnnLmOutput"]
