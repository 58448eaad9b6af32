"""The pulling-away term, which keeps a generator's images from being all alike."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F


def pulling_away(codes: Tensor) -> Tensor:
    """Mean squared cosine of all pairs of different rows, a scalar in [0, 1] (thesis, equation 3.16).

    1 / (N (N - 1)) sum_i sum_{j != i} (s_i . s_j / (|s_i| |s_j|))^2: 0 of orthogonal codes, 1 of parallel ones. A row
    that is zero is orthogonal to all.

    Args:
        codes: `(N, size)`, N >= 2.

    Raises:
        ValueError: there are fewer than two rows, so no pair.
    """
    count = len(codes)
    if count < 2:
        raise ValueError(f"the pulling-away term compares images in pairs: a batch needs at least 2, got {count}")
    directions = F.normalize(codes.flatten(1), dim=1)
    pairs = (directions @ directions.T).triu(1)  # each once; the diagonal has no part in it
    return pairs.square().sum() * (2 / (count * (count - 1)))


__all__ = ["pulling_away"]
