"""Models and objectives with the settings of the examples' presets."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

from transformers import HfArgumentParser, PreTrainedModel, PreTrainedTokenizerBase

from hf_arae.models.auto import Family, family
from hf_arae.training.objective import Objective
from hf_arae.utils.config_arguments import config_arguments
from hf_arae.utils.presets import read_preset

EXAMPLES = Path(__file__).parents[1] / "examples"


def preset_settings(name: str, script: str, *classes: type) -> list[Any]:
    """What a preset of a script says of each class, the rest being defaults; of a config class, its chosen fields."""
    values, found = read_preset(name, EXAMPLES / f"{script}.py"), []
    for cls in classes:
        cls = config_arguments(cls) if hasattr(cls, "not_chosen") else cls
        flags: list[str] = []
        for one in fields(cls):
            given = values.get(one.name)
            if given is not None:
                flags += [f"--{one.name}", *(given if isinstance(given, list) else [given])]
        found += HfArgumentParser(cls).parse_args_into_dataclasses(flags, look_for_args_file=False)
    return found


def text_family(preset: str) -> Family:
    """The family that a preset of `train_text_generation.py` is of."""
    return family(read_preset(preset, EXAMPLES / "train_text_generation.py")["family"])


def text_model(preset: str, tokenizer: PreTrainedTokenizerBase, **sizes: Any) -> PreTrainedModel:
    """A new model of a preset of `train_text_generation.py`; `sizes` are other ones than the preset's."""
    kind = text_family(preset)
    (chosen,) = preset_settings(preset, "train_text_generation", kind.config)
    config = kind.config.from_tokenizer(tokenizer, **(vars(chosen) | sizes))
    return kind.model(config)


def text_objective(preset: str, model: PreTrainedModel, **changes: Any) -> Objective:
    """The objective of such a preset."""
    kind = text_family(preset)
    (settings,) = preset_settings(preset, "train_text_generation", kind.objective_arguments)
    for name, value in changes.items():
        setattr(settings, name, value)
    return kind.objectives[0](model, settings)
