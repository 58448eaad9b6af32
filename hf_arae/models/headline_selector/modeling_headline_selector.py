"""Headlines made of a sentence's own words: which of them would a headline keep?"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from transformers.modeling_outputs import TokenClassifierOutput

from hf_arae.models.base import FamilyModel
from hf_arae.models.headline_selector.configuration_headline_selector import HeadlineSelectorConfig
from hf_arae.models.headline_selector.layers import NEVER, WordSelector
from hf_arae.nn.text.padding import check_padded_right, padded_right
from hf_arae.nn.text.sources import check_sources, checked_lengths


class HeadlineSelectorForTokenClassification(FamilyModel):
    """Summarizes a sentence by the subsequence of its words that is most like a headline.

    Each word gets a score: the mean log-odds of small networks, which see what a corpus tells of the word and of those
    around it, plus a few signals times weights. The best words are kept in their order. There is no language model in
    it and nothing is written: the model only classifies words, as kept or left out.

    Sources are token ids as the tokenizer gives them: `<bos> w1 ... wn <eos>`, padded on the right.

    Args:
        config: see [`HeadlineSelectorConfig`].
    """

    config: HeadlineSelectorConfig
    config_class = HeadlineSelectorConfig
    auto_classes = ("AutoModelForTokenClassification",)
    base_model_prefix = ""
    main_input_name = "input_ids"
    _no_split_modules = []
    _is_built = False

    def __init__(self, config: HeadlineSelectorConfig):
        super().__init__(config)
        self.selector = WordSelector(
            config.vocab_size, config.signal_size, config.hidden_size, config.num_members, config.dropout
        )
        self.post_init()
        self._is_built = True

    @torch.no_grad()
    def _init_weights(self, module: nn.Module) -> None:
        """Layers begin as torch makes them; after that, only what a checkpoint does not have is drawn anew."""
        if self._is_built and isinstance(module, nn.Linear | nn.GRU):
            module.reset_parameters()

    def resize_token_embeddings(self, new_num_tokens: int | None = None, *arguments, **options) -> None:
        """Refuses other numbers than the vocabulary's.

        Raises:
            ValueError: the number is another one: of new words the model would know nothing.
        """
        if new_num_tokens not in (None, self.config.vocab_size):
            raise ValueError(
                "a headline selector cannot change its vocabulary: the signals of each word come from a corpus. "
                "Train one with the tokenizer that is wanted"
            )

    # transformers' interface

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        labels: Tensor | None = None,
        return_dict: bool | None = None,
        **kwargs,
    ) -> TokenClassifierOutput | tuple:
        """Classifies the words of sources.

        Args:
            input_ids: `(batch, sequence)`.
            attention_mask: `(batch, sequence)`; derived from the padding token if `None`.
            labels: 1 for a word that the headline keeps, 0 for another, -100 for one that does not count,
                `(batch, sequence)`.
            return_dict: a tuple instead of a `TokenClassifierOutput` if `False`.
            kwargs: what transformers hands to any model; nothing of it is used.

        Returns:
            `logits` `(batch, sequence, 2)` of "left out" and "kept": the second is above the first where a word scores
            above the threshold. What no headline has, such as `<bos>`, `<eos>`, padding and punctuation, is left out
            with certainty. `loss`, see `selection_loss`, if there are labels: its mean.

        Raises:
            TypeError: an argument is unknown.
            ValueError: a source is padded elsewhere than on the right.
        """
        self._refuse_unknown(kwargs)
        words, mask = self._words(input_ids, attention_mask)
        scores = self.selector(words, mask) - self.selector.threshold
        logits = F.pad(torch.stack([torch.zeros_like(scores), scores], -1), (0, 0, 1, 0))
        logits[:, 0, 1] = scores.new_tensor(NEVER)
        loss = None
        if labels is not None:
            total, count = self.selection_loss(input_ids, attention_mask, labels)
            loss = total / max(count, 1)
        output = TokenClassifierOutput(loss, logits)
        return output if return_dict is not False else output.to_tuple()

    def selection_loss(self, input_ids: Tensor, attention_mask: Tensor | None, labels: Tensor) -> tuple[Tensor, int]:
        """Cross-entropy of "the headline keeps it", in nats: mean over the networks, sum over words; their number.

        Args:
            input_ids, attention_mask, labels: as `forward` takes them. Words that no headline has do not count.
        """
        words, mask = self._words(input_ids, attention_mask)
        log_odds = self.selector.member_scores(words, mask).float()
        labels = labels[:, 1:].float()
        allowed = self.selector.allowed(words, mask) & (labels >= 0)
        loss = F.binary_cross_entropy_with_logits(log_odds, labels.expand_as(log_odds), reduction="none")
        return loss.mean(0).masked_fill(~allowed, 0.0).sum(), int(allowed.sum())

    # Verbs

    @torch.no_grad()
    def summarize(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        target_length: int | Tensor | None = None,
        source_words_only: bool = False,
    ) -> Tensor:
        """Makes a headline of each source; returns token ids `<bos> ... <eos>`, padded, `(batch, sequence)`.

        Args:
            input_ids: sources, `(batch, source)`.
            attention_mask: `(batch, source)`; derived from the padding token if `None`.
            target_length, source_words_only: see `select_words`.

        Raises:
            ValueError: as `select_words`.
        """
        pad, end = self.config.pad_token_id, self.config.eos_token_id
        mask = input_ids != pad if attention_mask is None else attention_mask.bool()
        input_ids, mask = padded_right(input_ids, mask, pad)
        positions, forms = self.select_words(input_ids, mask, target_length, source_words_only)
        words = torch.where(forms >= 0, forms, input_ids.gather(1, positions.clamp(min=0)))
        words = words.masked_fill(positions < 0, pad)
        summary = F.pad(words, (1, 1), value=pad)
        summary[:, 0] = self.config.bos_token_id
        return summary.scatter(1, (positions >= 0).sum(1, keepdim=True) + 1, end)

    @torch.no_grad()
    def select_words(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        target_length: int | Tensor | None = None,
        source_words_only: bool = False,
        shortest: int | None = None,
        longest: int | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Finds in each source the words that make the best headline.

        Args:
            input_ids: sources, `(batch, source)`.
            attention_mask: `(batch, source)`; derived from the padding token if `None`.
            target_length: so many words, for all or for each source, `(batch,)`, or all where a source has fewer.
                `None`: those that score above the threshold, between `shortest` and `longest`.
            source_words_only: words are written as the source has them, a verb of the past in the past.
            shortest, longest: numbers of words; `None`: the config's `shortest_headline` and `longest_headline`, as
                far as the other one leaves room.

        Returns:
            Places in `input_ids` `(batch, words)`, rising, filled up with -1; and what is to be written there
            `(batch, words)`, as a verb of the past in the present: token ids, or -1 for the source's own word.

        Raises:
            ValueError: a length is below 1 or not one a source, `shortest` is above `longest`, a source has no words,
                or one is padded elsewhere than on the right.
        """
        check_sources(input_ids, attention_mask, self.config)
        words, mask = self._words(input_ids, attention_mask)
        if target_length is None:
            shortest, longest = self._lengths(shortest, longest)
        else:
            shortest = longest = checked_lengths(len(input_ids), target_length)
            if int(longest.min()) < 1:
                raise ValueError(f"target_length must be at least 1, got {longest.unique().tolist()}")
        rows = torch.ones(len(words), dtype=torch.long, device=words.device)
        scores = self.selector(words, mask, not source_words_only)
        chosen = self.selector.best_words(scores, rows * shortest, rows * longest, self.selector.threshold)
        chosen |= mask & ~chosen.any(1, keepdim=True)  # nothing but punctuation: all of it
        count = int(chosen.sum(1).max())
        # The chosen places, in order, come before all others.
        place = torch.arange(words.shape[1], device=words.device).expand_as(words)
        order = place.masked_fill(~chosen, words.shape[1]).sort(1).values[:, :count]
        found = order < words.shape[1]
        written = words if source_words_only else self.selector.written(words)
        own, forms = (ids.gather(1, order.clamp(max=words.shape[1] - 1)) for ids in (words, written))
        return (order + 1).masked_fill(~found, -1), forms.masked_fill((forms == own) | ~found, -1)

    def _words(self, input_ids: Tensor, attention_mask: Tensor | None) -> tuple[Tensor, Tensor]:
        """The sources without `<bos>`, `(batch, sequence - 1)`, and which of their tokens are words, bool."""
        mask = input_ids != self.config.pad_token_id if attention_mask is None else attention_mask.bool()
        check_padded_right("input_ids", mask)
        return input_ids[:, 1:], mask[:, 1:] & (input_ids[:, 1:] != self.config.eos_token_id)

    def _lengths(self, shortest: int | None, longest: int | None) -> tuple[int, int]:
        for name, length in (("shortest", shortest), ("longest", longest)):
            if length is not None and length < 1:
                raise ValueError(f"{name} must be at least 1, got {length}")
        if shortest is not None and longest is not None and shortest > longest:
            raise ValueError(f"shortest is {shortest}, more than longest={longest}")
        own = self.config.shortest_headline, self.config.longest_headline
        low = shortest or min(own[0], longest or own[0])
        return low, longest or max(own[1], low)


__all__ = ["HeadlineSelectorForTokenClassification"]
