"""How a classifier of images with graphs is trained: by its labels, the graph predictor staying as it is."""

from __future__ import annotations

from torch.nn import functional as F

from hf_arae.models.glomo.objective_glomo_tasks import GlomoTaskObjective
from hf_arae.training.objective import Batch, Terms


class GlomoImageTaskObjective(GlomoTaskObjective):
    """One phase: the cross-entropy of the labels.

    Batches: `labelled_pixel_values` `(batch, channels, size, size)` and `labels` `(batch,)`.

    Args:
        model: a [`GlomoImageForImageClassification`].
        settings: see [`GlomoTaskObjectiveArguments`].
    """

    def learn(self, batch: Batch) -> Terms:
        """Mean over images (nats)."""
        images, labels = self.model.check_first_batch(batch["labelled_pixel_values"]), batch["labels"]
        losses = F.cross_entropy(self.model.classify(images).float(), labels, reduction="sum")
        return {"loss": self.mean(losses, len(labels))}


__all__ = ["GlomoImageTaskObjective"]
