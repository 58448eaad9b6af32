"""What a model that anyone may name is let do: sizes, settings and a tokenizer within bounds, looked at as plain data.

All of it is looked at before a config, a model or a tokenizer is built of it: building one of a thousand million
layers, or reading with a rule that doubles a letter again and again, has no end.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from tokenizers import Tokenizer, normalizers
from tokenizers.models import WordLevel

from hf_arae.data.text.news import news_normalizer
from hf_arae.data.text.tokenization import sentence_normalizer

CONFIG, TOKENIZER, PROCESSOR = "config.json", "tokenizer.json", "preprocessor_config.json"
WEIGHTS = "model.safetensors"
_GENERATION, _TOKENIZER_CONFIG = "generation_config.json", "tokenizer_config.json"
FILES = (CONFIG, _GENERATION, TOKENIZER, _TOKENIZER_CONFIG, PROCESSOR, WEIGHTS)
_MEGABYTE = 2**20
_MAX_BYTES = {TOKENIZER: 50 * _MEGABYTE}
_MAX_BYTES_OF_OTHERS = _MEGABYTE

# The largest number of each field of a config: of parts, which are built one by one, and of words in a text.
_MAX = {
    "num_attributes": 50,
    "num_labels": 50,
    "num_layers": 16,
    "encoder_layers": 16,
    "decoder_layers": 16,
    "num_members": 16,
    "max_sequence_length": 500,
    "max_source_length": 500,
    "max_summary_length": 100,
    "longest_headline": 100,
    "vocab_size": 1_000_000,
    "image_size": 256,
}
_MAX_OF_OTHERS, _LONGEST_LIST, _LONGEST_TEXT = 1_000_000, 50, 300
# What transformers would act on beside the fields of a family.
_PASSED_OVER = {"auto_map", "custom_pipelines", "kernel_config", "per_layer_config", "quantization_config"}
_PASSED_OVER |= {"attn_implementation", "experts_implementation"}

_GENERATION_SETTINGS = {"bos_token_id", "decoder_start_token_id", "eos_token_id", "max_new_tokens", "pad_token_id"}
_GENERATION_SETTINGS |= {"suppress_tokens", "transformers_version"}
_MAX_WRITTEN = 1 + _MAX["max_sequence_length"]

_TOKENIZER_CLASSES = {None, "PreTrainedTokenizerFast", "TokenizersBackend"}
_MAX_TIMES = 2  # that a rule may stand among a tokenizer's
_MAX_ADDED = 100  # special tokens


def check_size(name: str, size: int | None, max_parameters: int) -> None:
    """Raises ValueError for a file of a model that has more bytes than such a file needs."""
    limit = 4 * max_parameters + _MEGABYTE if name == WEIGHTS else _MAX_BYTES.get(name, _MAX_BYTES_OF_OTHERS)
    if size is not None and size > limit:
        raise ValueError(f"its {name} has {size / 1e6:,.0f} MB; at most {limit / 1e6:,.0f} MB are read here")


def read_config(folder: Path, accepted: Iterable[str]) -> dict:
    """The fields of a folder's config.json, after they and the settings for writing were looked through.

    Args:
        folder: of a model. Its files are known to be of no more bytes than `check_size` lets through.
        accepted: kinds of models (`model_type`).

    Raises:
        ValueError: a file is damaged, holds what is too large, or what models of this library do not have.
    """
    config = read(folder / CONFIG)
    if config.get("model_type") not in accepted:
        raise ValueError(f"it is a model of type {config.get('model_type')!r:.80}; accepted are {', '.join(accepted)}")
    for name, value in config.items():
        limit = _MAX.get(name, _MAX_OF_OTHERS)
        if isinstance(value, int | float) and not abs(value) <= limit:
            raise ValueError(f"its {name} is {value:.10g}; at most {limit:,} is read here")
        if isinstance(value, list | dict) and len(value) > _LONGEST_LIST:
            raise ValueError(f"its {name} has {len(value):,} entries; at most {_LONGEST_LIST} are read here")
        if isinstance(value, str) and len(value) > _LONGEST_TEXT:  # it may name layers
            raise ValueError(f"its {name} has {len(value):,} characters; at most {_LONGEST_TEXT} are read here")
    if (folder / _GENERATION).exists():
        _check_generation(read(folder / _GENERATION))
    return {name: value for name, value in config.items() if name.lstrip("_") not in _PASSED_OVER}


def check_tokenizer(folder: Path, trusted: frozenset[str] = frozenset()) -> None:
    """Raises ValueError for a tokenizer of another class, or one that does more than one of `hf_arae` does.

    Args:
        folder: of a model.
        trusted: further rules that a tokenizer may read by, see `rules`.
    """
    kind = read(folder / _TOKENIZER_CONFIG).get("tokenizer_class")
    if kind is not None and kind not in _TOKENIZER_CLASSES:
        raise ValueError(f"its tokenizer is a {kind!r:.80}; accepted are tokenizers that hf_arae has trained")
    tokenizer = read(folder / TOKENIZER)
    steps, known = rules(tokenizer), _own_rules() | trusted
    if any(step not in known for step in steps) or any(steps.count(step) > _MAX_TIMES for step in set(steps)):
        raise ValueError("its tokenizer reads by rules that are not hf_arae's: such a rule may never come to an end")
    parts = {name: tokenizer.get(name) or {} for name in ("model", "pre_tokenizer", "post_processor", "padding")}
    if not all(isinstance(part, dict) for part in parts.values()):
        raise ValueError(f"its {TOKENIZER} is damaged")
    frame = parts["post_processor"]
    is_plain = (
        parts["model"].get("type") == "WordLevel"
        and parts["pre_tokenizer"].get("type") == "WhitespaceSplit"
        and tokenizer.get("decoder") is None
        and frame.get("type") == "TemplateProcessing"
        and [list(part)[:1] for part in frame.get("single", ())] == [["SpecialToken"], ["Sequence"], ["SpecialToken"]]
        and all(len(token.get("ids", ())) == 1 for token in (frame.get("special_tokens") or {}).values())
        and len(tokenizer.get("added_tokens") or ()) <= _MAX_ADDED
        and parts["padding"].get("strategy", "BatchLongest") == "BatchLongest"
        and not parts["padding"].get("pad_to_multiple_of")
    )
    if not is_plain:
        raise ValueError("its tokenizer is of another kind than those that hf_arae trains: words between spaces")


def rules(tokenizer: dict) -> list[str]:
    """The rules by which a tokenizer.json rewrites a text, each as one string."""
    found, left = [], [tokenizer.get("normalizer")]
    while left:
        step = left.pop(0)
        if isinstance(step, dict) and step.get("type") == "Sequence":
            inner = step.get("normalizers")
            left[:0] = inner if isinstance(inner, list) else [inner]
        elif step is not None:
            found.append(json.dumps(step, sort_keys=True))
    return found


def rules_of(folder: Path) -> frozenset[str]:
    """The rules of a folder's tokenizer; none where it cannot be read."""
    try:
        return frozenset(rules(read(folder / TOKENIZER)))
    except ValueError:
        return frozenset()


