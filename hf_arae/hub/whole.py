"""Whether a model's folder is whole: every tensor, the words, the code and the settings that its config asks for."""

from __future__ import annotations

from pathlib import Path

import torch
from huggingface_hub.errors import StrictDataclassError
from safetensors import SafetensorError, safe_open
from transformers import AutoConfig, AutoTokenizer, GenerationConfig, PreTrainedConfig, PreTrainedModel

from hf_arae.hub.export import code_files
from hf_arae.hub.weights import weight_files
from hf_arae.models.auto import FAMILIES

_SHOWN = 3  # names in a message
_AGAIN = (
    "Write it again: AutoModel.from_pretrained(FOLDER).save_pretrained(FOLDER), with the class that loads the model"
)


def check_whole(folder: Path) -> None:
    """Makes sure that a folder holds a whole model of one of the families; its numbers are read, all of them.

    Raises:
        FileNotFoundError: a file is missing; it is named.
        ValueError: something in it is missing, damaged, not finite, or not of this library; it is named.
    """
    try:
        config = AutoConfig.from_pretrained(folder)
        model_class = _model_class(config)
        with torch.device("meta"):
            model = model_class(config)
    except (StrictDataclassError, ValueError, TypeError, KeyError, AttributeError, RuntimeError) as error:
        reason = (str(error) or type(error).__name__).splitlines()[-1].strip()
        raise ValueError(f"{folder / 'config.json'} is not that of a model that can be built: {reason}") from error
    _check_weights(folder, model)
    _check_tokenizer(folder, config)
    _check_generation_config(folder, model)
    _check_code(folder, model_class, config)


def _model_class(config: PreTrainedConfig) -> type[PreTrainedModel]:
    """The class that the config names; one of a user's own is read as the first of its family."""
    family = next(family for family in FAMILIES if family.config.model_type == config.model_type)
    classes = {model_class.__name__: model_class for model_class in family.models.values()}
    return classes.get((config.architectures or [""])[0], next(iter(classes.values())))


def _check_weights(folder: Path, model: PreTrainedModel) -> None:
    expected = model.state_dict(keep_vars=True)
    copies: dict[int, set[str]] = {}  # names of one tensor, of which one is in the files
    for name, value in expected.items():
        copies.setdefault(id(value), set()).add(name)
    found: set[str] = set()
    for file in weight_files(folder):
        try:
            with safe_open(file, framework="pt") as weights:
                for name in weights.keys():  # noqa: SIM118 (no dictionary)
                    if name not in expected:
                        raise ValueError(f"{file} has {name}, which the model of config.json has not")
                    value = weights.get_tensor(name)
                    if value.shape != expected[name].shape:
                        raise ValueError(
                            f"{file}: {name} is of shape {tuple(value.shape)}; the model of config.json has "
                            f"{tuple(expected[name].shape)}"
                        )
                    if value.is_floating_point() and not value.isfinite().all():
                        raise ValueError(f"{file}: {name} holds numbers that are not finite")
                    found.add(name)
        except SafetensorError as error:
            raise ValueError(f"{file} is damaged or half written: {error}") from error
    missing = sorted(min(names) for names in copies.values() if not names & found)
    if missing:
        more = f" and {len(missing) - _SHOWN} more" if len(missing) > _SHOWN else ""
        raise ValueError(f"the weights in {folder} lack {', '.join(missing[:_SHOWN])}{more}")


def _check_tokenizer(folder: Path, config: PreTrainedConfig) -> None:
    if not any(folder.glob("tokenizer*.json")):
        raise FileNotFoundError(f"{folder} has no tokenizer: save it there too, `tokenizer.save_pretrained(...)`")
    try:
        words = len(AutoTokenizer.from_pretrained(folder))
    except Exception as error:  # of many kinds; the file is damaged, whichever it is
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise ValueError(
            f"the tokenizer (tokenizer*.json) in {folder} is damaged or half written: {reason}"
        ) from error
    if words != config.vocab_size:
        raise ValueError(
            f"the tokenizer in {folder} has {words} words, and the model of config.json has {config.vocab_size}"
        )


def _check_generation_config(folder: Path, model: PreTrainedModel) -> None:
    if not model.can_generate():
        return
    path = folder / "generation_config.json"
    if not path.is_file():
        raise FileNotFoundError(f"{folder} has no {path.name}: texts would not end where they should. {_AGAIN}")
    try:
        settings = GenerationConfig.from_pretrained(folder)
    except (OSError, ValueError, TypeError) as error:
        raise ValueError(f"{path} is damaged or half written: {error}. {_AGAIN}") from error
    if not isinstance(settings.max_new_tokens, int) or settings.max_new_tokens < 1:
        raise ValueError(f"{path}: max_new_tokens is {settings.max_new_tokens!r}; accepted: 1 or more. {_AGAIN}")
    for name in ("bos_token_id", "eos_token_id", "pad_token_id", "suppress_tokens"):
        own, given = getattr(model.generation_config, name), getattr(settings, name)
        if own != given and not (name == "suppress_tokens" and set(own or ()) <= set(given or ())):
            raise ValueError(f"{path}: {name} is {given!r}; that of the model is {own!r}. {_AGAIN}")


def _check_code(folder: Path, model_class: type[PreTrainedModel], config: PreTrainedConfig) -> None:
    if not getattr(config, "auto_map", None):
        return  # a user's own class: no code goes up
    for name, source in code_files(model_class, config).items():
        path = folder / f"{name}.py"
        if not path.is_file():
            raise FileNotFoundError(f"{folder} lacks {path.name}, which its model needs elsewhere. {_AGAIN}")
        if path.read_text(encoding="utf-8", errors="replace") != source:
            raise ValueError(
                f"{path} is not the code of this version of hf_arae: it is damaged, was edited, or another version "
                f"wrote it. {_AGAIN}"
            )
