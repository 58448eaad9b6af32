"""What a folder's weights are, without loading them."""

from __future__ import annotations

import json
import math
from pathlib import Path

from safetensors import SafetensorError, safe_open
from transformers.utils import SAFE_WEIGHTS_INDEX_NAME, SAFE_WEIGHTS_NAME


def weight_files(folder: Path) -> list[Path]:
    """The files that hold a folder's weights: `model.safetensors`, or the parts that its index names.

    Raises:
        FileNotFoundError: there are none, or a part is missing.
        ValueError: the index cannot be read.
    """
    index = folder / SAFE_WEIGHTS_INDEX_NAME
    files = [folder / SAFE_WEIGHTS_NAME]
    if index.is_file():
        try:
            files = [folder / name for name in sorted(set(json.loads(index.read_text())["weight_map"].values()))]
        except (ValueError, KeyError, AttributeError) as error:
            raise ValueError(f"{index} cannot be read: {error}") from error
    for file in files:
        if not file.is_file():
            raise FileNotFoundError(
                f"{folder} has no {file.name}. Accepted: a folder that save_pretrained wrote, with weights as "
                f"safetensors"
            )
    return files


def count_parameters(folder: Path) -> int:
    """The number of parameters (and buffers) in a folder's weights.

    Raises:
        FileNotFoundError: there are none.
        ValueError: a file is cut short or no safetensors file.
    """
    total = 0
    for file in weight_files(folder):
        try:
            with safe_open(file, framework="pt") as weights:
                total += sum(math.prod(weights.get_slice(name).get_shape()) for name in weights.keys())  # noqa: SIM118
        except SafetensorError as error:
            raise ValueError(f"{file} is damaged or half written: {error}") from error
    return total
