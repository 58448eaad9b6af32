"""Training of a URSAE: reconstruct the source from drafts of a summary, and read so that drafts become better."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from hf_arae.losses.reinforce import leave_one_out, reinforce_loss
from hf_arae.models.ursae.modeling_ursae import UrsaeForConditionalGeneration
from hf_arae.models.ursae.policy import Drafts, SourceWordsPolicy, SummaryPolicy
from hf_arae.training.objective import OPTIMIZERS, Batch, Objective, OptimizerSettings, Phase, Terms
from hf_arae.training.schedules import SCHEDULES
from hf_arae.utils.distributed import mean_over_processes
from hf_arae.utils.validation import check_choice, check_range


@dataclass
class UrsaeObjectiveArguments:
    """Settings of the objective, each of them a flag.

    The thesis trains both players by SGD at rate 0.25 with momentum 0.9, divided by 10 on plateaus; with
    `baseline="greedy"`, `language_model_weight=1` and `eta_start=1e-6`. What is not in the thesis is off by default.
    """

    optimizer: str = field(
        default="adam", metadata={"help": "Reader and reconstructor are updated by this optimizer: adam or sgd."}
    )
    reader_learning_rate: float = field(default=3e-4, metadata={"help": "The reader's highest learning rate, > 0."})
    reconstructor_learning_rate: float = field(
        default=1e-3, metadata={"help": "The reconstructor's highest learning rate, > 0."}
    )
    momentum: float = field(
        default=0.9, metadata={"help": "With sgd, updates have this Nesterov momentum, in [0, 1)."}
    )
    schedule: str = field(
        default="constant",
        metadata={
            "help": "The learning rate of reader and reconstructor stays (constant), or falls to 0 at once "
            "(linear, cosine) or later (constant_then_linear)."
        },
    )
    max_grad_norm: float = field(
        default=1.0, metadata={"help": "The norm of each player's gradient is clipped to this, > 0."}
    )
    samples: int = field(default=4, metadata={"help": "So many drafts are drawn of each source's summary (K)."})
    temperature: float = field(
        default=1.0, metadata={"help": "Drafts are drawn from logits that are divided by this, > 0."}
    )
    baseline: str = field(
        default="greedy",
        metadata={
            "help": "A draft's reward is compared with that of the greedy draft (greedy), or with the mean of the "
            "source's other drafts (mean)."
        },
    )
    language_model_weight: float = field(
        default=1.0, metadata={"help": "lambda: log p_LM(Z) has this weight in the reward, >= 0."}
    )
    eta_start: float = field(
        default=1e-6,
        metadata={
            "help": "Words that are not in the source have their probability multiplied by this at first, in (0, 1]."
        },
    )
    eta_steps: int = field(
        default=20_000,
        metadata={
            "help": "The factor of eta_start rises to 1 over so many iterations, its logarithm in a line; 0: it is 1 "
            "from the start."
        },
    )
    shortest_summary: int = field(default=1, metadata={"help": "A draft has at least so many words."})
    longest_summary: int = field(
        default=0, metadata={"help": "A draft has at most so many words; 0: max_summary_length."}
    )
    force_lengths: bool = field(
        default=False,
        metadata={
            "help": "Each source's drafts have one length, drawn evenly from shortest_summary to longest_summary."
        },
    )
    block_ngrams: int = field(default=0, metadata={"help": "A draft has no n-gram of this size twice; 0: it may."})
    source_words_only: bool = field(
        default=False,
        metadata={"help": "Drafts have words of the source alone, which makes them cheap; eta then stays 0."},
    )
    source_order: bool = field(
        default=False, metadata={"help": "Drafts have the source's words in its order; needs source_words_only."}
    )
    longest_gap: int = field(
        default=0,
        metadata={
            "help": "With source_order, a draft leaves out at most so many words of the source before each of its "
            "own, where that can be kept to; 0: any number. It keeps drafts to the beginning, where news "
            "says what matters."
        },
    )
    reward_normalization: str = field(
        default="none",
        metadata={
            "help": "With length, both rewards are taken a token; with std, advantages are divided by their root "
            "mean square; with none, nothing is done."
        },
    )
    source_discount: float = field(
        default=1.0,
        metadata={
            "help": "In the reward, each word of the source counts so many times as much as the one before it, in "
            "(0, 1]: below 1, what is said first matters most, as in news."
        },
    )
    surprisal_power: float = field(
        default=0.0,
        metadata={
            "help": "In the reward, each word of the source counts by this power of how much it surprises the "
            "language model, >= 0: what anybody would have guessed need not be told. With 0 all count the "
            "same."
        },
    )
    relative_fluency: bool = field(
        default=False,
        metadata={
            "help": "In the reward, log p_LM of a word is taken less the log of what the language model gives it "
            "on average, so that rare words are not held to be bad language."
        },
    )
    length_penalty: float = field(
        default=0.0, metadata={"help": "Each word of a draft takes so much from its reward, in nats; below 0 it adds."}
    )
    entropy_weight: float = field(
        default=0.0, metadata={"help": "The entropy of drafts, a word, has this weight in the reader's loss, >= 0."}
    )
    reader_start: int = field(
        default=0,
        metadata={
            "help": "The reader begins to learn after so many iterations, since rewards mean little at first. "
            "With source_words_only, drafts are random words of the source until then."
        },
    )
    reconstructor_steps: int = field(
        default=0,
        metadata={
            "help": "The reconstructor learns for so many iterations; 0: for all. One that learns along with the "
            "reader comes to an agreement with it, such as to copy the beginning; one that has only seen "
            "random drafts (reader_start) is a measure of what a draft tells."
        },
    )
    train_reader: bool = field(
        default=True, metadata={"help": "The reader learns; with false the reconstructor alone does."}
    )

    def __post_init__(self):
        check_choice(self, "optimizer", OPTIMIZERS)
        check_choice(self, "schedule", SCHEDULES)
        check_choice(self, "baseline", ("greedy", "mean"))
        check_choice(self, "reward_normalization", ("none", "length", "std"))
        check_range(self, "(0, inf)", "reader_learning_rate", "reconstructor_learning_rate", "max_grad_norm")
        check_range(self, "(0, inf)", "temperature")
        check_range(self, "[0, 1)", "momentum")
        check_range(self, "(0, 1]", "eta_start", "source_discount")
        check_range(self, "[1, inf)", "samples", "shortest_summary")
        check_range(self, "[0, inf)", "eta_steps", "block_ngrams", "longest_summary", "longest_gap", "reader_start")
        check_range(self, "[0, inf)", "reconstructor_steps", "language_model_weight", "entropy_weight")
        check_range(self, "[0, inf)", "surprisal_power")
        check_range(self, "(-inf, inf)", "length_penalty")  # below 0 it rewards length
        if self.source_order and not self.source_words_only:
            raise ValueError("source_order needs source_words_only")
        if self.baseline == "mean" and self.samples < 2:
            raise ValueError('baseline="mean" needs samples of at least 2: a draft is compared with the others')


class UrsaeObjective(Objective):
    """The phases of URSAE (thesis, sections 5.2 and 5.4); the writer is frozen.

    Drafts of each source's summary are written once an iteration, for both phases. `reconstruct` lowers
    -log p_dec(X | Z) by backpropagation, equation 5.3; `read` raises the reward of drafts by REINFORCE,
    equations 5.4 and 5.5.

    Batches: `input_ids`, `attention_mask` `(batch, source)`.

    Args:
        model: an [`UrsaeForConditionalGeneration`] whose writer is pretrained. Its parameters are taken out of
            training (`requires_grad`). What drafts are held to becomes the config's `write_...` settings, which
            `summarize` and `generate` follow.
        settings: see [`UrsaeObjectiveArguments`].

    Raises:
        ValueError: the lengths of the settings do not fit the model's.
    """

    players = {"reconstructor": ("reconstructor",), "reader": ("reader",)}

    def __init__(self, model: UrsaeForConditionalGeneration, settings: UrsaeObjectiveArguments | None = None):
        super().__init__(model)
        s = self.settings = settings or UrsaeObjectiveArguments()
        limit = model.config.max_summary_length
        self.longest = s.longest_summary or limit
        if self.longest > limit:
            raise ValueError(f"longest_summary is {self.longest}, but the model's max_summary_length is {limit}")
        if s.shortest_summary > self.longest:
            raise ValueError(f"shortest_summary is {s.shortest_summary}, but drafts end after {self.longest} words")
        model.writer.requires_grad_(False)
        # The reader learns to write under these limits, and under no other.
        config = model.config
        config.write_length = (s.shortest_summary + self.longest) // 2 if s.force_lengths else None
        config.write_source_words_only, config.write_source_order = s.source_words_only, s.source_order
        config.write_longest_gap = s.longest_gap or None
        config.write_no_repeat_ngram_size = s.block_ngrams

    def optimizers(self) -> dict[str, OptimizerSettings]:
        s = self.settings
        common = {"name": s.optimizer, "momentum": s.momentum, "schedule": s.schedule}
        return {
            "reconstructor": OptimizerSettings(learning_rate=s.reconstructor_learning_rate, **common),
            "reader": OptimizerSettings(learning_rate=s.reader_learning_rate, **common),
        }

    def phases(self) -> tuple[Phase, ...]:
        s = self.settings
        return (
            Phase(
                "reconstructor",
                "reconstructor",
                self.reconstruct,
                max_grad_norm=s.max_grad_norm,
                before=self.write,
                stop=s.reconstructor_steps or None,
            ),
            Phase(
                "reader",
                "reader",
                self.read,
                max_grad_norm=s.max_grad_norm,
                enabled=s.train_reader,
                start=s.reader_start,
            ),
        )

    def eta(self) -> float:
        """Factor on words that are not in the source at the current step: `eta_start ** (1 - step / eta_steps)`."""
        s = self.settings
        if s.source_words_only:
            return 0.0
        return s.eta_start ** (1 - self.step / s.eta_steps) if self.step < s.eta_steps else 1.0

    def write(self, batch: Batch) -> None:
        """Draws `samples` drafts of each source's summary, and a greedy one if the baseline needs it."""
        s, ids = self.settings, batch["input_ids"]
        numbers = torch.empty(len(ids), s.samples, self.longest, device=ids.device)
        shortest = torch.full((len(ids),), s.shortest_summary, device=ids.device)
        longest = torch.full_like(shortest, self.longest)
        if s.force_lengths:
            room = self.longest - s.shortest_summary + 1
            longest = shortest = shortest + (self.rand(numbers[:, 0, 0]) * room).long()
        mask = batch.get("attention_mask")
        bounds = (shortest, longest, s.block_ngrams, s.temperature)
        if s.source_words_only:
            uniform = self.step < s.reader_start
            policy = SourceWordsPolicy(self.model, ids, mask, *bounds, s.source_order, s.longest_gap or None, uniform)
        else:
            policy = SummaryPolicy(self.model, ids, mask, self.eta(), *bounds)
        greedy = s.baseline == "greedy" and s.train_reader and self.step >= s.reader_start
        self.shared["drafts"] = policy, policy.write(self.rand(numbers), greedy)

    def reconstruct(self, batch: Batch) -> Terms:
        """-log p_dec(X | Z), mean over the tokens of X (nats), of the drawn drafts."""
        if "drafts" not in self.shared:
            self.write(batch)
        drafts = self.shared["drafts"][1].ids[:, : self.settings.samples]
        sources = _repeated(batch["input_ids"], drafts)
        return {"loss": self.mean(*self.model.total_reconstruct_loss(drafts.flatten(0, 1), sources))}

    def read(self, batch: Batch) -> Terms:
        """-(R(Z) - baseline) * log p'_enc(Z | X), mean over drafts; see `rewards` for R.

        Terms: `reward` and `baseline` of drafts; `reconstruction_loss` and `language_model_loss`, nats a
        token; `length` in words; `copy_rate`, the share of words that the source has; `entropy`, nats a word; `eta`.
        """
        s, (policy, drafts) = self.settings, self._take(batch)
        rewards, terms = self.rewards(drafts.ids, batch)
        drawn = rewards[:, : s.samples]
        greedy = s.baseline == "greedy"
        baseline = rewards[:, s.samples :].expand_as(drawn) if greedy else leave_one_out(drawn)
        advantage = drawn - baseline
        if s.reward_normalization == "std":
            advantage = advantage / mean_over_processes(advantage.square().mean()).sqrt().clamp(min=1e-6)
        samples = drafts.first(s.samples)
        log_probs, entropies = policy.score(samples)
        decisions = (samples.ids[:, :, 1:] != self.model.config.pad_token_id).sum(2)
        entropy = (entropies / decisions).mean()
        loss = reinforce_loss(log_probs, advantage) - s.entropy_weight * entropy
        terms |= {"reward": drawn.mean(), "baseline": baseline.mean(), "entropy": entropy}
        terms["eta"] = rewards.new_tensor(self.eta())
        return {"loss": loss, **terms}

    @torch.no_grad()
    def rewards(self, ids: Tensor, batch: Batch) -> tuple[Tensor, Terms]:
        """R(Z) = log p_dec(X | Z) + lambda * log p_LM(Z) - length_penalty * words.

        Of drafts `(batch, drafts, tokens)`. The reconstructor drops nothing here. Token i of X counts
        `source_discount ** i` times; with `surprisal_power` also by that power of the language model's -log p of it,
        over the mean of X. With `relative_fluency` the second term is log p_LM(Z) / q(Z), where q takes each word
        for itself (`expected_words` of the batch's sources). With `reward_normalization="length"` the first term is
        divided by the tokens of X so counted, the second by those of Z.

        Returns:
            Rewards `(batch, drafts)`, and terms for the log: means over the drawn drafts.
        """
        s, model, flat = self.settings, self.model, ids.flatten(0, 1)
        training = model.reconstructor.training
        model.reconstructor.eval()
        weights = _repeated(self._source_weights(batch["input_ids"]), ids)
        losses, counts = model.reconstruct_loss(flat, _repeated(batch["input_ids"], ids), weights)
        model.reconstructor.train(training)
        scores = model.language_model_score(flat)
        tokens = (flat[:, 1:] != model.config.pad_token_id).sum(1)
        written = ids[:, : s.samples, 1:]
        is_word = (written != model.config.pad_token_id) & (written != model.config.eos_token_id)
        copied = model.source_words(batch["input_ids"]).gather(1, written.flatten(1)).view_as(written)
        drawn = {"reconstruction_loss": losses / counts, "language_model_loss": -scores / tokens}
        drawn["length"] = tokens - 1.0
        terms = {name: value.view(ids.shape[:2])[:, : s.samples].mean() for name, value in drawn.items()}
        terms["copy_rate"] = self.mean((copied & is_word).sum().to(losses.dtype), is_word.sum())
        if s.relative_fluency:
            expected = model.expected_words(batch["input_ids"])[flat[:, 1:]]
            scores = scores - expected.masked_fill(flat[:, 1:] == model.config.pad_token_id, 0.0).sum(1)
        if s.reward_normalization == "length":
            losses, scores = losses / counts, scores / tokens
        rewards = s.language_model_weight * scores - losses - s.length_penalty * (tokens - 1)
        return rewards.view(ids.shape[:2]), terms

    def _source_weights(self, input_ids: Tensor) -> Tensor:
        """How many times each token of the sources counts in the reward, `(batch, source - 1)`; see `rewards`."""
        places = torch.arange(input_ids.shape[1] - 1, device=input_ids.device)
        weights = (self.settings.source_discount**places).expand(len(input_ids), -1)
        if not self.settings.surprisal_power:
            return weights
        surprisal = self.model.surprisal(input_ids) ** self.settings.surprisal_power
        tokens = (surprisal > 0).sum(1, keepdim=True)
        return weights * surprisal * tokens / surprisal.sum(1, keepdim=True)

    def _take(self, batch: Batch) -> tuple[SummaryPolicy, Drafts]:
        """The iteration's drafts, written now if no phase has asked for them yet."""
        if "drafts" not in self.shared:
            self.write(batch)
        return self.shared.pop("drafts")


def _repeated(input_ids: Tensor, drafts: Tensor) -> Tensor:
    """Each source once for each of its drafts: `(batch * drafts, source)`."""
    return input_ids.repeat_interleave(drafts.shape[1], 0)


__all__ = ["UrsaeObjective", "UrsaeObjectiveArguments"]
