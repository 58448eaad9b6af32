"""How far the distribution of samples is from that of real images, in the features of some network."""

import warnings
from typing import Any

import datasets
import evaluate
import torch
from transformers.utils import logging

from hf_arae.metrics.interface import InMemoryMetric, check_vectors
from hf_arae.metrics.numbers import Number
from hf_arae.utils.extras import import_extra

logger = logging.get_logger(__name__)

NUMBERS = {
    "frechet_distance": Number(
        "Frechet distance to real images",
        "The distance of two Gaussians, fitted to the judge's features of samples and of real images; lower is "
        "better. Compare it within one judge only.",
        in_metadata=True,
    ),
    "kernel_distance": Number(
        "Kernel distance to real images",
        "The squared distance of the mean embeddings of samples and real images under a cubic kernel on the judge's "
        "features, unbiased: about 0 where they do not differ; lower is better.",
    ),
}

_SUBSETS, _SUBSET_SIZE = 20, 1000


class FrechetDistance(InMemoryMetric):
    """Frechet and kernel distance (FID and KID) between two sets of features, 0 where their distributions agree.

    Both are torchmetrics', on features of any network in place of Inception's. They change with the network and its
    scale, and the Frechet distance falls with the number of examples: put the distance between two sets of real images
    of the same sizes beside it.

    ```python
    metric = FrechetDistance()
    real = [[float(row % 2), float(row // 2 % 2)] for row in range(40)]
    moved = [[first + 3, second] for first, second in real]
    metric.compute(predictions=moved, references=real)["frechet_distance"]
    # 9.0
    ```

    `compute` takes
        predictions: features of samples, (n, d) array, tensor or list of lists of float, n > 1.
        references: features of real examples, (m, d), m > 1; as many or more or fewer.
    and returns
        frechet_distance: |mu - nu|^2 + Tr(A + B - 2 (A B)^(1/2)) of the means and covariances (Heusel et al. 2017).
        kernel_distance: the unbiased squared maximum mean discrepancy under the kernel (x . y / d + 1)^3, a mean over
            20 draws of 1 000 of each set, or of all where there are fewer (Binkowski et al. 2018).

    Raises:
        TypeError: the features are not numbers.
        ValueError: the features are not finite, not (n, d) or fewer than two, or the two sets differ in d.
    """

    paired = False

    def _info(self) -> evaluate.MetricInfo:
        features = datasets.List(datasets.Value("float32"))
        return evaluate.MetricInfo(
            description=type(self).__doc__,
            citation="Heusel et al. 2017, GANs Trained by a Two Time-Scale Update Rule; Binkowski et al. 2018, "
            "Demystifying MMD GANs",
            features=datasets.Features({"predictions": features, "references": features}),
        )

    def _compute(self, predictions: Any, references: Any) -> dict[str, float]:
        samples, real = check_vectors("predictions", predictions), check_vectors("references", references)
        if samples.shape[1] != real.shape[1]:
            raise ValueError(f"predictions have {samples.shape[1]} features each, and references {real.shape[1]}")
        if min(len(samples), len(real)) < 2:
            raise ValueError(
                f"a distribution needs two examples or more, got {len(samples)} predictions and {len(real)} references"
            )
        fewest = min(len(samples), len(real))
        if fewest <= samples.shape[1]:
            logger.warning_once(
                f"A covariance of {samples.shape[1]} features takes more examples than that, and one of the two sets "
                f"has {fewest}: the Frechet distance says little but that. Compare it with real examples of the same "
                "number alone."
            )
        network = torch.nn.Identity()
        network.num_features = samples.shape[1]
        with warnings.catch_warnings(), torch.random.fork_rng([]):
            warnings.filterwarnings("ignore", category=UserWarning)  # of the memory that features take
            torch.manual_seed(0)  # of the draws
            frechet = import_extra("torchmetrics.image.fid", "images").FrechetInceptionDistance(network)
            size = min(_SUBSET_SIZE, len(samples), len(real))
            kernel = import_extra("torchmetrics.image.kid", "images").KernelInceptionDistance(
                network, subsets=_SUBSETS if size == _SUBSET_SIZE else 1, subset_size=size
            )
            for metric in (frechet, kernel):
                metric.update(torch.from_numpy(real).double(), real=True)
                metric.update(torch.from_numpy(samples).double(), real=False)
            distance = frechet.compute().item()
            return {"frechet_distance": max(distance, 0.0), "kernel_distance": kernel.compute()[0].item()}
