"""Whether samples are where real images are, and real images where samples are."""

from typing import Any

import datasets
import evaluate
import torch

from hf_arae.metrics.interface import InMemoryMetric, check_vectors
from hf_arae.metrics.numbers import Number

NUMBERS = {
    "precision": Number(
        "Precision of samples (%)",
        "The share of samples that lie among real images in the judge's features: how good they are; higher is "
        "better.",
    ),
    "recall": Number(
        "Recall of samples (%)",
        "The share of real images that lie among samples in the judge's features: how varied they are; higher is "
        "better.",
    ),
    "density": Number(
        "Density of samples (%)",
        "In how many neighbourhoods of real images a sample lies, in hundredths of what is expected of real ones: "
        "precision that one outlier does not raise; above 100 where samples crowd.",
    ),
    "coverage": Number(
        "Coverage by samples (%)",
        "The share of real images in whose neighbourhood a sample lies: recall that one outlier does not raise; "
        "higher is better.",
    ),
}

_NEIGHBOURS, _DENSITY_NEIGHBOURS = 3, 5
_ROWS = 1000  # whose distances to all others are in memory at once


class PrecisionRecall(InMemoryMetric):
    """Precision, recall, density and coverage of samples by nearest neighbours in features; all in %.

    A neighbourhood is a ball up to the k-th nearest other example of the same set: k = 3 for precision and recall, 5
    for density and coverage, as in the papers. Compare equal numbers of examples.

    ```python
    metric = PrecisionRecall()
    real = [[float(row)] for row in range(10)]
    samples = [[row / 10] for row in range(10)]  # good ones, of two of the kinds
    metric.compute(predictions=samples, references=real)
    # {"precision": 100.0, "recall": 20.0, "density": 80.0, "coverage": 40.0}
    ```

    `compute` takes
        predictions: features of samples, (n, d) array, tensor or list of lists of float, n > 5.
        references: features of real examples, (m, d), m > 5; as many or more or fewer.
    and returns
        precision, recall: the share of samples in a neighbourhood of a real example, and of real examples in one of a
            sample, in 0..100 (Kynkaanniemi et al. 2019).
        density, coverage: neighbourhoods of real examples that a sample is in, over 5; and the share of these
            neighbourhoods with a sample in them; in % (Naeem et al. 2020).

    Raises:
        TypeError: the features are not numbers.
        ValueError: the features are not finite, not (n, d) or fewer than six, or the two sets differ in d.
    """

    paired = False

    def _info(self) -> evaluate.MetricInfo:
        features = datasets.List(datasets.Value("float32"))
        return evaluate.MetricInfo(
            description=type(self).__doc__,
            citation="Kynkaanniemi et al. 2019, Improved Precision and Recall Metric for Assessing Generative Models; "
            "Naeem et al. 2020, Reliable Fidelity and Diversity Metrics for Generative Models",
            features=datasets.Features({"predictions": features, "references": features}),
        )

    def _compute(self, predictions: Any, references: Any) -> dict[str, float]:
        samples, real = check_vectors("predictions", predictions), check_vectors("references", references)
        if samples.shape[1] != real.shape[1]:
            raise ValueError(f"predictions have {samples.shape[1]} features each, and references {real.shape[1]}")
        if min(len(samples), len(real)) <= _DENSITY_NEIGHBOURS:
            raise ValueError(
                f"neighbourhoods need more than {_DENSITY_NEIGHBOURS} examples of each set, got {len(samples)} "
                f"predictions and {len(real)} references"
            )
        middle = real.mean(0)  # distances from near the origin are rounded less
        samples, real = torch.from_numpy(samples - middle), torch.from_numpy(real - middle)
        around_samples = _radii(samples, _NEIGHBOURS)[0]
        around_real, wide = _radii(real, _NEIGHBOURS, _DENSITY_NEIGHBOURS)
        inside, inside_wide, reached, covered = 0, 0, torch.zeros(len(real)).bool(), torch.zeros(len(real)).bool()
        for start in range(0, len(samples), _ROWS):
            distances = torch.cdist(samples[start : start + _ROWS], real)
            inside += int((distances <= around_real).any(1).sum())
            inside_wide += int((distances <= wide).sum())
            covered |= (distances <= wide).any(0)
            reached |= (distances <= around_samples[start : start + _ROWS, None]).any(0)
        return {
            "precision": 100 * inside / len(samples),
            "recall": 100 * int(reached.sum()) / len(real),
            "density": 100 * inside_wide / (_DENSITY_NEIGHBOURS * len(samples)),
            "coverage": 100 * int(covered.sum()) / len(real),
        }


def _radii(points: torch.Tensor, *neighbours: int) -> list[torch.Tensor]:
    """Distances of each point to its k-th nearest other point, for each k."""
    found: list[list[torch.Tensor]] = [[] for _ in neighbours]
    for start in range(0, len(points), _ROWS):
        nearest = torch.cdist(points[start : start + _ROWS], points).topk(max(neighbours) + 1, largest=False)[0]
        for parts, k in zip(found, neighbours, strict=True):
            parts.append(nearest[:, k])  # the first is the point itself
    return [torch.cat(parts) for parts in found]
