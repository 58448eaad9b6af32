"""How a URSAE writes summaries: `generate` and `summarize`, and the limits that they are held to."""

from __future__ import annotations

import copy

import torch
from torch import Tensor
from transformers import GenerationConfig, LogitsProcessorList, NoRepeatNGramLogitsProcessor
from transformers.utils import ModelOutput

from hf_arae.models.recurrent.text_model import RecurrentTextModel
from hf_arae.models.ursae.configuration_ursae import UrsaeConfig
from hf_arae.models.ursae.layers_ursae import UrsaeReading
from hf_arae.nn.text.sources import check_sources, checked_lengths
from hf_arae.nn.text.summary_processors import SourceOrderProcessor, SourceWordsProcessor, SummaryLengthProcessor


class SummaryWriter(RecurrentTextModel):
    """Base of a model that writes summaries word by word, and knows how to read their sources."""

    config: UrsaeConfig

    def read_source(self, input_ids: Tensor, attention_mask: Tensor | None = None) -> UrsaeReading:
        """Prepares sources `(batch, source)` for the writer."""
        raise NotImplementedError

    def source_words(self, input_ids: Tensor) -> Tensor:
        """Which tokens occur in the sources `(batch, source)`: `(batch, vocab_size)` bool; `<eos>` always does."""
        present = torch.zeros(len(input_ids), self.config.vocab_size, dtype=torch.bool, device=input_ids.device)
        present.scatter_(1, input_ids, True)
        present[:, self.config.eos_token_id] = True
        return present

    @torch.no_grad()
    def generate(
        self,
        inputs: Tensor | None = None,
        generation_config: GenerationConfig | None = None,
        target_length: int | Tensor | None = None,
        source_words_only: bool | None = None,
        source_order: bool | None = None,
        longest_gap: int | None = None,
        **arguments,
    ) -> Tensor | ModelOutput:
        """As in transformers, for sources `(batch, source)` or `encoder_outputs`: what `summarize` does.

        Args:
            target_length, source_words_only, source_order, longest_gap: see `summarize`.

        Raises:
            ValueError: a source has no words or too many; what `summarize` says of lengths.
        """
        config = self.config
        if arguments.get("encoder_outputs") is None:
            inputs = arguments.pop("input_ids", None) if inputs is None else inputs
            mask = arguments.pop("attention_mask", None)
            check_sources(inputs, mask, config)
            arguments["encoder_outputs"] = self.read_source(inputs, mask)
        ids, end = arguments["encoder_outputs"].input_ids, config.eos_token_id
        settings = self.generation_config if generation_config is None else generation_config
        processors = LogitsProcessorList(arguments.pop("logits_processor", None) or [])
        size = arguments.get("no_repeat_ngram_size", settings.no_repeat_ngram_size)
        if size is None and config.write_no_repeat_ngram_size:
            processors.append(NoRepeatNGramLogitsProcessor(config.write_no_repeat_ngram_size))
        limits = self._limits(settings, arguments)
        if target_length is None and not limits:
            target_length = config.write_length
        shortest = torch.ones(len(ids), dtype=torch.long)
        if target_length is not None:
            shortest = self._summary_lengths(len(ids), target_length, limits)
            processors.append(SummaryLengthProcessor(shortest, shortest, end))
            if generation_config is None:
                arguments["max_new_tokens"] = int(shortest.max()) + 1
            else:  # transformers warns of one that comes with arguments beside it
                generation_config = copy.deepcopy(generation_config)
                generation_config.max_new_tokens, generation_config.max_length = int(shortest.max()) + 1, None
        else:  # ended by the model, after a word at least
            processors.append(SummaryLengthProcessor(shortest, shortest * torch.iinfo(torch.long).max, end))
        if source_order is None:
            source_order = config.write_source_order and source_words_only is not False
        if source_words_only is None:
            source_words_only = config.write_source_words_only
        if source_order:
            gap = config.write_longest_gap if longest_gap is None else longest_gap
            processors.append(SourceOrderProcessor(ids, shortest, end, gap))
        if source_words_only or source_order:
            processors.append(SourceWordsProcessor(self.source_words(ids)))
        return super().generate(None, generation_config, logits_processor=processors, **arguments)

    # Verbs

    @torch.no_grad()
    def summarize(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        target_length: int | Tensor | None = None,
        source_words_only: bool | None = None,
        source_order: bool | None = None,
        longest_gap: int | None = None,
        **generate_arguments,
    ) -> Tensor:
        """Makes a summary of each source; returns token ids `<bos> ... <eos>`, padded, `(batch, sequence)`.

        Args:
            input_ids: sources, `(batch, source)`.
            attention_mask: `(batch, source)`; derived from the padding token if `None`.
            target_length: exactly so many words, for all or for each source, `(batch,)`. `None`: the config's
                `write_length` words or, without one or with a limit such as `max_new_tokens`, as many as the model
                ends after, `max_summary_length` at most.
            source_words_only: no word is written that the source does not have. `None`: as the config's
                `write_source_words_only` says. `False` takes `source_order` back, too.
            source_order: and words are in the source's order; `None`: as the config's `write_source_order` says.
            longest_gap: with `source_order`: most words that are left out before each, where that can be kept to;
                `None`: the config's `write_longest_gap`.
            generate_arguments: anything that `generate` takes (`num_beams`, `do_sample`, `no_repeat_ngram_size`, ...).

        Raises:
            ValueError: a target length is out of range or not one a source, a source has no words or too many,
                or `max_new_tokens` is given beside `target_length`.
        """
        limits = self._limits(self.generation_config, generate_arguments)
        if target_length is None and (limits or self.config.write_length is None):
            # Ended by the model: at the latest, and whole, at the limit.
            longest = self.config.max_summary_length
            whole = generate_arguments.pop("max_length", None)  # counts <bos>
            tokens = generate_arguments.get("max_new_tokens") or (whole and whole - 1)
            if tokens is not None:
                if tokens < 2:
                    raise ValueError(f"max_new_tokens must be at least 2, for a word and <eos>; got {tokens}")
                longest = min(longest, tokens - 1)
            rows = torch.ones(len(input_ids), dtype=torch.long)
            processors = LogitsProcessorList(generate_arguments.pop("logits_processor", None) or [])
            processors.append(SummaryLengthProcessor(rows, rows * longest, self.config.eos_token_id))
            generate_arguments |= {"logits_processor": processors, "max_new_tokens": longest + 1}
        written = self.generate(
            input_ids,
            attention_mask=attention_mask,
            target_length=target_length,
            source_words_only=source_words_only,
            source_order=source_order,
            longest_gap=longest_gap,
            **generate_arguments,
        )
        return self._padded_after_end(written)

    def _limits(self, settings: GenerationConfig, arguments: dict) -> dict[str, int]:
        """The limits on tokens that a call gives, beside which the config's own length does not hold."""
        names = ("max_new_tokens", "max_length", "min_new_tokens", "min_length")
        own = self.generation_config
        given = {name: arguments.get(name, getattr(settings, name)) for name in names}
        return {
            name: value
            for name, value in given.items()
            if value and (name in arguments or value != getattr(own, name))
        }

    def _summary_lengths(self, rows: int, target_length: int | Tensor, limits: dict[str, int]) -> Tensor:
        """The number of words of each summary, `(batch,)`."""
        limit = self.config.max_summary_length
        if limits:
            raise ValueError(f"give target_length or {' and '.join(limits)}, not both")
        lengths = checked_lengths(rows, target_length).cpu()
        if lengths.min() < 1 or lengths.max() > limit:
            raise ValueError(
                f"target_length must lie in 1..{limit} (max_summary_length), got {lengths.unique().tolist()}"
            )
        return lengths.expand(rows)


__all__ = ["SummaryWriter"]
