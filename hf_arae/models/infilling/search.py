"""Transfers: many candidates with filled gaps and rewritten ones, their scores, and the choice."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from transformers.modeling_outputs import BaseModelOutput
from transformers.utils import logging

from hf_arae.models.infilling.choice import Candidates, checked_weights, repetitions
from hf_arae.models.infilling.gap_sets import gap_sets
from hf_arae.models.infilling.masks import Gap, filled, fills_of, with_gaps
from hf_arae.models.infilling.own_draws import OwnDraws
from hf_arae.models.infilling.scores import InfillingScores, Words
from hf_arae.models.text.attribute_values import attribute_tensor
from hf_arae.nn.text.padding import padded_after_end
from hf_arae.utils.validation import check_number

logger = logging.get_logger(__name__)

_OF_CHOICE = {"num_return_sequences", "min_new_tokens"}  # arguments of `generate` that a choice takes too
_REWRITTEN = 0.25  # the share of candidates that are rewritten and not filled
_AGAIN, _ENOUGH_FOR_AGAIN = 0.2, 12  # the share that fills gaps of the best so far, where there are so many candidates
_LONGEST_FILL = 12  # tokens that are written for the gaps of a sentence
_WITHOUT_REWRITER = 16  # candidates by default, where the rewriter has not learnt
_EXTRA_WORDS = 6  # that fills may add to a sentence


class InfillingSearch(InfillingScores):
    """Mixed into the model: verbs of transfer. Within, sentences are lists of words, without `<bos>` and `<eos>`."""

    @torch.no_grad()
    def transfer(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        target: Tensor | int | None = None,
        source: Tensor | int | None = None,
        num_candidates: int | None = None,
        weights: Mapping[str, float] | None = None,
        seed: int = 0,
        precision: str = "float32",
        **generate_arguments: Any,
    ) -> Tensor:
        """Rewrites sentences with another label; returns token ids `(batch, sequence)`, `<bos>` first.

        Args:
            input_ids: `(batch, sequence)`.
            attention_mask: `(batch, sequence)`.
            target: wanted label, one for all or `(batch,)`.
            source: of no meaning here: what tells a label is found by what speaks against the wanted one.
            num_candidates: the best of so many rewritings, at least 1. With 1 the rewriter writes one, as
                `generate_arguments` say, greedily if they say nothing. `None`: the config's, or 1 where
                `generate_arguments` say how is to be written. A model whose rewriter has not learnt (see
                `config.rewriter_trained`) has 16 by default, and warns where it is asked for one.
            weights: of `"style"`, `"fluency"` and `"content"` in the choice; the config's, where one is not given.
            seed: of the candidates' draws, a whole number. Those of a sentence depend on it and the sentence alone,
                whatever stands beside it in the batch.
            precision: `"float32"`, or `"bfloat16"`: faster, and a few choices differ.
            generate_arguments: anything that `generate` takes, with one candidate; with more, `num_return_sequences`:
                so many of the best, `(batch x sequences, sequence)`, the best first.

        Raises:
            TypeError: a label is no whole number, or the weights are no dictionary.
            ValueError: a label is missing or out of range, a number or a weight is, a sentence is longer than the
                model reads, or an argument does not go with several candidates.
        """
        if target is None:
            raise ValueError(f"target is needed: a label, 0 to {self.config.num_attributes - 1}")
        target = attribute_tensor(target, len(input_ids), self.config.num_attributes, self.device)
        self._check_length(input_ids)
        generate_arguments = {name: value for name, value in generate_arguments.items() if value is not None}
        written_so = set(generate_arguments) - _OF_CHOICE
        number = (1 if written_so else self._usual_candidates()) if num_candidates is None else num_candidates
        check_number("num_candidates", number, "[1, 100000]", whole=True)
        check_number("seed", seed, "(-inf, inf)", whole=True)
        if precision not in ("float32", "bfloat16"):
            raise ValueError(f"precision must be float32 or bfloat16 for this model, got {precision!r}")
        chosen = checked_weights(weights, self.choice_weights)
        if number == 1:
            if weights is not None:
                raise ValueError("weights are of the choice among candidates: they need num_candidates above 1")
            if not self.config.rewriter_trained:
                logger.warning_once(
                    "The rewriter of this model has not learnt to rewrite (config.rewriter_trained is False), and "
                    "what it writes has no meaning: give num_candidates above 1, or train with rounds of rewriting."
                )
            with self._computing_in(precision):
                written = self.generate(
                    input_ids, attention_mask=attention_mask, attribute=target, **generate_arguments
                )
            return padded_after_end(written, self.config.eos_token_id, self.config.pad_token_id)
        if generate_arguments.get("min_new_tokens", 0) > 1:
            written_so.add("min_new_tokens")  # that there is a word at all is so anyway
        if written_so:
            raise ValueError(
                f"{', '.join(sorted(written_so))} cannot be set for the best of {number} candidates; with "
                "num_candidates=1 the rewriter takes it"
            )
        several = generate_arguments.get("num_return_sequences", 1)
        check_number("num_return_sequences", several, f"[1, {number}]", whole=True)
        sentences = self.sentences_of(input_ids, attention_mask)
        found = self.candidates(sentences, target.tolist(), number, seed, precision, chosen)
        best = []
        for words, one in zip(sentences, found, strict=True):
            rows = one.best(chosen, self.config.style_limit, several) or [words]
            best += rows + rows[-1:] * (several - len(rows))
        return self.framed(best)

    def _usual_candidates(self) -> int:
        usual = self.config.num_candidates
        return usual if usual > 1 or self.config.rewriter_trained else _WITHOUT_REWRITER

    @property
    def choice_weights(self) -> dict[str, float]:
        """The config's weights of the choice."""
        return {name: getattr(self.config, f"{name}_weight") for name in ("style", "fluency", "content")}

    # Candidates

    @torch.no_grad()
    def candidates(
        self,
        sentences: Sequence[Words],
        targets: Sequence[int],
        number: int,
        seed: int = 0,
        precision: str = "float32",
        weights: Mapping[str, float] | None = None,
    ) -> list[Candidates]:
        """Different rewritings of each sentence, about `number` where it has so many, with their scores.

        None is the source itself, none is longer than the model's longest sentence, no gap is filled with what stood
        there, and none has more unknown words, numbers or repetitions than the source.

        Args:
            sentences: words of each.
            targets: labels that are wanted.
            number: 2 or more.
            seed: of the draws; those of a sentence do not depend on the others.
            precision: see `transfer`.
            weights: by which the best so far are opened once more; the config's if `None`.
        """
        rewritten = max(2, round(_REWRITTEN * number)) if self.config.rewriter_trained else 0
        again = round(_AGAIN * number) if number >= _ENOUGH_FOR_AGAIN else 0
        chosen = self.choice_weights if weights is None else weights
        with self._computing_in(precision):
            written = [*self._rewritings(sentences, targets, rewritten, seed)] if rewritten else []
            written += self._fills(sentences, targets, number - rewritten - again, seed)
            found = [Candidates.none() for _ in sentences]
            self._add(found, sentences, targets, written)
            if again:
                # What still has something of the other label, in another clause say, is opened once more.
                best = [
                    (row, *one.best(chosen, self.config.style_limit)) for row, one in enumerate(found) if one.words
                ]
                rows, words = [row for row, _ in best], [one for _, one in best]
                fills = self._fills(words, [targets[row] for row in rows], again, seed)
                self._add(found, sentences, targets, [(rows[at], one) for at, one in fills])
            return found

    def _add(
        self,
        found: list[Candidates],
        sentences: Sequence[Words],
        targets: Sequence[int],
        written: Iterable[tuple[int, Words]],
    ) -> None:
        """Scores those rewritings that can be used and are new, and puts them to the others of their sentences."""
        known = [{tuple(words) for words in one.words} for one in found]
        new: list[list[Words]] = [[] for _ in sentences]
        for row, words in written:
            if tuple(words) not in known[row] and self._usable(words, sentences[row]):
                known[row].add(tuple(words))
                new[row].append(words)
        for row, one in enumerate(self.scored(sentences, targets, new)):
            found[row] = found[row].with_others(one)

    def _computing_in(self, precision: str) -> torch.autocast:
        return torch.autocast(self.device.type, torch.bfloat16, enabled=precision == "bfloat16")

    def _usable(self, candidate: Sequence[int], source: Sequence[int]) -> bool:
        longest = min(self.config.max_sequence_length, len(source) + _EXTRA_WORDS)
        if not 0 < len(candidate) <= max(longest, 3) or list(candidate) == list(source):
            return False
        return repetitions(candidate) <= repetitions(source)

    def _rewritings(self, sentences: Sequence[Words], targets: Sequence[int], number: int, seed: int):
        """Rows and words of what the rewriter writes: the greedy one and draws."""
        for rows in self._by_length(sentences):
            ids = self.framed([sentences[row] for row in rows]).repeat_interleave(number, 0)
            copies = [row for row in rows for _ in range(number)]
            labels = torch.tensor([targets[row] for row in copies], device=self.device)
            draws = OwnDraws(_names(rows, sentences, targets, [number] * len(sentences), seed))
            written = self.generate(ids, attribute=labels, do_sample=False, logits_processor=[draws])
            yield from zip(copies, self.sentences_of(written), strict=True)

    def _fills(self, sentences: Sequence[Words], targets: Sequence[int], number: int, seed: int):
        """Rows and words of sentences with filled gaps: of each set of gaps the greedy fill, and draws."""
        opened: list[tuple[int, list[Gap], Words]] = []
        copies: list[int] = []
        for row, telling in enumerate(self.telling(sentences, targets)):
            sets = gap_sets(self._kinds(sentences[row]), telling)[: max(number, 1)]
            times = max(1, round(number / len(sets)))
            for gaps in sets:
                kept, _ = with_gaps(sentences[row], gaps, self.config.mask_token_id)
                if len(kept) + 2 <= self.config.longest_input:  # with <bos> and <eos>
                    opened.append((row, gaps, kept))
                    copies.append(times)
        labels = [targets[row] for row, _, _ in opened]
        written = self.filled_gaps([kept for _, _, kept in opened], labels, copies, seed)
        for (row, gaps, _), several in zip(opened, written, strict=True):
            stood = [sentences[row][start:end] for start, end in gaps]
            for fills in (fills_of(one, self.config.mask_token_id) for one in several):
                as_before = any(fill and fill == old for fill, old in zip(fills, stood, strict=False))
                if len(fills) == len(gaps) and not as_before:
                    yield row, filled(sentences[row], gaps, fills)

    def filled_gaps(
        self, opened: Sequence[Words], targets: Sequence[int], copies: Sequence[int], seed: int = 0
    ) -> list[list[Words]]:
        """What the infiller writes for the gaps of each sentence: the greedy fill, and draws.

        Args:
            opened: sentences with the mask token at each gap.
            targets: labels.
            copies: how many fills of each, at least 1.
            seed: of the draws; those of a sentence do not depend on the others.
        """
        found: list[list[Words]] = [[] for _ in opened]
        never = [*self.generation_config.suppress_tokens, *self._fixed_words().tolist()]
        never = [token for token in never if token != self.config.mask_token_id]  # it stands between fills
        for rows in self._by_length(opened):
            ids = self.framed([opened[row] for row in rows])
            mask = (ids != self.config.pad_token_id).long()
            labels = torch.tensor([targets[row] for row in rows], device=self.device)
            times = torch.tensor([copies[row] for row in rows], device=self.device)
            states = self.encode(ids, mask, labels, rewrite=False).repeat_interleave(times, 0)
            written = super().generate(
                encoder_outputs=BaseModelOutput(last_hidden_state=states),
                attention_mask=mask.repeat_interleave(times, 0),
                suppress_tokens=sorted(set(never)),
                max_new_tokens=_LONGEST_FILL,
                do_sample=False,
                logits_processor=[OwnDraws(_names(rows, opened, targets, copies, seed))],
            )
            owners = [row for row in rows for _ in range(copies[row])]
            ended = (written == self.config.eos_token_id).any(1).tolist()
            for row, words, whole in zip(owners, self.sentences_of(written, mask_token=True), ended, strict=True):
                if whole:
                    found[row].append(words)
        return found


def _names(
    rows: Sequence[int], sentences: Sequence[Words], targets: Sequence[int], copies: Sequence[int], seed: int
) -> list[str | None]:
    """Names of the draws of each copy of sentences, see `OwnDraws`; the first copy is greedy."""
    return [
        f"{seed} {copy} {targets[row]} {sentences[row]}" if copy else None
        for row in rows
        for copy in range(copies[row])
    ]
