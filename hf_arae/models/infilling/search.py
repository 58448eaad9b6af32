"""Transfers: many candidates with filled gaps and rewritten ones, their scores, and the choice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from transformers.modeling_outputs import BaseModelOutput
from transformers.utils import logging

from hf_arae.data.text.word_kinds import WordKind, clauses
from hf_arae.models.infilling.choice import Candidates, checked_weights, overlap, repetitions
from hf_arae.models.infilling.gap_sets import gap_sets
from hf_arae.models.infilling.masks import Gap, filled, fills_of, with_gaps
from hf_arae.models.infilling.own_draws import OwnDraws
from hf_arae.models.text.attribute_values import attribute_tensor
from hf_arae.nn.text.padding import padded_after_end
from hf_arae.utils.validation import check_number

logger = logging.get_logger(__name__)

Words = list[int]

_OF_CHOICE = {"num_return_sequences", "min_new_tokens"}  # arguments of `generate` that a choice takes too
_BY_WORDS = 0.2  # the share of the words by themselves in the log-odds of a sentence
_UNLIKELY = -7.0  # nats
_HARDLY = 0.05  # the share of real sentences that are less usual than what people hardly write
_ROWS = 256  # sentences that go through a network at once
_CLAUSE_WORDS = 3  # of a clause that is judged by itself
_REWRITTEN = 0.25  # the share of candidates that are rewritten and not filled
_AGAIN, _ENOUGH_FOR_AGAIN = 0.2, 12  # the share that fills gaps of the best so far, where there are so many candidates
_LONGEST_FILL = 12  # tokens that are written for the gaps of a sentence
_WITHOUT_REWRITER = 16  # candidates by default, where the rewriter has not learnt
_EXTRA_WORDS = 6  # that fills may add to a sentence


class InfillingSearch:
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
        sentences = self._sentences(input_ids, attention_mask)
        found = self.candidates(sentences, target.tolist(), number, seed, precision)
        best = []
        for words, one in zip(sentences, found, strict=True):
            rows = one.best(chosen, self.config.style_limit, several) or [words]
            best += rows + rows[-1:] * (several - len(rows))
        return self._framed(best)

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
        """
        rewritten = max(2, round(_REWRITTEN * number)) if self.config.rewriter_trained else 0
        again = round(_AGAIN * number) if number >= _ENOUGH_FOR_AGAIN else 0
        pools: list[dict[tuple[int, ...], None]] = [{} for _ in sentences]
        with self._computing_in(precision):
            if rewritten:
                for row, words in self._rewritings(sentences, targets, rewritten, seed):
                    pools[row].setdefault(tuple(words))
            for row, words in self._fills(sentences, targets, number - rewritten - again, seed):
                pools[row].setdefault(tuple(words))
            found = self._scored_pools(sentences, targets, pools)
            if again:
                # What still has something of the other label, in another clause say, is opened once more.
                best = {row: one.best(self.choice_weights, self.config.style_limit) for row, one in enumerate(found)}
                rows = [row for row, words in best.items() if words]
                labels = [targets[row] for row in rows]
                for at, words in self._fills([best[row][0] for row in rows], labels, again, seed):
                    pools[rows[at]].setdefault(tuple(words))
                found = self._scored_pools(sentences, targets, pools)
            return found

    def _scored_pools(
        self, sentences: Sequence[Words], targets: Sequence[int], pools: Sequence[dict[tuple[int, ...], None]]
    ) -> list[Candidates]:
        usable = [
            [list(one) for one in pool if self._usable(one, words)]
            for pool, words in zip(pools, sentences, strict=True)
        ]
        return self.scored(sentences, targets, usable)

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
            ids = self._framed([sentences[row] for row in rows]).repeat_interleave(number, 0)
            copies = [row for row in rows for _ in range(number)]
            labels = torch.tensor([targets[row] for row in copies], device=self.device)
            draws = OwnDraws(_names(rows, sentences, targets, [number] * len(sentences), seed))
            written = self.generate(ids, attribute=labels, do_sample=False, logits_processor=[draws])
            yield from zip(copies, self._sentences(written), strict=True)

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
        for (row, gaps, _), fills in zip(opened, written, strict=True):
            for fill in fills:
                if self._new(sentences[row], gaps, fill):
                    words = filled(sentences[row], gaps, fill, self.config.mask_token_id)
                    if words is not None:
                        yield row, words

    def _new(self, source: Words, gaps: Sequence[Gap], fill: Words) -> bool:
        """Whether no gap got back what stood there."""
        parts = fills_of(fill, self.config.mask_token_id)
        stood = (source[start:end] for start, end in gaps)
        return all(part != old or not old for part, old in zip(parts, stood, strict=False))

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
            ids = self._framed([opened[row] for row in rows])
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
            for row, words, whole in zip(owners, self._sentences(written, gaps=True), ended, strict=True):
                if whole:
                    found[row].append(words)
        return found

    # Scores

    def telling(self, sentences: Sequence[Words], targets: Sequence[int]) -> list[list[float]]:
        """How much each word speaks against the wanted label, in nats.

        It is what hiding the word adds to the label's log-odds, and half of what the word by itself takes from them:
        the classifier may need but one of several telling words.
        """
        rows, labels = [], []
        for words, target in zip(sentences, targets, strict=True):
            hidden = [[*words[:place], self.config.mask_token_id, *words[place + 1 :]] for place in range(len(words))]
            rows += [list(words), *hidden]
            labels += [target] * (1 + len(words))
        odds = self._log_odds(rows, labels).tolist()
        found, place = [], 0
        table = self.attribute_log_odds.float().cpu()
        for words, target in zip(sentences, targets, strict=True):
            alone = table[torch.tensor(words, dtype=torch.long), target].tolist()
            hidden = odds[place + 1 : place + 1 + len(words)]
            found.append([one - odds[place] - other / 2 for one, other in zip(hidden, alone, strict=True)])
            place += 1 + len(words)
        return found

    def scored(
        self, sentences: Sequence[Words], targets: Sequence[int], rewritings: Sequence[Sequence[Words]]
    ) -> list[Candidates]:
        """The scores of rewritings of each sentence."""
        flat = [list(words) for several in rewritings for words in several]
        labels = [target for target, several in zip(targets, rewritings, strict=True) for _ in several]
        style, fluency = self.style_log_odds(flat, labels), self.fluency(flat, labels)
        found, place = [], 0
        for source, several in zip(sentences, rewritings, strict=True):
            part = slice(place, place + len(several))
            content = torch.tensor([overlap(words, source) for words in flat[part]])
            found.append(Candidates(flat[part], style[part], fluency[part], content))
            place += len(several)
        return found

    def style_log_odds(self, sentences: Sequence[Words], targets: Sequence[int]) -> Tensor:
        """Log-odds of a label, `(sentences,)`: of the classifier and, for a fifth, the sum of the words' log-odds.

        Of the classifier it is the mean of the whole's, and of the least of its clauses' and its own: the clause that
        still has the other label would be lost in the whole, and a classifier of sentences is unsure of clauses.
        """
        if not sentences:
            return torch.zeros(0)
        parts, owners = list(sentences), list(range(len(sentences)))
        for row, words in enumerate(sentences):
            found = clauses(self._kinds(words))
            if len(found) > 1:
                longer = [[words[place] for place in clause] for clause in found if len(clause) >= _CLAUSE_WORDS]
                parts += longer
                owners += [row] * len(longer)
        odds = self._log_odds(parts, [targets[row] for row in owners])
        least = odds.new_full((len(sentences),), torch.inf)
        least = least.scatter_reduce(0, torch.tensor(owners, dtype=torch.long), odds, "amin")
        table = self.attribute_log_odds.float().cpu()
        sums = [table[torch.tensor(words, dtype=torch.long)].sum(0) for words in sentences]
        by_words = torch.stack([each[target] for each, target in zip(sums, targets, strict=True)])
        return (1 - _BY_WORDS) * (odds[: len(sentences)] + least) / 2 + _BY_WORDS * by_words

    def fluency(self, sentences: Sequence[Words], targets: Sequence[int]) -> Tensor:
        """How usual sentences are under the language model of a label, in nats a word, at most 0, `(sentences,)`.

        It is the mean log-probability of a word, `<eos>` included, and half of what the least likely word is below
        `_UNLIKELY`: one word out of place spoils a sentence whose others are usual.
        """
        found = torch.zeros(len(sentences))
        for rows in self._by_length(sentences):
            ids = self._framed([sentences[row] for row in rows])
            labels = torch.tensor([targets[row] for row in rows], device=self.device)
            each = self.language_log_probs(ids, labels).float().cpu()
            means = each.sum(1) / torch.tensor([len(sentences[row]) + 1.0 for row in rows])
            found[rows] = means + (each.amin(1) - _UNLIKELY).clamp(max=0) / 2
        return found

    @torch.no_grad()
    def transfer_scores(
        self, input_ids: Tensor, attention_mask: Tensor | None, output_ids: Tensor, target: Tensor | int
    ) -> dict[str, Tensor]:
        """How good rewritings are, each score in 0..1, `(batch,)`.

        `style`: the probability of the wanted label, see `style_log_odds`; `content`: what source and output have in
        common, see [`~hf_arae.models.infilling.choice.overlap`]; `fluency`: from the share of real sentences that are
        less usual than the output, see `fluency`: up to a twentieth of them it rises to 0.5, and over the others to 1,
        so that below 0.5 is what people hardly write. NaN before that was measured (at the end of a training).

        Args:
            input_ids, attention_mask: the sources, `(batch, sequence)`.
            output_ids: what was written, `(batch, sequence)`, `<bos>` first.
            target: the wanted label, one for all or `(batch,)`.
        """
        target = attribute_tensor(target, len(input_ids), self.config.num_attributes, self.device).tolist()
        sources, outputs = self._sentences(input_ids, attention_mask), self._sentences(output_ids)
        found = self.scored(sources, target, [[words] for words in outputs])
        fluency = torch.cat([one.fluency for one in found])
        share = torch.bucketize(fluency, self.usualness.float().cpu()) / len(self.usualness)
        usual = torch.where(share < _HARDLY, share / _HARDLY, 1 + (share - _HARDLY) / (1 - _HARDLY)) / 2
        return {
            "style": torch.cat([one.style for one in found]).sigmoid(),
            "content": torch.cat([one.content for one in found]),
            "fluency": usual.clamp(0, 1) if self.usualness.any() else torch.full_like(usual, torch.nan),
        }

    def _log_odds(self, sentences: Sequence[Words], targets: Sequence[int]) -> Tensor:
        found = torch.zeros(len(sentences))
        for rows in self._by_length(sentences, 8 * _ROWS):
            ids = self._framed([sentences[row] for row in rows])
            labels = torch.tensor([targets[row] for row in rows], device=self.device).unsqueeze(1)
            logits = self.classify(ids).float()
            others = logits.scatter(1, labels, -torch.inf).logsumexp(1)
            found[rows] = (logits.gather(1, labels).squeeze(1) - others).cpu()
        return found

    # Sentences and tensors

    def _kinds(self, words: Words) -> list[int]:
        return self.word_kinds.cpu()[torch.tensor(words, dtype=torch.long)].tolist()

    def _fixed_words(self) -> Tensor:
        """Tokens that stand for what only the source knows."""
        fixed = (self.word_kinds == WordKind.FIXED).nonzero().squeeze(1)
        frame = [getattr(self.config, f"{name}_token_id") for name in ("pad", "bos", "eos", "mask")]
        return fixed[~torch.isin(fixed, fixed.new_tensor([token for token in frame if token is not None]))]

    def _sentences(self, ids: Tensor, attention_mask: Tensor | None = None, gaps: bool = False) -> list[Words]:
        """The words of each row, up to the first `<eos>`; with `gaps` the mask token counts as a word."""
        read = self.words(ids) if attention_mask is None else self.words(ids) & attention_mask.bool()
        ended = (ids == self.config.eos_token_id).int().cumsum(1) > 0
        rows = zip(ids.tolist(), (read & ~ended).tolist(), strict=True)
        hidden = None if gaps else self.config.mask_token_id
        return [
            [word for word, is_word in zip(row, words, strict=True) if is_word and word != hidden]
            for row, words in rows
        ]

    def _framed(self, sentences: Sequence[Words]) -> Tensor:
        """`(batch, sequence)`: `<bos>`, the words, `<eos>`, padding."""
        longest = max((len(words) for words in sentences), default=0)
        begin, end, padding = self.config.bos_token_id, self.config.eos_token_id, self.config.pad_token_id
        rows = [[begin, *words, end, *[padding] * (longest - len(words))] for words in sentences]
        return torch.tensor(rows, device=self.device)

    @staticmethod
    def _by_length(sentences: Sequence[Words], rows: int = _ROWS) -> list[list[int]]:
        order = sorted(range(len(sentences)), key=lambda row: len(sentences[row]))
        return [order[start : start + rows] for start in range(0, len(order), rows)]


def _names(
    rows: Sequence[int], sentences: Sequence[Words], targets: Sequence[int], copies: Sequence[int], seed: int
) -> list[str | None]:
    """Names of the draws of each copy of sentences, see `OwnDraws`; the first copy is greedy."""
    return [
        f"{seed} {copy} {targets[row]} {sentences[row]}" if copy else None
        for row in rows
        for copy in range(copies[row])
    ]
