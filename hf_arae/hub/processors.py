"""The processor beside a model: the tokenizer of texts, or what makes tensors of images."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from transformers import AutoImageProcessor, AutoProcessor, AutoTokenizer
from transformers.utils import IMAGE_PROCESSOR_NAME, PROCESSOR_NAME

# A processor of several kinds of data has the others' files beside its own.
_READERS = (
    (PROCESSOR_NAME, AutoProcessor),
    (IMAGE_PROCESSOR_NAME, AutoImageProcessor),
    ("tokenizer*.json", AutoTokenizer),
)


def load_processor(folder: Path) -> Any | None:
    """The processor whose files are in a folder; `None` if there are none.

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
