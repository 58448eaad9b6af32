"""Images that are unlike those that a model was trained on."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from hf_arae.models.images.image_config import VALUE_RANGES
from hf_arae.pipelines.image_pipeline import ImagePipeline


class ImageAnomalyDetectionPipeline(ImagePipeline):
    """Scores how unlike its training images an image is (task `"image-anomaly-detection"`).

    The score is the model's energy or, of a model that has none, the squared error of the reconstruction, mean over
    pixels that lie in [0, 1]. `calibrate` finds the score from which on an image counts as anomalous.

    ```python
    import hf_arae
    from transformers import pipeline

    detect = pipeline("image-anomaly-detection", model=folder_or_repository)
    detect.calibrate(training_images, quantile=0.95)  # save_pretrained() and push_to_hub() keep it
    detect("picture.png")  # {"score": 0.031, "anomalous": True, "threshold": 0.012, "difference": <PIL image>, ...}
    ```

    Raises:
        ValueError: the model rebuilds no images, or the image processor is not the model's.
    """

    needed, lacking = "rebuilds_images", "rebuilds no images, by whose difference others could be told"

    def __call__(self, images: Any, batch_size: int | None = None, **arguments: Any) -> Any:
        """Scores one image or many.

        Args:
            images: a path, an address, a picture of PIL, an array or a tensor; or a list of these, or an array of four
                dimensions, or a generator, over which results are then made one by one.
            batch_size: how many images are scored at once.
            threshold: scores above it are anomalous, in place of the calibrated one.

        Returns:
            `score`, `threshold`, whether the image is `anomalous`, its `reconstruction`, and the `difference` of the
            two (black where there is none), pictures of PIL; a list of them for several images.

        Raises:
            ValueError: there is no threshold, since the pipeline was not calibrated; or an image cannot be read.
        """
        images = _listed(images)
        if isinstance(images, list) and not images:
            return []
        return super().__call__(images, batch_size=batch_size, **arguments)

    def calibrate(self, images: Iterable[Any], quantile: float = 0.95, batch_size: int = 64) -> float:
        """Sets the threshold to a quantile of the scores of images that are as they should be, and returns it.

        It is kept in the model's config, and so with the model where that is saved or pushed.

        Args:
            images: as a call takes them; best ones that the model was not trained on.
            quantile: share of these images that are not to count as anomalous, in (0, 1).
            batch_size: how many images are scored at once.

        Raises:
            ValueError: the quantile is out of range, there are no images, one cannot be read or has no finite score.
        """
        if isinstance(quantile, bool) or not isinstance(quantile, (int, float)) or not 0 < quantile < 1:
            raise ValueError(f"quantile must lie in (0, 1), got {quantile!r}")
        scores = self.scores(images, batch_size)
        if not scores:
            raise ValueError("there are no images to calibrate with")
        if not np.isfinite(scores).all():
            raise ValueError(f"{np.sum(~np.isfinite(scores))} of {len(scores)} images have a score that is not finite")
        threshold = float(np.quantile(scores, quantile))
        self.model.config.anomaly_threshold, self.model.config.anomaly_quantile = threshold, float(quantile)
        return threshold

    def scores(self, images: Iterable[Any], batch_size: int = 64) -> list[float]:
        """The scores alone, for which no threshold is needed.

        Raises:
            ValueError: an image cannot be read.
        """
        listed = _listed(images)
        alone = isinstance(listed, (str, bytes, np.ndarray, Tensor)) or not isinstance(listed, Iterable)
        listed = [listed] if alone else list(listed)
        if not listed:
            return []
        results = super().__call__(listed, batch_size=batch_size, threshold=math.inf, scores_only=True)
        return [result["score"] for result in results]

    def _sanitize_parameters(
        self, threshold: float | None = None, scores_only: bool = False
    ) -> tuple[dict, dict, dict]:
        if threshold is not None and (isinstance(threshold, bool) or not isinstance(threshold, (int, float))):
            raise ValueError(f"threshold must be a number, got {threshold!r}")
        if threshold is not None and math.isnan(threshold):
            raise ValueError("threshold must be a number, got nan")
        return {}, {}, {"threshold": threshold, "scores_only": scores_only}

    def run_single(self, inputs, preprocess_params, forward_params, postprocess_params):
        self._threshold(postprocess_params["threshold"])  # before there is any work
        return super().run_single(inputs, preprocess_params, forward_params, postprocess_params)

    def get_iterator(self, inputs, num_workers, batch_size, preprocess_params, forward_params, postprocess_params):
        self._threshold(postprocess_params["threshold"])
        return super().get_iterator(
            inputs, num_workers, batch_size, preprocess_params, forward_params, postprocess_params
        )

    def preprocess(self, image: Any) -> dict[str, Tensor]:
        return self.image_processor(images=image, return_tensors="pt").to(self.dtype)

    def _forward(self, inputs: dict[str, Tensor]) -> dict[str, Tensor]:
        pixels = inputs["pixel_values"]
        outputs = self.model(pixels)
        found, energy = (getattr(outputs, name, None) for name in ("reconstruction", "energy"))  # none of a classifier
        found = self.model.reconstruct(pixels) if found is None else found
        if energy is None and hasattr(self.model, "energy"):
            energy = self.model.energy(pixels)
        low, high = VALUE_RANGES[self.model.config.value_range]
        difference = (pixels - found).abs() / (high - low)
        score = difference.square().flatten(1).mean(1) if energy is None else energy
        return {"score": score, "reconstruction": found, "difference": difference}

    def postprocess(self, outputs: dict[str, Tensor], threshold: float | None, scores_only: bool) -> dict[str, Any]:
        score = outputs["score"].float().item()
        if scores_only:
            return {"score": score}
        threshold = self._threshold(threshold)
        low, high = VALUE_RANGES[self.model.config.value_range]
        difference = low + (high - low) * outputs["difference"]
        pictures = self.image_processor.post_process(torch.cat([outputs["reconstruction"], difference]))
        return {
            "score": score,
            "anomalous": not score <= threshold,  # a score that is not a number is
            "threshold": threshold,
            "reconstruction": pictures[0],
            "difference": pictures[1],
        }

    def _threshold(self, given: float | None) -> float:
        threshold = self.model.config.anomaly_threshold if given is None else given
        if threshold is None:
            raise ValueError(
                "there is no threshold yet: calibrate(images) finds one, threshold= sets one, and scores(images) "
                "needs none"
            )
        return float(threshold)


def _listed(images: Any) -> Any:
    """An array of several images, or a tuple or column of them, as a list of images; anything else as it is."""
    if isinstance(images, (np.ndarray, Tensor)):
        return list(images) if images.ndim == 4 else images
    if isinstance(images, tuple) or (hasattr(images, "__getitem__") and type(images).__name__ == "Column"):
        return list(images)
    return images


__all__ = ["ImageAnomalyDetectionPipeline"]
