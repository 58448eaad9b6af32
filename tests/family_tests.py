"""The test class of each family, which says how its tiny model, its data and its objective are made."""

from __future__ import annotations

from functools import cache
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

from testing_mixins import FamilyTests, TextAutoencoderTests

from hf_arae.models.auto import FAMILIES


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
