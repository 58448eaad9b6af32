"""What of a folder goes to the Hub: its files, without sentences of the data unless these are to be published."""

from __future__ import annotations

from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from huggingface_hub import CommitOperationAdd

from hf_arae.hub.cards import CARD_FILE, SAMPLES_FILE, samples_wanted
from hf_arae.hub.export import is_exported
from hf_arae.storage.files import read_json
from hf_arae.storage.json_numbers import to_json
from hf_arae.storage.run_files import LOG_FILE, REPORT_FILE, read_log, read_report
from hf_arae.utils.places import without_place, without_places

REPO_TYPES = ("model", "dataset", "space")
# Of a model's folder: what it takes to load it, how it was trained, and what it says. Not checkpoint-N/ with its
# optimizers' states, nor a pickle, a note or a script that lies there.
MODEL_FILES = (
    "model*.safetensors",
    "model.safetensors.index.json",
    "*.onnx",
    "config.json",
    "generation_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "*processor_config.json",
    CARD_FILE,
    "table.md",
    "directions.md",
    "table.json",
    REPORT_FILE,
    LOG_FILE,
)
SENTENCE_FILES = (SAMPLES_FILE, "outputs*.jsonl")  # of the data, and what the model made of them
_NEVER = ("*.pt", "*.pth", "*.bin", "*.pkl", "*.pickle", "*.ckpt", "*.joblib", "*.pyc", "*.lock", "*.incomplete")


def publishes_samples(folder: Path) -> bool:
    """Whether sentences of the data were to be published when the folder was made: by its run, or in its card."""
    card = folder / CARD_FILE
    return samples_wanted(read_report(folder)) or (
        card.is_file() and f"]({SAMPLES_FILE})" in card.read_text(encoding="utf-8")
    )


def published_files(folder: Path, repo_type: str = "model", samples: bool = False) -> list[str]:
    """Paths, relative to the folder, of the files that go up.

    Args:
        samples: sentences of the data too.
    """
    if repo_type == "model":
        patterns = MODEL_FILES + (SENTENCE_FILES if samples else ())
        card = folder / CARD_FILE
        shown = card.read_text(encoding="utf-8") if card.is_file() else ""
        paths = [path for path in folder.iterdir() if path.is_file()]
        return sorted(
            path.name
            for path in paths
            if any(fnmatch(path.name, pattern) for pattern in patterns)
            or (path.suffix == ".py" and is_exported(path))
            or (path.suffix == ".png" and f"]({path.name})" in shown)
        )
    paths = [path.relative_to(folder) for path in folder.rglob("*") if path.is_file()]
    hidden = [path for path in paths if any(part.startswith(".") or part == "__pycache__" for part in path.parts)]
    return sorted(
        path.as_posix()
        for path in paths
        if path not in hidden and not any(fnmatch(path.name, pattern) for pattern in _NEVER)
    )


def additions(folder: Path, files: list[str], repo_type: str = "model", samples: bool = False) -> list:
    """The files as operations of a commit: a model's report, log and table without places, sentences and NaN."""
    operations = []
    for name in files:
        content: Path | bytes = folder / name
        if repo_type == "model" and name == REPORT_FILE:
            content = to_json(without_places(read_report(folder)), indent=2).encode()
        elif repo_type == "model" and name == LOG_FILE:
            content = _published_log(folder / name, samples)
        elif repo_type == "model" and name == "table.json":
            content = to_json(_without_place(read_json(folder / name)), indent=2).encode()
        operations.append(CommitOperationAdd(path_in_repo=name, path_or_fileobj=content))
    return operations


def notice(page: str, private: bool, words: int | None, samples: bool, every_save: bool) -> str:
    """What a run that goes to the Hub makes public, to be read before it begins.

    Args:
        page: the repository's address.
        private: only those whom its owner lets in can read it.
        words: size of the vocabulary, if it is known by now.
        samples: sentences of the data go up.
        every_save: not only the result does.
    """
    readers = "private: who has access to it can read" if private else "PUBLIC: anyone can read"
    known = "" if words is None else f"all {words:,} words of "
    return (
        f"This run {'pushes each checkpoint and its result' if every_save else 'pushes its result'} to {page} "
        f"({readers} what follows).\n"
        f"It goes up: the weights; the tokenizer, that is {known}its vocabulary, which are words of the training data "
        f"(names and numbers among them); the names of the labels; the code of the model; a card with the names (not "
        f"the places) of the data, the settings, the command and the numbers; the log and its curves.\n"
        + (
            "As publish_samples is on, so do sentences of the data and what the model makes of them, in card and log."
            if samples
            else "No sentence of the data goes up (--publish_samples adds some, in card and log), no path of this "
            "machine, and no licence or language but what --license and --language say."
        )
    )


def _published_log(path: Path, samples: bool) -> bytes:
    kept = ({name: line[name] for name in line if samples or name != "samples"} for line in read_log(path))
    return "".join(f"{to_json(line)}\n" for line in kept).encode()


def _without_place(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_place(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_without_place(item) for item in value]
    return without_place(value) if isinstance(value, str) else value
