"""How summaries are drawn while the reader is trained, and how likely the drawn ones were."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from hf_arae.models.ursae.modeling_ursae import UrsaeForConditionalGeneration

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
        self.block_ngrams = block_ngrams

    def log_probs(self, states: Tensor, before: Tensor) -> Tensor:
        """log p' of every next word, `(batch, drafts, vocab_size)`, float32.

        Args:
            states: the writer's after these words, `(batch, drafts, hidden_size)`.
            before: `<bos>` and the words so far, `(batch, drafts, 1 + words)`.
        """
        logits = self.model.summary_logits(states, self.reading)[0].float() + self.offset
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
                token = torch.cat(chosen, 1)
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


def _draw(log_probs: Tensor, uniform: Tensor) -> Tensor:
    """Draws by the inverse of the distribution function: `(..., vocabulary)` and `(...)` to `(...)`."""
    totals = log_probs.exp().cumsum(-1)
    draws = uniform.unsqueeze(-1) * totals[..., -1:] * (1 - 2**-23)
    return torch.searchsorted(totals, draws, right=True).squeeze(-1).clamp_(max=log_probs.shape[-1] - 1)
