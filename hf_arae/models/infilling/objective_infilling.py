"""How an infilling model is trained: gaps to fill, sentences to rewrite, words to foresee, labels to tell."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor
from torch.nn import functional as F

from hf_arae.models.infilling.masks import NUM_DRAWS, NUM_WORD_DRAWS, random_gaps, with_gaps
from hf_arae.models.infilling.modeling_infilling import InfillingModel
from hf_arae.training.objective import Batch, Objective, OptimizerSettings, Phase, Terms
from hf_arae.utils.validation import check_range


@dataclass
class InfillingObjectiveArguments:
    """Settings of the objective, each of them a flag."""

    learning_rate: float = field(
        default=1e-3,
        metadata={"help": "Adam's rate for encoder, decoder and language model; it falls to 0 linearly."},
    )
    classifier_learning_rate: float = field(
        default=1e-3, metadata={"help": "Adam's rate for the classifier; it falls to 0 linearly."}
    )
    classifier_word_dropout: float = field(
        default=0.1, metadata={"help": "The classifier learns with this share of the words hidden, in [0, 1)."}
    )
    classifier_smoothing: float = field(
        default=0.05, metadata={"help": "The classifier's targets are smoothed by this, in [0, 1)."}
    )
    warmup_steps: int = field(
        default=200, metadata={"help": "Over so many first iterations the editor's rate rises from 0."}
    )
    max_grad_norm: float = field(default=1.0, metadata={"help": "The norm of the gradient is clipped to this, > 0."})

    def __post_init__(self):
        check_range(self, "(0, inf)", "learning_rate", "classifier_learning_rate", "max_grad_norm")
        check_range(self, "[0, inf)", "warmup_steps")
        check_range(self, "[0, 1)", "classifier_word_dropout", "classifier_smoothing")


class InfillingObjective(Objective):
    """Two phases: the editor, which fills, rewrites and foresees words; and the classifier.

    Batches: `input_ids` and `attention_mask` `(batch, sequence)`, real sentences or, in a round of rewriting, what is
    to be written; `attribute` `(batch,)`, their labels. With `source_ids` and `source_mask` `(batch, sequence)` they
    are rewritten from these sentences; `real` `(batch,)` says which of them are people's. The classifier, which
    has learnt before, rests.

    Args:
        model: an [`InfillingModel`] whose buffers are filled.
        settings: see [`InfillingObjectiveArguments`].
        rewriting: batches have sources.
    """

    players = {
        "editor": ("table", "encoder", "decoder", "language_model", "biases"),
        "classifier": ("classifier",),
    }

    def __init__(
        self, model: InfillingModel, settings: InfillingObjectiveArguments | None = None, rewriting: bool = False
    ):
        super().__init__(model)
        self.settings, self.rewriting = settings or InfillingObjectiveArguments(), rewriting

    def optimizers(self) -> dict[str, OptimizerSettings]:
        return {
            "editor": OptimizerSettings(
                "adam",
                self.settings.learning_rate,
                betas=(0.9, 0.98),
                schedule="linear",
                warmup_steps=self.settings.warmup_steps,
            ),
            "classifier": OptimizerSettings("adam", self.settings.classifier_learning_rate, schedule="linear"),
        }

    def phases(self) -> tuple[Phase, ...]:
        return (
            Phase("editor", "editor", self.edit, max_grad_norm=self.settings.max_grad_norm),
            Phase("classifier", "classifier", self.classify, enabled=not self.rewriting),
        )

    def edit(self, batch: Batch) -> Terms:
        """The sum of the mean cross-entropies of rewriting, of gaps' words, and of words under the language model."""
        ids, labels, terms = batch["input_ids"], batch["attribute"], {}
        if self.rewriting:
            mask = batch["source_mask"]
            states = self.model.encode(batch["source_ids"], mask, labels)
            terms["rewriting_loss"] = self.mean(*self.model.sequence_loss(states, mask, ids))
            ids, labels = ids[batch["real"]], labels[batch["real"]]  # how people write is not learned from a model
        if len(ids):
            terms["infilling_loss"] = self._infilling_loss(ids, labels)
            terms["language_loss"] = self.mean(*self.model.language_loss(ids, labels))
        return {"loss": sum(terms.values()), **terms}

    def _infilling_loss(self, ids: Tensor, labels: Tensor) -> Tensor:
        config, is_word = self.model.config, self.model.words(ids)
        odds = self.model.attribute_log_odds[ids].gather(2, labels.view(-1, 1, 1).expand(-1, ids.shape[1], 1))
        draws = self.rand(odds.new_zeros(len(ids), NUM_DRAWS))
        word_draws = self._word_draws(ids, NUM_WORD_DRAWS)
        gaps = random_gaps(odds.squeeze(2), is_word, draws, word_draws)
        opened = [
            with_gaps(sentence, places, config.mask_token_id)
            for sentence, places in zip(self.model.sentences_of(ids, mask_token=True), gaps, strict=True)
        ]
        sources, wanted = (self.model.framed(rows) for rows in zip(*opened, strict=True))
        mask = (sources != config.pad_token_id).long()
        states = self.model.encode(sources, mask, labels, rewrite=False)
        return self.mean(*self.model.sequence_loss(states, mask, wanted))

    def _word_draws(self, ids: Tensor, count: int) -> Tensor:
        """Uniform numbers for each token, `(batch, sequence, count)`, the same however wide the batch is padded."""
        width = max(self.model.config.max_sequence_length + 2, ids.shape[1])
        return self.rand(torch.zeros(len(ids), width, count, device=ids.device))[:, : ids.shape[1]]

    def classify(self, batch: Batch) -> Terms:
        """Cross-entropy of the labels, with some words hidden."""
        ids, labels = batch["input_ids"], batch["attribute"]
        hidden = self._word_draws(ids, 1).squeeze(2) < self.settings.classifier_word_dropout
        ids = ids.masked_fill(hidden & self.model.words(ids), self.model.config.mask_token_id)
        logits = self.model.classify(ids).float()
        return {
            "loss": F.cross_entropy(logits, labels, label_smoothing=self.settings.classifier_smoothing),
            "accuracy": (logits.argmax(1) == labels).float().mean(),
        }


__all__ = ["InfillingObjective", "InfillingObjectiveArguments"]
