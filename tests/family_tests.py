"""Every family in the tests: its test class, which says how model, data and objective are made, and narrow models."""

from __future__ import annotations

import inspect
from functools import cache
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import torch
from image_mixins import ImageFamilyTests
from testing_mixins import FamilyTests, TextAutoencoderTests
from transformers import PreTrainedModel

from hf_arae.models.auto import FAMILIES, Family, family

NARROW = {"embedding_size": 4, "hidden_size": 6, "code_size": 4, "conv_size": 4, "num_heads": 2}
LABELS = {"num_attributes": 2, "id2label": {0: "negative", 1: "positive"}}


@cache
def family_tests(name: str) -> FamilyTests:
    """An instance of the first class of `tests/models/test_<name>.py` that inherits [`FamilyTests`]."""
    path = Path(__file__).parent / "models" / f"test_{name}.py"
    spec = spec_from_file_location(f"family_{name}", path)
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    own = [cls for cls in vars(module).values() if isinstance(cls, type) and cls.__module__ == module.__name__]
    return next(cls for cls in own if issubclass(cls, FamilyTests))()


def text_autoencoders() -> tuple[str, ...]:
    """Names of the families that are text autoencoders."""
    return tuple(name for name in FAMILIES if isinstance(family_tests(name), TextAutoencoderTests))


def image_families() -> tuple[str, ...]:
    """Names of the families of images."""
    return tuple(name for name in FAMILIES if isinstance(family_tests(name), ImageFamilyTests))


def narrow_model(name: str, vocab_size: int, auto_class: str | None = None, **changes: Any) -> PreTrainedModel:
    """A small model of a family, in evaluation mode, with weights so large that its outputs differ; always the same.

    Args:
        name: of the family.
        vocab_size: words of its tokenizer; of no meaning to a family that reads no words, whose config is then that
            of `FamilyTests.narrow_config`.
        auto_class: which of its classes, by the Auto class that builds it; the usual one if `None`.
        changes: fields of the config. Those of `NARROW` count as far as the family has them, these in any case.
    """
    kind = family(name)
    if reads_words(kind):
        sizes = {size: value for size, value in NARROW.items() if has_field(kind, size)}
        config = kind.config(**{"vocab_size": vocab_size, **sizes, **changes})
    else:
        config = family_tests(name).narrow_config(auto_class, **changes)
    torch.manual_seed(0)
    model = (kind.model if auto_class is None else kind.models[auto_class])(config)
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.7)
    return model.eval()


def reads_words(kind: Family) -> bool:
    """Whether a family's models go with a tokenizer."""
    return has_field(kind, "vocab_size")


def has_field(kind: Family, name: str) -> bool:
    """Whether a family's config has a field of this name."""
    return name in inspect.signature(kind.config).parameters
