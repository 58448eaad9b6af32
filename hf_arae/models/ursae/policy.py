"""How summaries are drawn while the reader is trained, and how likely the drawn ones were."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from hf_arae.models.ursae.modeling_ursae import UrsaeForConditionalGeneration
from hf_arae.nn.text.summary_processors import nearest_places, places_ahead

_NEVER = -1e9  # a logit; not -inf, whose product with a probability of 0 is not a number


@dataclass
class Drafts:
    """Summaries, several a source.

    Args:
        ids: `(batch, drafts, 2 + longest)`, `<bos> w1 ... wn <eos>`, padded.
        states: the writer's before each word and before a last `<eos>`, `(batch, drafts, 1 + longest, hidden_size)`.
    """

    ids: Tensor
    states: Tensor

    def first(self, count: int) -> Drafts:
        """The first `count` drafts of each source."""
        return Drafts(self.ids[:, :count], self.states[:, :count])


class SummaryPolicy:
    """p'_enc(z_t | z_<t, X) of a batch of sources (thesis, section 5.4), with bounds on what may be written.

    All drafts of all sources go together: one step of the writer's LSTM and one projection a word.

    Args:
        model: writer and reader.
        input_ids: sources, `(batch, source)`.
        attention_mask: `(batch, source)`.
        eta: factor, in (0, 1], on the probability of words that are not in the source.
        shortest, longest: least and greatest number of words, `(batch,)`; where the greatest is reached, `<eos>` is
            certain.
        block_ngrams: no n-gram of this size is written twice in a summary; 0 allows all.
        temperature: logits are divided by it. What is likeliest stays so, but drafts differ more.
    """

    def __init__(
        self,
        model: UrsaeForConditionalGeneration,
        input_ids: Tensor,
        attention_mask: Tensor | None,
        eta: float,
        shortest: Tensor,
        longest: Tensor,
        block_ngrams: int = 0,
        temperature: float = 1.0,
    ):
        self.model, self.end, self.padding = model, model.config.eos_token_id, model.config.pad_token_id
        self.reading = model.read_source(input_ids, attention_mask)
        words = torch.arange(model.config.vocab_size, device=input_ids.device)
        self.is_end = words == self.end
        suppressed = torch.tensor(model.generation_config.suppress_tokens, device=input_ids.device)
        self.offset = _NEVER * torch.isin(words, suppressed).float().view(1, 1, -1)
        if eta < 1:
            self.offset = self.offset + math.log(eta) * ~model.source_words(input_ids).unsqueeze(1)
        self.shortest, self.longest = shortest.view(-1, 1, 1), longest.view(-1, 1, 1)
        self.block_ngrams, self.temperature = block_ngrams, temperature

    def log_probs(self, states: Tensor, before: Tensor) -> Tensor:
        """log p' of every next word, `(batch, drafts, vocab_size)`, float32.

        Args:
            states: the writer's after these words, `(batch, drafts, hidden_size)`.
            before: `<bos>` and the words so far, `(batch, drafts, 1 + words)`.
        """
        logits = self.model.summary_logits(states, self.reading)[0].float() / self.temperature + self.offset
        if self.block_ngrams:
            logits = self._block(logits, before)
        words = before.shape[2] - 1
        too_early, due = words < self.shortest, words >= self.longest
        return logits.masked_fill((too_early & self.is_end) | (due & ~self.is_end), _NEVER).log_softmax(-1)

    def _block(self, logits: Tensor, before: Tensor) -> Tensor:
        size = self.block_ngrams
        if before.shape[2] <= size:
            return logits
        grams = before[:, :, 1:].unfold(2, size, 1)  # (batch, drafts, places, size)
        suffix = before[:, :, before.shape[2] - size + 1 :].unsqueeze(2)
        repeats = (grams[..., :-1] == suffix).all(-1)
        banned = torch.zeros_like(logits).scatter_add_(2, grams[..., -1], repeats.to(logits.dtype))
        return logits.masked_fill((banned > 0) & ~self.is_end, _NEVER)

    def tokens(self, chosen: Tensor) -> Tensor:
        """The token ids of what was chosen by `log_probs`, `(batch, drafts)`."""
        return chosen

    @torch.no_grad()
    def write(self, uniform: Tensor, greedy: bool) -> Drafts:
        """Draws a summary for each number's row, and takes the likeliest words as one more if `greedy`.

        Args:
            uniform: numbers in [0, 1), `(batch, samples, longest)`, float32: a word each. `samples` may be 0.
            greedy: the last draft of each source is the greedy one.
        """
        batch, samples, longest = uniform.shape
        drafts = samples + greedy
        writer = self.model.writer
        token = torch.full((batch, drafts), self.model.config.bos_token_id, device=uniform.device)
        ids, states, state = [token], [], None
        alive = torch.ones_like(token, dtype=torch.bool)
        for step in range(longest + 1):
            hidden, state = writer.hidden_states(token.view(-1, 1), state)
            states.append(hidden.view(batch, drafts, -1))
            if step == longest:  # no words are left: <eos>
                token = torch.full_like(token, self.end)
            else:
                log_probs = self.log_probs(states[-1], torch.stack(ids, 2))
                chosen = [_draw(log_probs[:, :samples], uniform[:, :, step])] if samples else []
                chosen += [log_probs[:, samples:].argmax(-1)] if greedy else []
                token = self.tokens(torch.cat(chosen, 1))
            token = torch.where(alive, token, self.padding)
            alive &= token != self.end
            ids.append(token)
        return Drafts(torch.stack(ids, 2), torch.stack(states, 2))

    def score(self, drafts: Drafts) -> tuple[Tensor, Tensor]:
        """log p'(Z | X) and the sum of the entropies of its words, `(batch, drafts)` each, in nats.

        Differentiable by the reader's parameters. The writer's states do not depend on them, so those of the drafts
        serve again; the logits of a step are made again for the gradients instead of being kept.
        """
        total = entropy = 0.0
        settings = {"use_reentrant": False, "preserve_rng_state": False}
        for step in range(drafts.ids.shape[2] - 2):
            states, before, token = drafts.states[:, :, step], drafts.ids[:, :, : step + 1], drafts.ids[:, :, step + 1]
            chosen, spread = checkpoint(self._score_step, states, before, token, **settings)
            counted = token != self.padding
            total, entropy = total + chosen * counted, entropy + spread * counted
        return total, entropy

    def _score_step(self, states: Tensor, before: Tensor, token: Tensor) -> tuple[Tensor, Tensor]:
        log_probs = self.log_probs(states, before)
        return log_probs.gather(2, token.unsqueeze(2)).squeeze(2), -(log_probs.exp() * log_probs).sum(-1)


class SourceWordsPolicy(SummaryPolicy):
    """The policy at eta = 0: a draft holds words of its source alone, so that only their logits are made.

    Some fifty logits a word in place of the vocabulary's: drafts cost next to nothing. A word that the source has
    several times is chosen once, at the first place that may be taken. Where no place may be, the draft ends.

    Args:
        model, input_ids, attention_mask, shortest, longest, block_ngrams, temperature: see [`SummaryPolicy`].
        source_order: words are taken in the source's order.
        longest_gap: most words that are left out before each, in its order, where that can be kept to.
        uniform: all places that may be taken are equally likely, whatever the model says.
    """

    def __init__(
        self,
        model: UrsaeForConditionalGeneration,
        input_ids: Tensor,
        attention_mask: Tensor | None,
        shortest: Tensor,
        longest: Tensor,
        block_ngrams: int = 0,
        temperature: float = 1.0,
        source_order: bool = False,
        longest_gap: int | None = None,
        uniform: bool = False,
    ):
        self.model, self.end, self.padding = model, model.config.eos_token_id, model.config.pad_token_id
        self.reading = model.read_source(input_ids, attention_mask)
        self.shortest, self.longest = shortest.view(-1, 1, 1), longest.view(-1, 1, 1)
        self.block_ngrams, self.temperature = block_ngrams, temperature
        self.source_order, self.longest_gap, self.uniform = source_order, longest_gap, uniform
        ids = self.reading.input_ids
        self.same = (ids.unsqueeze(2) == ids.unsqueeze(1)).float()
        self.earlier = self.same.triu(1)  # [i, j]: i is an earlier place of j's word
        never = torch.tensor([*model.generation_config.suppress_tokens, self.end], device=ids.device)
        self.is_word = (self.reading.mask & ~torch.isin(ids, never)).unsqueeze(1)
        self.is_end = (self.reading.mask & (ids == self.end)).unsqueeze(1)

    def log_probs(self, states: Tensor, before: Tensor) -> Tensor:
        """log p' of taking each place of the source next, `(batch, drafts, source)`; see [`SummaryPolicy`]."""
        ids, words = self.reading.input_ids, before.shape[2] - 1
        allowed = self.is_word.expand(-1, before.shape[1], -1)
        if self.block_ngrams and words >= self.block_ngrams - 1:
            allowed = allowed & ~self._repeats(before)
        if self.source_order:
            ahead = places_ahead(ids, before, self.shortest.squeeze(2), self.end)
            allowed = allowed & nearest_places(ahead, allowed, self.longest_gap)
        allowed = allowed & (words < self.longest) & (allowed.to(self.same.dtype) @ self.earlier == 0)
        may_end = (words >= self.shortest) | ~allowed.any(2, keepdim=True)
        logits = self._logits(states) / self.temperature
        return logits.masked_fill(~(allowed | (self.is_end & may_end)), _NEVER).log_softmax(-1)

    def _logits(self, states: Tensor) -> Tensor:
        """What `summary_logits` gives for the source's words, `(batch, drafts, source)`."""
        ids, reader = self.reading.input_ids, self.model.reader
        if self.uniform:
            return torch.zeros(*states.shape[:2], ids.shape[1], device=ids.device)
        read, weights = reader(states, self.reading)
        narrow, _, bias = self.model.writer.projection_operands(states)
        logits = ((narrow + read) @ self.reading.values.transpose(1, 2)).float() + bias.detach()[ids].unsqueeze(1)
        if reader.gate is not None:
            logits = logits + reader.gate_scale * reader.gate(states) * (weights @ self.same)
        return logits

    def _repeats(self, before: Tensor) -> Tensor:
        """Places whose word would make an n-gram that the draft has already."""
        size = self.block_ngrams
        if before.shape[2] <= size:
            return torch.zeros_like(self.is_word)
        grams = before[:, :, 1:].unfold(2, size, 1)
        suffix = before[:, :, before.shape[2] - size + 1 :].unsqueeze(2)
        repeated = torch.where((grams[..., :-1] == suffix).all(-1), grams[..., -1], -1)
        return (repeated.unsqueeze(3) == self.reading.input_ids[:, None, None]).any(2)

    def tokens(self, chosen: Tensor) -> Tensor:
        return self.reading.input_ids.gather(1, chosen)

    def _score_step(self, states: Tensor, before: Tensor, token: Tensor) -> tuple[Tensor, Tensor]:
        log_probs = self.log_probs(states, before)
        here = token.unsqueeze(2) == self.reading.input_ids.unsqueeze(1)
        chosen = log_probs.masked_fill(~here, _NEVER).amax(2)  # a word's other places have _NEVER
        return chosen, -(log_probs.exp() * log_probs).sum(-1)


def _draw(log_probs: Tensor, uniform: Tensor) -> Tensor:
    """Draws by the inverse of the distribution function: `(..., vocabulary)` and `(...)` to `(...)`."""
    totals = log_probs.exp().cumsum(-1)
    draws = uniform.unsqueeze(-1) * totals[..., -1:] * (1 - 2**-23)
    return torch.searchsorted(totals, draws, right=True).squeeze(-1).clamp_(max=log_probs.shape[-1] - 1)
