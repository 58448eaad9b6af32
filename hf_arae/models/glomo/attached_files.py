"""A model with graphs in a folder: itself, its mixers, and the predictor, each in files of its own."""

from __future__ import annotations

import os
from importlib import import_module
from pathlib import Path
from typing import Any

import transformers
from safetensors import SafetensorError
from safetensors.torch import load_file, load_model, save_file, save_model
from torch import nn
from transformers import AutoConfig, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase
from transformers.utils import SAFE_WEIGHTS_NAME

from hf_arae.models.auto import modules_of_names
from hf_arae.models.glomo.attaching import NAME, attach_graphs, attached_to
from hf_arae.storage.files import read_json, whole_file, write_json

SETTINGS_FILE = "attached_graphs.json"
MIXERS_FILE = "attached_mixers.safetensors"
PREDICTOR_FOLDER = "glomo"


def save_attached(
    model: nn.Module, folder: str | os.PathLike, tokenizer: PreTrainedTokenizerBase | None = None
) -> None:
    """Saves a model that `attach_graphs` gave graphs.

    The folder is the model's own, without graphs, as its `save_pretrained` writes it (of a torch model, the weights
    alone), and beside that `attached_graphs.json`, `attached_mixers.safetensors` and the folder `glomo` of the
    predictor, with its tokenizer if that is another one than the model's.

    Args:
        model: stays as it is.
        folder: is made if need be.
        tokenizer: the model's, or its image processor, to be saved beside it; not needed where `attach_graphs` was
            given one.

    Raises:
        ValueError: the model has no graphs.
    """
    attached, folder = attached_to(model), Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    delattr(model, NAME)
    writes = attached.used_cache is not None
    try:
        if writes:
            model.generation_config.use_cache = attached.used_cache
        if isinstance(model, PreTrainedModel):
            model.save_pretrained(folder)
        else:
            with whole_file(folder / SAFE_WEIGHTS_NAME) as path:
                save_model(model, str(path))
    finally:
        model.add_module(NAME, attached)
        if writes:
            model.generation_config.use_cache = False
    attached.glomo.save_pretrained(folder / PREDICTOR_FOLDER)
    if attached.foreign is not None:
        tokenizer = attached.foreign.tokenizer
        attached.foreign.words.save_pretrained(folder / PREDICTOR_FOLDER)
    if tokenizer is not None:
        tokenizer.save_pretrained(folder)
    with whole_file(folder / MIXERS_FILE) as path:
        save_file({name: value.contiguous() for name, value in attached.mixers.state_dict().items()}, path)
    settings = {
        "class": type(model).__name__,
        "reads": attached.reads,
        "foreign": attached.foreign is not None,
        "cache": attached.cache.keep,
        "mixers": [{"at": at, **one} for at, one in zip(attached.places, attached.settings, strict=True)],
    }
    write_json(folder / SETTINGS_FILE, settings)


def load_attached(folder: str | os.PathLike, model: nn.Module | None = None, **options: Any) -> nn.Module:
    """Loads what `save_attached` wrote; returns the model with its graphs, in evaluation mode.

    Args:
        folder: of the model.
        model: a new model of a torch class, whose weights are read into it. `None`: one of transformers or of this
            package, which its config names.
        options: for `from_pretrained` of the model.

    Raises:
        OSError: a file is missing or damaged.
        ValueError: the model's class is not known, or the files are not of one model.
    """
    folder = Path(folder)
    try:
        settings = read_json(folder / SETTINGS_FILE)
        mixers = settings["mixers"]
    except (ValueError, KeyError, TypeError) as error:
        raise OSError(f"{folder / SETTINGS_FILE} is damaged: {error}") from error
    if model is None:
        model = _class_of(folder).from_pretrained(folder, **options)
    else:
        try:
            load_model(model, folder / SAFE_WEIGHTS_NAME)
        except SafetensorError as error:
            raise OSError(f"{folder / SAFE_WEIGHTS_NAME} is damaged: {error}") from error
        except RuntimeError as error:  # names the tensors
            kind = type(model).__name__
            raise ValueError(f"the weights in {folder} are not those of this {kind}: {error}") from error
    glomo = _class_of(folder / PREDICTOR_FOLDER).from_pretrained(folder / PREDICTOR_FOLDER)
    both = {}
    if settings["foreign"]:
        both = {"tokenizer": folder, "glomo_tokenizer": folder / PREDICTOR_FOLDER}
        both = {name: AutoTokenizer.from_pretrained(place) for name, place in both.items()}
    for one in mixers:
        own = {name: value for name, value in one.items() if name not in ("at", "num_directions")}
        directions = "both" if one["num_directions"] == 2 else "forward"
        common = {"directions": directions, "reads": settings["reads"], "cache": settings["cache"]}
        attach_graphs(model, glomo, one["at"], **own, **common, **both)
    try:
        attached_to(model).mixers.load_state_dict(load_file(folder / MIXERS_FILE))
    except SafetensorError as error:
        raise OSError(f"{folder / MIXERS_FILE} is damaged: {error}") from error
    except RuntimeError as error:
        raise ValueError(f"the mixers in {folder} are not those that {SETTINGS_FILE} describes: {error}") from error
    return model.eval()


def _class_of(folder: Path) -> type[PreTrainedModel]:
    """The class that a model's config names."""
    name = next(iter(AutoConfig.from_pretrained(folder).architectures or ()), None)
    own = modules_of_names()
    found = getattr(import_module(own[name]), name) if name in own else getattr(transformers, str(name), None)
    if found is None:
        raise ValueError(f"{folder} holds a model of the class {name}: give load_attached such a model, as `model`")
    return found


__all__ = ["load_attached", "save_attached"]
