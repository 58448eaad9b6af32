"""What a model of images that anyone may name is let do, beside what `foreign.py` sees to: its processor, its work."""

from __future__ import annotations

from pathlib import Path

import torch
from foreign import PROCESSOR, read
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils.flop_counter import FlopCounterMode
from transformers import AutoModel

from hf_arae import AraeImageProcessor
from hf_arae.models.images.image_config import ImageConfig

_SETTINGS = {"size", "num_channels", "value_range", "image_mean", "image_std", "binarize"}
# What transformers writes beside them.
_PASSED_OVER = {"image_processor_type", "transformers_version"}
_MAX_FLOPS, _MAX_VALUES = 20_000_000_000, 20_000_000  # for one image, read and drawn


def read_processor(folder: Path, config: ImageConfig) -> AraeImageProcessor:
    """The image processor of a folder, from its settings alone.

    Raises:
        ValueError: it has none, or settings that are not those of this library's for such a model.
    """
    settings = {name: value for name, value in read(folder / PROCESSOR).items() if name not in _PASSED_OVER}
    if not settings.keys() <= _SETTINGS:
        raise ValueError(f"its {PROCESSOR} has settings that hf_arae's image processor does not have")
    expected = AraeImageProcessor.for_config(config)
    size = settings.get("size", expected.size)
    if size not in (expected.size, config.image_size):  # before anything is made that large
        raise ValueError(f"its {PROCESSOR} is not the model's: it makes images of another size")
    try:
        return AraeImageProcessor.for_config(config, **settings)
    except (TypeError, ValueError) as error:
        raise ValueError(f"its {PROCESSOR} is damaged: {error}") from error


def check_work(config: ImageConfig) -> None:
    """Raises ValueError for a model that computes for too long, or keeps too many numbers, for one image.

    Nothing is computed for it, and no number kept: tensors have shapes alone.

    Args:
        config: of a model whose parameters are known to be few enough.
    """
    values = 0

    def count(module: torch.nn.Module, given: tuple, made: object) -> None:
        nonlocal values
        values += made.numel() if isinstance(made, Tensor) else 0

    size = (1, config.num_channels, config.image_size, config.image_size)
    with torch.no_grad(), FakeTensorMode(), FlopCounterMode(display=False) as counter:
        model = AutoModel.from_config(config, trust_remote_code=False).eval()
        for module in model.modules():
            module.register_forward_hook(count)
        model.check_pixels = lambda pixels: pixels  # there are none
        model(torch.empty(size))
        if model.draws_images:
            model.images_from_z(torch.empty(1, config.latent_size))
    flops = counter.get_total_flops()
    if flops > _MAX_FLOPS or values > _MAX_VALUES:
        raise ValueError(
            f"it takes {flops / 1e9:,.0f} thousand million steps and {values / 1e6:,.0f} million numbers for an "
            f"image; at most {_MAX_FLOPS / 1e9:.0f} and {_MAX_VALUES / 1e6:.0f} are let through here"
        )
