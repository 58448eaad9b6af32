"""An exported model in the form that `LatentSpace` walks through."""

from __future__ import annotations

import torch
from torch import Tensor

from hf_arae.nn.priors import FixedPrior
from hf_arae.onnx.layout import source_of_codes
from hf_arae.onnx.runtime import OnnxTextAutoencoder


class OnnxLatentModel:
    """An `OnnxTextAutoencoder` with torch's tensors outside: what `LatentSpace` asks of a model.

    ```python
    model = OnnxLatentModel(OnnxTextAutoencoder.from_pretrained(folder))
    latent = LatentSpace(model, AutoTokenizer.from_pretrained(folder), attribute=1)
    latent.interpolate("the food was cold .", "i love this place !", steps=5)
    ```

    Codes of new sentences are drawn as the torch model draws them: of the same seed, they are the same.

    Args:
        exported: the model.
    """

    device, dtype = torch.device("cpu"), torch.float32

    def __init__(self, exported: OnnxTextAutoencoder):
        self.exported, self.config = exported, exported.config
        if exported.has_generator:  # LatentSpace looks whether there is one
            self.generate_codes = self._generate_codes

    def eval(self) -> OnnxLatentModel:
        """Returns itself: an exported model is never trained."""
        return self

    def encode(self, input_ids: Tensor, attention_mask: Tensor | None = None) -> Tensor:
        """Maps token ids `(batch, sequence)` to codes `(batch, code_size)`."""
        mask = None if attention_mask is None else attention_mask.numpy()
        return torch.from_numpy(self.exported.encode_ids(input_ids.numpy(), mask))

    def decode(self, code: Tensor, attribute: Tensor | int | None = None, **writing) -> Tensor:
        """Writes from codes `(batch, code_size)`; returns token ids. Draws depend on torch's generator of the CPU.

        Args:
            writing: see `OnnxTextAutoencoder.decode`.
        """
        values = attribute.numpy() if isinstance(attribute, Tensor) else attribute
        seed = int(torch.randint(2**62, ())) if writing.get("do_sample") else 0
        return torch.from_numpy(self.exported.decode_ids(code.numpy(), values, seed, **writing))

    def sample_codes(self, num_samples: int, generator: torch.Generator | None = None) -> Tensor:
        """Draws codes of new sentences, `(num_samples, code_size)`."""
        config = self.config
        if source_of_codes(config) is None:
            raise ValueError("a plain autoencoder draws no codes: it has neither a generator nor a prior")
        if self.exported.has_generator:  # numbers drawn in the order in which `AraeModel.sample_codes` draws them
            codes = self._generate_codes(torch.randn(num_samples, config.latent_size, generator=generator))
            noise = getattr(config, "draw_noise", 0.0)
            return codes + noise * torch.randn(codes.shape, generator=generator) if noise else codes
        return FixedPrior(config.prior_sparsity, config.prior_spike_std).draw(
            torch.empty(num_samples, config.code_size),
            lambda like: torch.randn(like.shape, generator=generator),
            lambda like: torch.rand(like.shape, generator=generator),
        )

    def _generate_codes(self, z: Tensor) -> Tensor:
        return torch.from_numpy(self.exported.generate_codes(z.numpy()))


__all__ = ["OnnxLatentModel"]
