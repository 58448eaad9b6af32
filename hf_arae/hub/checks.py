"""What a folder must have before it goes to the Hub, and a model before it is trained to go there."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import yaml
from huggingface_hub import ModelCard
from transformers import PreTrainedModel

from hf_arae.hub.cards import CARD_FILE
from hf_arae.hub.family import card_text, config_class_of
from hf_arae.hub.whole import check_whole
from hf_arae.storage.run_files import half_written, is_in_use
from hf_arae.storage.wholeness import check_result
from hf_arae.utils.card_metadata import PIPELINE_TAGS, listed, wrong_dataset, wrong_language, wrong_license

# Files whose texts are looked through for places on this machine. The others hold none, or are written without them.
_TEXTS = (CARD_FILE, "table.md", "directions.md", "samples.md")
_TEXTS += ("config.json", "generation_config.json", "tokenizer_config.json")


def check_can_be_published(model: PreTrainedModel, processor: Any | None) -> None:
    """Makes sure, before a training, that its result can be pushed.

    Args:
        model: what will be trained.
        processor: what will be saved beside it: a tokenizer, or what makes tensors of images.

    Raises:
        ValueError: the model is of no family of this package, its family has no card, or the processor does not suit
            it or is missing.
    """
    try:
        card_text(model.config, architecture=type(model).__name__)
        model.check_processor(processor)
    except ValueError as error:
        raise ValueError(f"push_to_hub: a {type(model).__name__} cannot be pushed: {error}") from error


def check_model_folder(folder: Path) -> None:
    """Makes sure that a folder is a whole checkpoint of one of the families; its card aside.

    Raises:
        FileNotFoundError: a file is missing; it is named.
        OSError: a training's result is not whole; what is wrong is named.
        ValueError: something is there that is not to go up, or is half written.
    """
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder} is no folder")
    if is_in_use(folder):
        raise ValueError(f"a training is still writing into {folder}: push when it has ended")
    if unfinished := half_written(folder):
        raise ValueError(f"{folder} is half written: it holds {unfinished[0].name}. Save the model again")
    check_result(folder)
    check_family(folder)
    check_whole(folder)


def check_family(folder: Path) -> None:
    """Makes sure that a folder's config is one of a family.

    Raises:
        FileNotFoundError: there is none.
        ValueError: it is damaged or of another model.
    """
    config = _read_config(folder)
    try:
        config_class_of(config.get("model_type"))
    except ValueError as error:
        raise ValueError(f"{folder} cannot be pushed: {error}") from error


def check_no_places(folder: Path) -> None:
    """Makes sure that no text that goes up names a place on this machine.

    Raises:
        ValueError: one does; its file and line are named.
    """
    places = [str(place) for place in (Path.home(), Path.cwd(), folder.resolve()) if len(place.parts) > 1]
    pattern = re.compile(rf"(?:{'|'.join(map(re.escape, places))})(?![\w-])")
    for path in (folder / name for name in _TEXTS):
        if not path.is_file():
            continue
        for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), 1):
            if found := pattern.search(line):
                raise ValueError(
                    f"{path}, line {number} names {found.group()}, a place on this machine, which is not to go up. "
                    f"Take it out; a card is written anew by `python -m hf_arae.hub card RUN`"
                )


def _read_config(folder: Path) -> dict:
    path = folder / "config.json"
    if not path.is_file():
        raise FileNotFoundError(f"{folder} has no config.json. Accepted: a folder that save_pretrained wrote")
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path} is damaged or half written: {error}") from error
    if not isinstance(config, dict):
        raise ValueError(f"{path} holds no configuration")
    return config


def check_card(path: Path) -> None:
    """Checks a model card's metadata without the Hub.

    Raises:
        FileNotFoundError: there is no card.
        ValueError: an entry is missing or is not one that the Hub takes; each is named, with what is accepted.
    """
    if not path.is_file():
        raise FileNotFoundError(
            f"{path.parent} has no {path.name}. `python -m hf_arae.hub card RUN` writes one from a training run"
        )
    try:
        data = ModelCard.load(path).data.to_dict()
    except (ValueError, TypeError, yaml.YAMLError) as error:
        raise ValueError(f"{path}: its metadata cannot be read: {error}") from error
    wrong = [wrong_license(data.get("license"))]
    if data.get("pipeline_tag") not in PIPELINE_TAGS:
        wrong.append(f"pipeline_tag is {data.get('pipeline_tag')!r}; accepted: {', '.join(PIPELINE_TAGS)}")
    if data.get("library_name") != "hf_arae":
        wrong.append(f"library_name is {data.get('library_name')!r}; accepted: hf_arae")
    wrong += [wrong_language(data.get("language")), wrong_dataset(data.get("datasets"))]
    numbers = [metric for result in listed(data.get("model-index")) for metric in _values(result)]
    wrong += [f"model-index has {number!r}; accepted: finite numbers" for number in numbers if number != number]
    wrong = [said for said in wrong if said]
    if wrong:
        raise ValueError(f"{path}: " + "; ".join(wrong))


def _values(entry: dict) -> list:
    """The values in an entry of a card's model-index."""
    return [metric.get("value") for result in entry.get("results", []) for metric in result.get("metrics", [])]
