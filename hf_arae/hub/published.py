"""What of a folder goes to the Hub: its files, without sentences of the data unless these are to be published."""

from __future__ import annotations

from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from hf_arae.hub.cards import CARD_FILE, SAMPLES_FILE, samples_wanted
from hf_arae.hub.export import code_of
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


def publication(folder: Path, repo_type: str = "model", samples: bool = False) -> dict[str, Path | bytes]:
    """What of a folder goes up: paths relative to it, with the files as they are or what stands for them.

    Of a model's folder: its code, which is written for this, and its report, log and table without places and NaN.

    Args:
        folder: of a model of this package, or of a dataset or a Space.
        repo_type: "model", "dataset" or "space".
        samples: sentences of the data too.

    Raises:
        ExportError: the code cannot stand without this package.
    """
    paths = [path for path in folder.rglob("*") if path.is_file()]
    if repo_type != "model":
        names = {path.relative_to(folder).as_posix(): path for path in paths}
        hidden = (".", "__pycache__")
        return {
            name: path
            for name, path in sorted(names.items())
            if not any(part.startswith(hidden) for part in name.split("/"))
            and not any(fnmatch(path.name, pattern) for pattern in _NEVER)
        }
    patterns = MODEL_FILES + (SENTENCE_FILES if samples else ())
    card = folder / CARD_FILE
    shown = card.read_text(encoding="utf-8") if card.is_file() else ""
    names = {path.relative_to(folder).as_posix(): path for path in paths}
    found: dict[str, Path | bytes] = {
        name: path
        for name, path in names.items()
        if (path.parent == folder and any(fnmatch(name, pattern) for pattern in patterns))
        or (path.suffix == ".png" and f"]({name})" in shown)
    }
    found |= {name: text.encode() for name, text in code_of(folder).items()}
    if REPORT_FILE in found:
        found[REPORT_FILE] = to_json(without_places(read_report(folder)), indent=2).encode()
    if LOG_FILE in found:
        found[LOG_FILE] = _published_log(folder / LOG_FILE, samples)
    if "table.json" in found:
        found["table.json"] = to_json(_without_place(read_json(folder / "table.json")), indent=2).encode()
    return dict(sorted(found.items()))


def notice(page: str, private: bool, processor: Any | None, samples: bool, every_save: bool) -> str:
    """What a run that goes to the Hub makes public, to be read before it begins.

    Args:
        page: the repository's address.
        private: only those whom its owner lets in can read it.
        processor: what goes up beside the model, if it is known by now.
        samples: sentences of the data go up.
        every_save: not only the result does.
    """
    readers = "private: who has access to it can read" if private else "PUBLIC: anyone can read"
    beside = "the processor"
    if processor is None or hasattr(processor, "get_vocab"):
        known = "" if processor is None else f"all {len(processor):,} words of "
        beside = (
            f"the tokenizer, that is {known}its vocabulary, which are words of the training data (names and numbers "
            f"among them)"
        )
    return (
        f"This run {'pushes each checkpoint and its result' if every_save else 'pushes its result'} to {page} "
        f"({readers} what follows).\n"
        f"It goes up: the weights; {beside}; the names of the labels; the code of the model; a card with the names "
        f"(not the places) of the data, the settings, the command and the numbers; the log and its curves.\n"
        + (
            "As publish_samples is on, so do sentences or pictures of the data and what the model makes of them, in "
            "card and log."
            if samples
            else "No sentence or picture of the data goes up (--publish_samples adds some, in card and log), no path "
            "of this machine, and no licence or language but what --license and --language say."
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
