"""How sure a classifier is of samples, and how evenly they fall into its classes."""

import warnings
from typing import Any

import datasets
import evaluate
import numpy as np
import torch

from hf_arae.metrics.interface import InMemoryMetric, check_probabilities
from hf_arae.metrics.numbers import Number
from hf_arae.utils.extras import import_extra

NUMBERS = {
    "i_prime": Number(
        "I' (nats)",
        "E KL(p(y) || p(y|x)) of the judge's classes over the samples; higher is better. It has no bound and grows "
        "with the judge's confidence: compare it with that of real images.",
        in_metadata=True,
    ),
    "inception_score": Number(
        "Inception score by the judge",
        "exp E KL(p(y|x) || p(y)) over the samples, from 1 to the number of classes; higher is better.",
        in_metadata=True,
    ),
    "smallest_class_share": Number(
        "Share of the rarest class (%)",
        "The share of samples that the judge puts into the class that it chooses least often; 0: one is missing.",
        in_metadata=True,
    ),
    "class_entropy": Number(
        "Entropy of the classes of samples (nats)",
        "Of the shares of the judge's choices; at most the logarithm of the number of classes.",
    ),
}

_LEAST = float(np.finfo(np.float32).tiny)


class ClassDiversity(InMemoryMetric):
    """I' and the inception score, and how samples spread over classes (thesis, section 3.4).

    Both scores are high if a classifier is sure of every sample and the samples are of all classes. I' is
    E KL(p(y) || p(y|x)), the other way round than the inception score and without the exponential, with p(y) the mean
    over the samples; it has no bound.

    ```python
    metric = ClassDiversity()
    metric.compute(predictions=[[0.9, 0.1], [0.1, 0.9], [0.9, 0.1], [0.1, 0.9]])
    # {"i_prime": 0.51, "inception_score": 1.44, "smallest_class_share": 50.0, "class_entropy": 0.69}
    ```

    `compute` takes
        predictions: p(y|x) of n samples, (n, classes) array, tensor or list of lists of float; rows add up to 1.
    and returns
        i_prime: in nats, 0 if all samples look alike. Probabilities below 1.2e-38 count as that.
        inception_score: torchmetrics', of all samples in one part; from 1 to the number of classes (Salimans et al.
            2016).
        smallest_class_share: of the likeliest classes, in 0..100.
        class_entropy: of the shares of the likeliest classes, in nats.

    Raises:
        TypeError: the probabilities are not numbers.
        ValueError: they are not finite, not (n, classes) with two classes or more, negative, or a row does not add up
            to 1; there is one sample only.
    """

    def _info(self) -> evaluate.MetricInfo:
        return evaluate.MetricInfo(
            description=type(self).__doc__,
            citation="Zhao et al. 2017, Energy-based Generative Adversarial Network; Salimans et al. 2016, Improved "
            "Techniques for Training GANs",
            features=datasets.Features({"predictions": datasets.List(datasets.Value("float32"))}),
        )

    def _compute(self, predictions: Any) -> dict[str, float]:
        given = check_probabilities("predictions", predictions)
        if len(given) < 2:
            raise ValueError("predictions must be at least two: p(y) is a mean over the samples")
        logs, mean = np.log(given.clip(_LEAST)), given.mean(0)
        i_prime = float((mean * (np.log(mean.clip(_LEAST)) - logs)).sum(1).mean())
        with warnings.catch_warnings(), torch.random.fork_rng([]):
            warnings.filterwarnings("ignore", category=UserWarning)  # of memory, and of a deviation over one part
            network = torch.nn.Identity()  # torchmetrics takes the softmax, which gives the probabilities again
            metric = import_extra("torchmetrics.image.inception", "images").InceptionScore(network, splits=1)
            metric.update(torch.from_numpy(logs))
            score = metric.compute()[0].item()
        shares = np.bincount(given.argmax(1), minlength=given.shape[1]) / len(given)
        return {
            "i_prime": max(i_prime, 0.0),
            "inception_score": score,
            "smallest_class_share": 100 * float(shares.min()),
            "class_entropy": float(-(shares[shares > 0] * np.log(shares[shares > 0])).sum()) + 0.0,
        }
