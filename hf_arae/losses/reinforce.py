"""The gradient of an expected reward (REINFORCE; Williams 1992), of samples that a model has drawn."""

from __future__ import annotations

from torch import Tensor


def reinforce_loss(log_probs: Tensor, advantages: Tensor) -> Tensor:
    """-advantage * log p, mean over samples: its gradient is that of minus the expected reward.

    Args:
        log_probs: log p of each sample, of any shape, in nats.
        advantages: rewards less a baseline that does not depend on the sample, of that shape, without a gradient.

    Returns:
        A scalar.
    """
    return -(advantages * log_probs).mean()


def leave_one_out(rewards: Tensor) -> Tensor:
    """A baseline for each of several samples of one input: the mean reward of the others (Kool et al. 2019).

    Args:
        rewards: `(batch, samples)`, at least two samples.

    Returns:
        `(batch, samples)`.
    """
    return (rewards.sum(1, keepdim=True) - rewards) / (rewards.shape[1] - 1)


__all__ = ["leave_one_out", "reinforce_loss"]
