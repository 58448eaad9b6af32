"""How near copies of images come to them."""

from typing import Any

import datasets
import evaluate
import numpy as np
import torch

from hf_arae.metrics.interface import InMemoryMetric, check_images
from hf_arae.metrics.numbers import Number
from hf_arae.utils.extras import import_extra

NUMBERS = {
    "psnr": Number(
        "Peak signal-to-noise ratio of reconstructions (dB)",
        "10 log10 of one over the mean squared error of pixels in 0 to 1; higher is better.",
        in_metadata=True,
    ),
    "ssim": Number(
        "Structural similarity of reconstructions",
        "How alike images and reconstructions are in small windows, at most 1; higher is better.",
        in_metadata=True,
    ),
}

LEAST_SIDE = 11  # of the window in which images are compared
_ROWS = 500


class ReconstructionQuality(InMemoryMetric):
    """Peak signal-to-noise ratio and structural similarity of images and their copies, both torchmetrics'.

    ```python
    metric = ReconstructionQuality()
    metric.compute(predictions=[[[[0.6] * 11] * 11]], references=[[[[0.5] * 11] * 11]])
    # {"psnr": 20.0, "ssim": 0.984}
    ```

    `compute` takes
        predictions: copies, (n, channels, height, width) array or tensor of float in [0, 1], 11 pixels high and wide
            or more.
        references: the n images.
    and returns
        psnr: in dB, of the mean squared error over all pixels of all images; infinite where they are the same.
        ssim: mean over images, in [-1, 1], by Gaussian windows of 11 x 11 pixels (Wang et al. 2004).

    Raises:
        TypeError: the images are not numbers.
        ValueError: they are not in [0, 1], not of such a shape, or of different shapes.
    """

    def _info(self) -> evaluate.MetricInfo:
        image = datasets.List(datasets.List(datasets.List(datasets.Value("float32"))))
        return evaluate.MetricInfo(
            description=type(self).__doc__,
            citation="Wang et al. 2004, Image Quality Assessment: From Error Visibility to Structural Similarity",
            features=datasets.Features({"predictions": image, "references": image}),
        )

    def _compute(self, predictions: Any, references: Any) -> dict[str, float]:
        copies, images = check_images("predictions", predictions), check_images("references", references)
        if copies.shape != images.shape:
            raise ValueError(
                f"predictions are {copies.shape} and references {images.shape}: give a copy of each image"
            )
        if min(images.shape[2:]) < LEAST_SIDE:
            raise ValueError(f"images must be {LEAST_SIDE} pixels high and wide or more, got {images.shape[2:]}")
        # In parts: windows of all images at once take many times their memory
        parts = [
            (copies[start : start + _ROWS], images[start : start + _ROWS]) for start in range(0, len(images), _ROWS)
        ]
        like = import_extra("torchmetrics.functional.image", "images").structural_similarity_index_measure
        similarity = [
            like(*map(torch.from_numpy, pair), data_range=1.0, reduction="none").reshape(-1).double() for pair in parts
        ]
        error = np.square(copies.astype(np.float64) - images).mean()
        with np.errstate(divide="ignore"):
            psnr = float(-10 * np.log10(error))
        return {"psnr": psnr, "ssim": torch.cat(similarity).mean().item()}