@cache
def _own_rules() -> frozenset[str]:
    styles = [news_normalizer(), *(sentence_normalizer(*flags) for flags in ((False, False), (True, False)))]
    styles += [sentence_normalizer(True, True)]
    return frozenset(rule for style in styles for rule in rules({"normalizer": _as_data(style)}))


def _as_data(normalizer: normalizers.Normalizer) -> dict:
    tokenizer = Tokenizer(WordLevel({"<unk>": 0}, unk_token="<unk>"))
    tokenizer.normalizer = normalizer
    return json.loads(tokenizer.to_str())["normalizer"]


def _check_generation(settings: dict) -> None:
    asked = [
        name
        for name, value in settings.items()
        if name not in _GENERATION_SETTINGS and not name.startswith("_") and value not in (None, False)
    ]
    if asked:
        raise ValueError(f"its {_GENERATION} asks for {', '.join(asked)[:200]}, which is not done here")
    longest = settings.get("max_new_tokens")
    if longest is not None and not (isinstance(longest, int) and longest <= _MAX_WRITTEN):
        raise ValueError(f"its {_GENERATION} names max_new_tokens {longest!r:.80}; at most {_MAX_WRITTEN} are written")


def read(path: Path) -> dict:
    """A JSON file's fields; raises ValueError, with the file's name alone, for what is none."""
    try:
        content = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise ValueError(f"it has no {path.name}") from None
    except (OSError, ValueError, RecursionError):
        raise ValueError(f"its {path.name} is damaged") from None
    if not isinstance(content, dict):
        raise ValueError(f"its {path.name} is damaged")
    return content
