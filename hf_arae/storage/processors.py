"""What is saved beside a model and prepares its input: what it says of itself, and how it is written and read."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

from transformers import AutoImageProcessor, AutoProcessor, AutoTokenizer
from transformers.utils import IMAGE_PROCESSOR_NAME, PROCESSOR_NAME

# What saving writes into a processor's settings, and what differs between versions.
_VOLATILE = ("_processor_class", "auto_map", "name_or_path", "processor_class", "transformers_version")
_READING = ("normalizer", "pre_tokenizer")
# A processor of several kinds of data has the others' files beside its own.
_READERS = (
    (PROCESSOR_NAME, AutoProcessor),
    (IMAGE_PROCESSOR_NAME, AutoImageProcessor),
    ("tokenizer*.json", AutoTokenizer),
)


def describe_processor(processor: Any) -> dict[str, str]:
    """Returns names and values of all by which two processors would read the same input in two ways.

    Of a tokenizer these are `processor.vocabulary`, how many tokens there are and their digest, and the digest of how
    texts are normalised and split; of an image processor, or whatever else has `to_dict`, its settings,
    `processor.<name>`. Of a processor of several parts, those of each part.

    Args:
        processor: anything with `save_pretrained`, or `None`.
    """
    values: dict[str, str] = {}
    for name in getattr(processor, "attributes", None) or ():
        values |= {f"{name}.{key}": value for key, value in describe_processor(getattr(processor, name, None)).items()}
    if hasattr(processor, "get_vocab"):
        words = sorted(processor.get_vocab().items())
        values["processor.vocabulary"] = f"{len(words)} tokens, SHA-256 {_digest(words)}"
        backend = getattr(processor, "backend_tokenizer", None)
        if backend is not None:
            parts = json.loads(backend.to_str())
            values |= {f"processor.{part}": f"SHA-256 {_digest(parts.get(part))}" for part in _READING}
    elif hasattr(processor, "to_dict") and not values:
        settings = processor.to_dict().items()
        values = {f"processor.{key}": repr(value) for key, value in settings if key not in _VOLATILE}
    return values


def save_processor(processor: Any, folder: str | os.PathLike) -> None:
    """Saves a processor into a folder, a tokenizer without the truncation and padding of its last call.

    It would save them as its own, and each call sets them anew.
    """
    backend = getattr(processor, "backend_tokenizer", None)
    if backend is not None:
        backend.no_truncation()
        backend.no_padding()
    processor.save_pretrained(folder)


def load_processor(folder: Path) -> Any | None:
    """Returns the processor whose files are in a folder; `None` if there are none.

    Raises:
        ValueError: they are damaged.
    """
    for pattern, auto_class in _READERS:
        if not any(folder.glob(pattern)):
            continue
        try:
            return auto_class.from_pretrained(folder)
        except Exception as error:  # of many kinds; the file is damaged, whichever it is
            reason = (str(error) or type(error).__name__).splitlines()[0]
            raise ValueError(f"the processor ({pattern}) in {folder} is damaged or half written: {reason}") from error
    return None


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value).encode()).hexdigest()[:16]
