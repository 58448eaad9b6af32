"""What is looked at when a checkpoint is loaded: whole and finite weights that fit its config, and readable files."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer
from torch import nn
from transformers.models.auto.tokenization_auto import tokenizer_class_from_name
from transformers.utils import SAFE_WEIGHTS_NAME, cached_file

from hf_arae.storage.downloads import WHERE

_PICKLED = "pytorch_model.bin"
_TOKENIZER = ("tokenizer.json", "tokenizer_config.json")
_BESIDE = ("generation_config.json", *_TOKENIZER)
_OTHER_VOCABULARIES = ("vocab*", "*.model")
_MAX_NAMED = 4


def check_not_pickled(name: str | os.PathLike | None, options: Mapping[str, Any]) -> None:
    """Raises OSError for a folder whose weights are a pickle alone, unless `use_safetensors=False` asks for one."""
    if name is None or options.get("use_safetensors") is False:
        return
    folder = Path(name, options.get("subfolder") or "")
    if any(folder.glob(f"{Path(SAFE_WEIGHTS_NAME).stem}*.safetensors")) or not (folder / _PICKLED).exists():
        return
    raise OSError(
        f"{folder} has no {SAFE_WEIGHTS_NAME}, only {_PICKLED}, a pickle: such a file can run code when it is read. "
        "use_safetensors=False reads it all the same"
    )


def check_whole(
    name: object, info: Mapping[str, Any], model: nn.Module, own_head: str | None, other_heads: tuple[str, ...]
) -> None:
    """Compares the names of a checkpoint's tensors with its model's.

    Args:
        name: the checkpoint, for the message.
        info: what `from_pretrained(output_loading_info=True)` says.
        model: the model.
        own_head: part of the model that a checkpoint of the base model does not have.
        other_heads: parts that checkpoints of other models of the family have.

    Raises:
        ValueError: tensors are missing or left over.
    """
    missing, unknown = (set(info.get(kind) or ()) for kind in ("missing_keys", "unexpected_keys"))
    if own_head is not None:
        head = {key for key in model.state_dict() if key.startswith(f"{own_head}.")}
        if head <= missing:  # a new task begins here
            missing -= head
    unknown = {key for key in unknown if not key.startswith(tuple(f"{head}." for head in other_heads))}
    kinds = (("there is no", missing), ("the model has no place for", unknown))
    told = [f"{what} {_named(keys)}" for what, keys in kinds if keys]
    if told:
        raise ValueError(
            f"the weights of {name} are not those of the {type(model).__name__} that its config describes: "
            f"{'; '.join(told)}. One of the two is damaged or of another model. ignore_mismatched_sizes=True loads "
            "them all the same, with random numbers for what is missing"
        )


def check_finite(name: object, model: nn.Module) -> None:
    """Raises ValueError for the first tensor of a model that holds NaN or an infinity."""
    for key, value in model.state_dict().items():
        if value.is_floating_point() and not value.is_meta and not value.isfinite().all():
            raise ValueError(f"the weights of {name} are not all finite: see the tensor {key}")


def check_files_beside(name: str | os.PathLike | None, options: Mapping[str, Any]) -> None:
    """Raises OSError, with the file's name, for a tokenizer or generation config beside the weights that is damaged.

    Likewise for one of the tokenizer's two files that is missing, in a folder.

    What transformers and tokenizers say of such files does not name them, and they pass over an unreadable generation
    config in silence.
    """
    found = list(_files_beside(name, options))
    names, folder = {file.name for file in found}, Path(name or ".", options.get("subfolder") or "")
    others = any(True for pattern in _OTHER_VOCABULARIES for _ in folder.glob(pattern))
    if name is not None and folder.is_dir() and len(names & set(_TOKENIZER)) == 1 and not others:
        (lost,) = set(_TOKENIZER) - names
        if lost in _TOKENIZER[1:] or _has_vocabulary(folder / _TOKENIZER[1]):
            raise OSError(f"{folder} has no {lost}: without it the other half of the tokenizer is of no use")
    for file in found:
        try:
            content = json.loads(file.read_bytes())
            if not isinstance(content, dict):
                raise ValueError(f"it holds a {type(content).__name__}")
            if file.name == _TOKENIZER[0]:
                Tokenizer.from_file(str(file))
        except Exception as error:  # tokenizers raises Exception itself
            raise OSError(f"{file} is damaged: {error}") from error


def _files_beside(name: str | os.PathLike | None, options: Mapping[str, Any]) -> Iterator[Path]:
    if name is None:
        return
    where = {key: options[key] for key in WHERE if options.get(key) is not None}
    quiet = dict.fromkeys(("missing_entries", "connection_errors", "gated_repo"), False)
    quiet = {f"_raise_exceptions_for_{kind}": value for kind, value in quiet.items()}
    for file in _BESIDE:
        found = cached_file(name, file, local_files_only=True, **quiet, **where)
        if found is not None:
            yield Path(found)


def _has_vocabulary(config: Path) -> bool:
    """Whether a tokenizer's config is of a class with a vocabulary, unlike those that read bytes or code points."""
    try:
        said = json.loads(config.read_bytes())
        known = tokenizer_class_from_name(said["tokenizer_class"])
    except Exception:  # damaged, which is said elsewhere, or of a class that needs another library
        return True
    return bool(known.vocab_files_names) if known is not None else "auto_map" not in said


def _named(keys: set[str]) -> str:
    listed = sorted(keys)[:_MAX_NAMED]
    more = f" and {len(keys) - len(listed)} more" if len(keys) > len(listed) else ""
    return ", ".join(listed) + more


__all__ = ["check_files_beside", "check_finite", "check_not_pickled", "check_whole"]
