"""Training of an ARAE: reconstruct; criticise; classify; imitate; conceal (thesis, Algorithm 1 and section 4.4.2)."""

from __future__ import annotations

from dataclasses import dataclass, field

from torch import Tensor
from torch.nn import functional as F

from hf_arae.losses.classification import other_labels_loss
from hf_arae.models.ae.objective_ae import AeObjective, AeObjectiveArguments
from hf_arae.models.arae.modeling_arae import AraeModel
from hf_arae.models.objectives.adversarial import AdversarialArguments, AdversarialObjective
from hf_arae.training.objective import Batch, OptimizerSettings, Phase, Terms
from hf_arae.utils.validation import check_range


@dataclass
class AraeObjectiveArguments(AdversarialArguments, AeObjectiveArguments):
    """Settings of the objective, each of them a flag; those of both bases, and:"""

    classifier_steps: int = field(default=1, metadata={"help": "An iteration has so many updates of the classifier."})
    classifier_learning_rate: float = field(
        default=1e-4, metadata={"help": "The classifier's learning rate, Adam's, > 0."}
    )
    classifier_scale: float = field(
        default=1.0, metadata={"help": "lambda2: the classifier's gradient into the encoder is scaled by this, >= 0."}
    )

    def __post_init__(self):
        super().__post_init__()
        check_range(self, "(0, inf)", "classifier_learning_rate")
        check_range(self, "[0, inf)", "classifier_scale")
        check_range(self, "[1, inf)", "classifier_steps")


class AraeObjective(AdversarialObjective, AeObjective):
    """The phases of ARAE for text: those of [`AdversarialObjective`], and of a classifier where there are labels.

    Batches: `input_ids`, `attention_mask` `(batch, sequence)` and, with several decoders, `attribute` `(batch,)`.

    Args:
        model: an [`AraeModel`].
        settings: see [`AraeObjectiveArguments`].
    """

    settings: AraeObjectiveArguments
    encoder_parts = ("embeddings", "encoder")

    def __init__(self, model: AraeModel, settings: AraeObjectiveArguments | None = None):
        super().__init__(model, settings or AraeObjectiveArguments())
        self.with_attributes = model.config.num_attributes > 1
        if self.with_attributes:
            self.players["classifier"] = ("classifier",)

    def optimizers(self) -> dict[str, OptimizerSettings]:
        rate = self.settings.classifier_learning_rate
        return super().optimizers() | {
            "classifier": OptimizerSettings("adam", rate, (self.settings.adversary_beta1, 0.999))
        }

    def phases_on_codes(self) -> tuple[Phase, ...]:
        """The classifier's."""
        s = self.settings
        on = self.with_attributes and not s.freeze_autoencoder
        return (Phase("classifier", "classifier", self.classify, repeat=s.classifier_steps, enabled=on),)

    def classify(self, batch: Batch) -> Terms:
        """-log p(y | enc(x)) for the classifier; `accuracy` of the adversary (not a measure of leakage)."""
        logits = self.model.classifier(self.shared["codes"].detach())
        accuracy = (logits.argmax(1) == batch["attribute"]).float().mean()
        return {"loss": F.cross_entropy(logits, batch["attribute"]), "accuracy": accuracy}

    def conceal_codes(self, codes: Tensor, batch: Batch) -> Terms:
        """As the base's, plus lambda2 * (-log p(other label | enc(x))), on all classes.

        `adversarial_loss`: the classifier's part, the mean over the other labels.
        """
        terms = super().conceal_codes(codes, batch)
        if self.with_attributes:
            adversarial = other_labels_loss(self.model.classifier(codes), batch["attribute"])
            terms["adversarial_loss"] = adversarial
            terms["loss"] = terms["loss"] + self.settings.classifier_scale * adversarial
        return terms


__all__ = ["AraeObjective", "AraeObjectiveArguments"]
