"""An exported folder: its files, and the names of the graphs' inputs and outputs.

| file | inputs | outputs |
| --- | --- | --- |
| `encoder.onnx` | `input_ids`, `attention_mask`: `(batch, sequence)` int64 | `codes` `(batch, code_size)`; \
`attribute_scores` `(batch, num_attributes)` where the model tells attributes by words |
| `decoder_step.onnx` | `token` `(batch,)` int64; `code` `(batch, code_size)`; `hidden`, `memory` \
`(num_layers, batch, hidden_size)`, zeros at first | `logits` `(batch, vocab_size)`; `new_hidden`, `new_memory` |
| `generator.onnx` | `z` `(batch, latent_size)` | `codes` `(batch, code_size)` |
| `classifier.onnx` | `pixel_values` `(batch, num_channels, image_size, image_size)` | `logits` `(batch, labels)` |

Numbers are float32 unless said otherwise. A model with several decoders has a `decoder_step_<value>.onnx` for each
attribute value, and only a model that makes codes of new texts by one has a generator (an `AraeModel`). Beside them
stand `config.json`, `generation_config.json` (longest text, tokens that are never written) and, if it was given, the
tokenizer. The last file is of a classifier of images, which has nothing of the others; beside it stand `config.json`
and, if it was given, the image processor's `preprocessor_config.json`.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from hf_arae.utils.validation import LAYERS, VOCABULARY, WIDTHS, check_range

ENCODER = "encoder.onnx"
GENERATOR = "generator.onnx"
CLASSIFIER = "classifier.onnx"
CONFIG = "config.json"
GENERATION_CONFIG = "generation_config.json"
TOKENIZER = "tokenizer.json"
TOKENIZER_CONFIG = "tokenizer_config.json"
PROCESSOR = "preprocessor_config.json"

_MAX_NAMED = 6


def decoder_files(num_attributes: int) -> list[str]:
    """Names of the decoders' files, in the order of attribute values."""
    if num_attributes == 1:
        return ["decoder_step.onnx"]
    return [f"decoder_step_{value}.onnx" for value in range(num_attributes)]


def source_of_codes(config: Any) -> str | None:
    """What codes of new texts come from, by a config: `"generator"`, `"prior"`, or `None` for a plain autoencoder."""
    if hasattr(config, "latent_size"):
        return "generator"
    return "prior" if hasattr(config, "prior_sparsity") else None


def fetched(folder: str | os.PathLike, revision: str | None = None, subfolder: str = "") -> Path:
    """A folder, or what a repository of the Hub holds of an export.

    Args:
        folder: folder or Hub id.
        revision: branch, tag or commit of the repository.
        subfolder: where in the folder or repository the files are.

    Raises:
        FileNotFoundError: it is neither.
    """
    place = Path(folder)
    if not place.is_dir():
        import huggingface_hub as hub  # not needed for a folder

        patterns = [f"{subfolder}/{name}" if subfolder else name for name in ("*.onnx", "*.json")]
        try:
            place = Path(hub.snapshot_download(str(folder), revision=revision, allow_patterns=patterns))
        except hub.errors.HFValidationError:
            raise FileNotFoundError(f"{str(folder)!r} is neither a folder nor the id of a repository") from None
    return place / subfolder


def require_files(folder: Path, names: list[str]) -> None:
    """Raises FileNotFoundError if the folder lacks one of these files."""
    missing = [name for name in names if not (folder / name).is_file()]
    if missing:
        more = f" and {len(missing) - _MAX_NAMED} more" if len(missing) > _MAX_NAMED else ""
        raise FileNotFoundError(
            f"{folder} lacks {', '.join(missing[:_MAX_NAMED])}{more}: it is not a complete exported model. One is "
            "written by: python -m hf_arae.onnx --model MODEL --output_dir FOLDER"
        )


def read_json(path: Path) -> dict[str, Any]:
    """The fields of a config; raises ValueError for what is none."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} cannot be read: {error}") from error
    if not isinstance(content, dict):
        raise ValueError(f"{path} holds a {type(content).__name__}, not the fields of a config")
    return content


def read_config(path: Path) -> SimpleNamespace:
    """An exported model's `config.json`, `id2label` complete.

    Raises:
        ValueError: it is no text autoencoder's, as a field is missing, or a value is out of its range.
    """
    config = SimpleNamespace(**read_json(path))
    config.num_attributes = getattr(config, "num_attributes", 1)
    needed = ["vocab_size", "code_size", "pad_token_id", "bos_token_id", "eos_token_id"]
    if source_of_codes(config) == "prior":
        needed.append("prior_spike_std")
    missing = [name for name in needed if not hasattr(config, name)]
    if missing:
        kind = getattr(config, "model_type", None)
        raise ValueError(f"{path} (model_type {kind!r}) is no text autoencoder's: it lacks {', '.join(missing)}")
    try:
        _check_numbers(config)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    count = config.num_attributes
    names = getattr(config, "id2label", None) or {value: f"LABEL_{value}" for value in range(count)}
    known = isinstance(names, dict) and all(
        str(value).isdecimal() and isinstance(name, str) for value, name in names.items()
    )
    if not known or (count > 1 and sorted(map(str, names)) != sorted(map(str, range(count)))):
        raise ValueError(f"{path}: id2label must name each of {count} attribute values, from 0, by a string")
    config.id2label = {int(value): name for value, name in names.items()}
    return config


def _check_numbers(config: SimpleNamespace) -> None:
    check_range(config, VOCABULARY, "vocab_size", whole=True)
    check_range(config, WIDTHS, "code_size", whole=True)
    check_range(config, LAYERS, "num_attributes", whole=True)
    source = source_of_codes(config)
    if source == "generator":
        check_range(config, WIDTHS, "latent_size", whole=True)
        if hasattr(config, "draw_noise"):
            check_range(config, "[0, inf)", "draw_noise")
    elif source == "prior":
        check_range(config, "[0, 1)", "prior_sparsity")
        check_range(config, "(0, 1)", "prior_spike_std")
    for name in ("pad_token_id", "bos_token_id", "eos_token_id"):
        if getattr(config, name) is not None or name != "eos_token_id":  # texts may have no end
            check_range(config, f"[0, {config.vocab_size})", name, whole=True)
