"""What a VAE's posterior holds: likelihood, KL, mutual information, active units."""

from __future__ import annotations

import math

import numpy as np
import torch
from datasets import Dataset
from torch import Tensor

from hf_arae.data.text.token_arrays import TokenArrays
from hf_arae.losses.gaussian import draw_gaussian, gaussian_log_density
from hf_arae.metrics.numbers import Number
from hf_arae.models.vae.modeling_vae import VaeModel
from hf_arae.utils.distributed import gather_rows, rows_of_this_process

NUMBERS = {
    "nll": Number(
        "-log p of a sentence (nats)",
        "A bound by importance sampling, in nats a sentence; lower is better.",
        in_metadata=True,
    ),
    "reconstruction_nll": Number(
        "-log p of a sentence given its code (nats)",
        "How badly the decoder rebuilds a sentence, in nats a sentence; lower is better.",
        in_metadata=True,
    ),
    "kl": Number(
        "KL of the posterior (nats)",
        "How far the codes of a sentence are from the prior; 0 where the code says nothing.",
        in_metadata=True,
    ),
    "mi": Number(
        "Mutual information of sentence and code (nats)",
        "How much a code says of its sentence.",
        in_metadata=True,
    ),
    "au": Number(
        "Active coordinates of the code",
        "Coordinates whose posterior mean varies with the sentence.",
    ),
}

ACTIVE_VARIANCE = 0.01  # Burda et al. 2016, section 5
_PAIRS_AT_ONCE = 2**22  # numbers in a matrix of densities: 32 MB


@torch.no_grad()
def posterior_statistics(
    model: VaeModel,
    dataset: Dataset | TokenArrays,
    samples: int = 100,
    seed: int = 0,
    batch_size: int = 128,
    active_variance: float = ACTIVE_VARIANCE,
) -> dict[str, float]:
    """Measures a VAE on held-out sentences: the columns of Zhu et al. (2020), table 1. Each is in nats a sentence.

    With several processes each reads its share of the batches, and all get all results. The numbers depend on `seed`
    and `batch_size`, and on nothing else that is random.

    Args:
        model: is in evaluation mode while it is measured.
        dataset: rows of `encode_dataset`, two or more.
        samples: K of the importance-weighted bound; 500 is usual.
        batch_size: sentences at once.
        active_variance: threshold of an active unit.

    Returns:
        `nll`: -log p(x) by the importance-weighted bound, see `VaeModel.log_likelihood`;
        `reconstruction_nll` and `kl`: -E log p(x | z) by one draw, and KL(q(z | x) || p(z)); their sum is minus the
            evidence lower bound, which is above `nll`;
        `mi`: mutual information of sentence and code under q, see [`mutual_information`];
        `au`: the number of active units, see [`active_units`].

    Raises:
        ValueError: fewer than two rows.
    """
    if len(dataset) < 2:
        raise ValueError(f"the statistics need two sentences or more, got {len(dataset)}")
    packed = dataset
    if not isinstance(dataset, TokenArrays):
        packed = TokenArrays(dataset, model.config.pad_token_id)
    order = np.argsort(packed.lengths, kind="stable")
    starts = range(0, len(order), batch_size)
    training = model.training
    model.eval()
    try:
        parts = [
            _batch_statistics(model, packed, order[starts[number] :][:batch_size].tolist(), samples, seed + number)
            for number in rows_of_this_process(len(starts))
        ]
    finally:
        model.train(training)
    parts = gather_rows(parts, len(starts))
    nll, reconstruction, divergence, mean, log_variance = (torch.cat(column) for column in zip(*parts, strict=True))
    return {
        "nll": nll.mean().item(),
        "reconstruction_nll": reconstruction.mean().item(),
        "kl": divergence.mean().item(),
        "mi": mutual_information(mean, log_variance, seed),
        "au": active_units(mean, active_variance),
    }


def _batch_statistics(
    model: VaeModel, packed: TokenArrays, rows: list[int], samples: int, seed: int
) -> tuple[Tensor, ...]:
    batch = {name: value.to(model.device) for name, value in packed.__getitems__(rows).items()}
    arguments = (batch["input_ids"], batch["attention_mask"])
    parts = (-model.log_likelihood(*arguments, samples, seed), *model.elbo(*arguments, 1, seed))
    return tuple(part.double().cpu() for part in (*parts, *model.posterior(*arguments)))


def mutual_information(mean: Tensor, log_variance: Tensor, seed: int = 0) -> float:
    """I(x; z) under q, in nats: E log q(z | x) - log q(z), by one draw of z a sentence (Hoffman and Johnson 2016).

    q(z) is the mean of all the given posteriors (He et al. 2019 take a batch's). The estimate is at most the logarithm
    of their number, and where there is no information it scatters around 0.

    Args:
        mean, log_variance: of the posteriors, `(sentences, code_size)`.
        seed: of the draws.
    """
    mean, log_variance = mean.double(), log_variance.double()
    noise = torch.randn(mean.shape, generator=torch.Generator().manual_seed(seed), dtype=mean.dtype)
    codes = draw_gaussian(mean, log_variance, noise.to(mean.device))
    own = gaussian_log_density(codes, mean, log_variance).sum(1)
    # The exponents of all pairs by two matrix products: (z - m)^2 / v = z^2 / v - 2 z m / v + m^2 / v.
    inverse = (-log_variance).exp()
    constant = (mean.square() * inverse + log_variance + math.log(2 * math.pi)).sum(1)
    mixture = torch.cat(
        [
            (-0.5 * (part.square() @ inverse.T - 2 * part @ (mean * inverse).T + constant)).logsumexp(1)
            for part in codes.split(max(1, _PAIRS_AT_ONCE // len(mean)))
        ]
    )
    return (own - mixture).mean().item() + math.log(len(mean))


def active_units(mean: Tensor, active_variance: float = ACTIVE_VARIANCE) -> int:
    """The number of coordinates whose posterior mean varies over sentences by more than `active_variance`.

    (Burda et al. 2016, section 5.)

    Args:
        mean: means of the posteriors, `(sentences, code_size)`.
    """
    return int((mean.var(0) > active_variance).sum())
