"""Whether a model's folder is whole: every tensor, the processor and the settings that its config asks for."""

from __future__ import annotations

from pathlib import Path

import torch
from huggingface_hub.errors import StrictDataclassError
from safetensors import SafetensorError
from transformers import AutoConfig, GenerationConfig

from hf_arae.hub.family import model_class_of
from hf_arae.hub.weights import count_parameters
from hf_arae.storage.processors import load_processor

_SHOWN = 3  # names in a message
_AGAIN = "The model, loaded and saved again, writes it"


def check_whole(folder: Path) -> None:
    """Makes sure that a folder holds a whole model of one of the families; its numbers are read, all of them.

    Raises:
        FileNotFoundError: a file is missing; it is named.
        ValueError: something in it is missing, damaged, not finite, or not of this library; it is named.
    """
    count_parameters(folder)  # says which file is missing or cut
    try:
        config = AutoConfig.from_pretrained(folder)
        model_class = model_class_of(config)
        # What does not fit is named below, all of it; a head may be missing before its task, not when it is finished.
        model, info = model_class.from_pretrained(folder, output_loading_info=True, ignore_mismatched_sizes=True)
        with torch.device("meta"):
            plain = model_class(config)  # what follows from the config alone
    except (StrictDataclassError, SafetensorError, OSError, ValueError, TypeError, RuntimeError, KeyError) as error:
        lines = [line.strip() for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
        raise ValueError(f"{folder} holds no model that can be loaded: {'; '.join(lines[:_SHOWN])}") from error
    for said, kind in (("lack", "missing"), ("have, beside the model's,", "unexpected"), ("differ in", "mismatched")):
        if names := sorted(name if isinstance(name, str) else name[0] for name in info[f"{kind}_keys"]):
            more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
            raise ValueError(
                f"the weights in {folder} {said} {', '.join(names[:_SHOWN])}{more}: they are not those of the "
                f"{model_class.__name__} that config.json describes"
            )
    try:
        model.check_processor(load_processor(folder))
    except ValueError as error:
        raise ValueError(f"{folder}: {error}") from error
    if model.can_generate():
        _check_generation_config(folder, plain.generation_config)


def _check_generation_config(folder: Path, own: GenerationConfig) -> None:
    path = folder / "generation_config.json"
    if not path.is_file():
        raise FileNotFoundError(f"{folder} has no {path.name}: texts would not end where they should. {_AGAIN}")
    try:
        settings = GenerationConfig.from_pretrained(folder)
    except (OSError, ValueError, TypeError) as error:
        raise ValueError(f"{path} is damaged or half written: {error}. {_AGAIN}") from error
    longest = settings.max_length if settings.max_new_tokens is None else settings.max_new_tokens
    if not isinstance(longest, int) or longest < 1:
        raise ValueError(f"{path}: max_new_tokens is {longest!r}; accepted: 1 or more. {_AGAIN}")
    for name in ("bos_token_id", "eos_token_id", "pad_token_id", "suppress_tokens"):
        wanted, given = getattr(own, name), getattr(settings, name)
        if wanted != given and not (name == "suppress_tokens" and set(wanted or ()) <= set(given or ())):
            raise ValueError(f"{path}: {name} is {given!r}; that of the model is {wanted!r}. {_AGAIN}")
