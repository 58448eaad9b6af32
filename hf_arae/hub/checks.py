"""What a folder must have before it goes to the Hub."""

from __future__ import annotations

import json
import re
from pathlib import Path

import yaml
from huggingface_hub import ModelCard

from hf_arae.hub.cards import CARD_FILE
from hf_arae.hub.weights import count_parameters
from hf_arae.models.auto import FAMILIES
from hf_arae.training.run_folder import LOCK_FILE

# Those that models of this library have use for; the Hub knows more.
LICENSES = """
    apache-2.0 bsd-2-clause bsd-3-clause cc-by-4.0 cc-by-nc-4.0 cc-by-nc-sa-4.0 cc-by-sa-4.0 cc0-1.0 gpl-3.0 lgpl-3.0
    mit mpl-2.0 openrail other unknown unlicense
"""
PIPELINE_TAGS = """
    feature-extraction image-classification image-feature-extraction other question-answering sentence-similarity
    summarization text-classification text-generation token-classification translation
    unconditional-image-generation
"""
_LANGUAGE = re.compile(r"[a-z]{2,3}|multilingual|code")
_REPOSITORY = re.compile(r"[\w.-]+(/[\w.-]+)?")


def check_model_folder(folder: Path) -> None:
    """Makes sure that a folder is a whole checkpoint of one of the families, with a card.

    Raises:
        FileNotFoundError: a file is missing; it is named.
        ValueError: something is there that is not to go up, or is half written.
    """
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder} is no folder")
    if (folder / LOCK_FILE).exists():
        raise ValueError(f"a training is still writing into {folder}: push when it has ended")
    unfinished = [*folder.glob(".*.unfinished"), *folder.glob(".export.new"), *folder.glob("*.incomplete")]
    if unfinished:
        raise ValueError(f"{folder} is half written: it holds {unfinished[0].name}. Save the model again")
    config = _read_config(folder)
    known = [family.config.model_type for family in FAMILIES]
    if config.get("model_type") not in known:
        raise ValueError(f"{folder} holds a {config.get('model_type')!r} model. Accepted: {', '.join(known)}")
    count_parameters(folder)  # reads each file's header and compares its size with it
    modules = {reference.rpartition("--")[2].partition(".")[0] for reference in config.get("auto_map", {}).values()}
    for module in sorted(modules):
        if not (folder / f"{module}.py").is_file():
            raise FileNotFoundError(f"{folder} lacks {module}.py, which its config.json names: save the model again")
    if not any(folder.glob("tokenizer*.json")):
        raise FileNotFoundError(f"{folder} has no tokenizer: save it there too, `tokenizer.save_pretrained(...)`")
    check_card(folder / CARD_FILE)


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
    wrong = []
    for name, accepted in (("license", LICENSES.split()), ("pipeline_tag", PIPELINE_TAGS.split())):
        if data.get(name) not in accepted:
            wrong.append(f"{name} is {data.get(name)!r}; accepted: {', '.join(accepted)}")
    if data.get("library_name") != "hf_arae":
        wrong.append(f"library_name is {data.get('library_name')!r}; accepted: hf_arae")
    for language in _listed(data.get("language")) or [None]:
        if not _LANGUAGE.fullmatch(str(language)):
            wrong.append(f"language is {language!r}; accepted: ISO 639 codes such as en")
    for dataset in _listed(data.get("datasets")):
        if not _REPOSITORY.fullmatch(str(dataset)):
            wrong.append(f"datasets has {dataset!r}; accepted: names of dataset repositories, OWNER/NAME")
    if wrong:
        raise ValueError(f"{path}: " + "; ".join(wrong))


def _listed(value: str | list | None) -> list:
    return [] if value is None else value if isinstance(value, list) else [value]
