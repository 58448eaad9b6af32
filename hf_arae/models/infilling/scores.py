"""What speaks for a rewriting: its label, how usual it is, its likeness to the source; and what tells a label."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from hf_arae.data.text.word_kinds import WordKind, clauses
from hf_arae.models.infilling.choice import Candidates, overlap
from hf_arae.models.text.attribute_values import attribute_tensor

Words = list[int]

ROWS = 256  # sentences that go through a network at once
_BY_WORDS = 0.2  # the share of the words by themselves in the log-odds of a sentence
_UNLIKELY = -7.0  # nats
_HARDLY = 0.05  # the share of real sentences that are less usual than what people hardly write
_CLAUSE_WORDS = 3  # of a clause that is judged by itself


class InfillingScores:
    """Mixed into the model: scores. Within, sentences are lists of words, without `<bos>` and `<eos>`."""

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
            ids = self.framed([sentences[row] for row in rows])
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
        sources, outputs = self.sentences_of(input_ids, attention_mask), self.sentences_of(output_ids)
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
        for rows in self._by_length(sentences, 8 * ROWS):
            ids = self.framed([sentences[row] for row in rows])
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

    def sentences_of(self, ids: Tensor, attention_mask: Tensor | None = None, mask_token: bool = False) -> list[Words]:
        """The words of each row, up to the first `<eos>`; the mask token only if `mask_token`."""
        read = self.words(ids) if attention_mask is None else self.words(ids) & attention_mask.bool()
        ended = (ids == self.config.eos_token_id).int().cumsum(1) > 0
        rows = zip(ids.tolist(), (read & ~ended).tolist(), strict=True)
        hidden = None if mask_token else self.config.mask_token_id
        return [
            [word for word, is_word in zip(row, words, strict=True) if is_word and word != hidden]
            for row, words in rows
        ]

    def framed(self, sentences: Sequence[Words]) -> Tensor:
        """`(batch, sequence)`: `<bos>`, the words, `<eos>`, padding; at least one sentence."""
        begin, end = self.config.bos_token_id, self.config.eos_token_id
        rows = [torch.tensor([begin, *words, end]) for words in sentences]
        return pad_sequence(rows, batch_first=True, padding_value=self.config.pad_token_id).to(self.device)

    @staticmethod
    def _by_length(sentences: Sequence[Words], rows: int = ROWS) -> list[list[int]]:
        order = sorted(range(len(sentences)), key=lambda row: len(sentences[row]))
        return [order[start : start + rows] for start in range(0, len(order), rows)]
