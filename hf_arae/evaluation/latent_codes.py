"""Codes as a cloud of points: norms and spread of real and drawn ones, and a Gaussian fitted to them."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from transformers import PreTrainedModel

from hf_arae.metrics.numbers import Number

NUMBERS = {
    "code_norm": Number(
        "Mean norm of codes of sentences",
        "Where the encoder puts sentences.",
    ),
    "code_variance": Number(
        "Sum of the variances of coordinates, codes of sentences",
        "How far the codes of sentences are spread.",
    ),
    "drawn_norm": Number(
        "Mean norm of drawn codes",
        "To be near that of codes of sentences.",
    ),
    "drawn_variance": Number(
        "Sum of the variances of coordinates, drawn codes",
        "To be near that of codes of sentences.",
    ),
}


def code_statistics(codes: Tensor, drawn: Tensor | None = None) -> dict[str, float]:
    """Norms and spread of the codes of sentences and of drawn ones (thesis, Figure 4.2, left and middle).

    Args:
        codes: codes of sentences, `(rows, code_size)`.
        drawn: codes that the model draws for new sentences, `(other rows, code_size)`.

    Returns:
        `code_norm`, the mean l2 norm; `code_variance`, the sum of the coordinates' variances, which is the trace of
        the covariance; and for drawn codes `drawn_norm` and `drawn_variance`.

    Raises:
        ValueError: there are fewer than two codes: one has no variance.
    """
    clouds = {"code": codes} | ({} if drawn is None else {"drawn": drawn})
    found = {}
    for name, cloud in clouds.items():
        if len(cloud) < 2:
            raise ValueError(f"a variance needs at least two codes, got {len(cloud)}")
        found[f"{name}_norm"] = cloud.norm(dim=1).mean().item()
        found[f"{name}_variance"] = cloud.var(0).sum().item()
    return found


@torch.no_grad()
def sample_codes(model: PreTrainedModel, num_samples: int, seed: int = 0) -> Tensor:
    """Codes that the model draws for new sentences, `(num_samples, code_size)` float32, on the CPU.

    Those of a generator are as it makes them, without the `draw_noise` of the model's config.
    """
    source = torch.Generator().manual_seed(seed)
    if hasattr(model, "generate_codes"):
        latent = torch.randn(num_samples, model.config.latent_size, generator=source)
        return model.generate_codes(latent.to(model.device, model.dtype)).float().cpu()
    return model.sample_codes(num_samples, source).float().cpu()


@dataclass
class CodeGaussian:
    """A Gaussian fitted to codes: what a plain autoencoder, which has no generator, draws codes from (thesis, 4.6.3).

    Args:
        mean: `(code_size,)`, float64.
        factor: L of the covariance L L^T, `(code_size, code_size)`, float64.
    """

    mean: Tensor
    factor: Tensor

    @classmethod
    def fit(cls, codes: Tensor) -> CodeGaussian:
        """Fits mean and full covariance.

        Args:
            codes: `(rows, code_size)`. With fewer rows than coordinates the Gaussian is flat in some directions.

        Raises:
            ValueError: there are fewer than two codes.
        """
        if len(codes) < 2:
            raise ValueError(f"a Gaussian is fitted to at least two codes, got {len(codes)}")
        values, vectors = torch.linalg.eigh(codes.double().T.cov())
        return cls(codes.double().mean(0), vectors * values.clamp(min=0).sqrt())  # no Cholesky: it may be flat

    def draw(self, num_samples: int, seed: int = 0, noise_std: float = 0.0) -> Tensor:
        """Draws codes, `(num_samples, code_size)` float32, and adds noise of that deviation to each coordinate."""
        source = torch.Generator().manual_seed(seed)
        noise = torch.randn(num_samples, len(self.mean), generator=source).double()
        codes = (self.mean + noise @ self.factor.T).float()
        return codes + noise_std * torch.randn(codes.shape, generator=source) if noise_std else codes
