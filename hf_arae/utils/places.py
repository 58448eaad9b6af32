"""What a run says of itself without the places on the machine that it ran on."""

from __future__ import annotations

import shlex
from pathlib import Path, PureWindowsPath
from typing import Any

from huggingface_hub.utils import HFValidationError, validate_repo_id

_NAMES_OF_REPOSITORIES = ("dataset_name", "titles_name", "base_model", "model", "hub_model_id")


def without_places(report: dict[str, Any]) -> dict[str, Any]:
    """A run's report for others: paths in its settings and its commands are cut to the last name in them.

    Ids of repositories on the Hub stay whole.
    """
    kept = repositories(report)
    parts = {}
    for key, value in report.items():
        if key == "command":
            parts[key] = _command(str(value), kept)
        elif key == "base" and isinstance(value, dict):
            parts[key] = without_places(value)
        elif key != "repositories":
            parts[key] = _value(value, kept)
    return parts


def repositories(report: dict[str, Any]) -> set[str]:
    """Names in a report's settings that are ids of repositories, as the run recorded them.

    Of a report without that record: those that have the form of an id and are no folder here.
    """
    recorded = report.get("repositories")
    return set(repository_names(report.get("settings", {})) if recorded is None else recorded)


def repository_names(settings: dict[str, Any]) -> list[str]:
    """Names in settings that have the form of a repository's id and are no folder here (or OWNER/NAME:CONFIG)."""
    values = [str(settings.get(key) or "") for key in _NAMES_OF_REPOSITORIES]
    names = [name.strip() for value in values for name in value.split(",")]
    return list(dict.fromkeys(name for name in names if is_repository(name)))


def is_repository(name: str) -> bool:
    """Whether a name is a repository's id (its owner included), as far as its form and this disk tell."""
    place = name.partition(":")[0]
    try:
        validate_repo_id(place)
    except HFValidationError:
        return False
    return place.count("/") == 1 and not Path(place).exists() and not place.startswith(".")


def without_place(name: str) -> str:
    """The last name of a path of any system; anything else as it is."""
    if not any(mark in name for mark in "/\\~"):
        return name
    return PureWindowsPath(name.rstrip("/\\")).name or "."


def _value(value: Any, kept: set[str]) -> Any:
    if isinstance(value, dict):
        return {key: _value(item, kept) for key, item in value.items()}
    if isinstance(value, list):
        return [_value(item, kept) for item in value]
    if isinstance(value, str):
        return ",".join(name if name.strip() in kept else without_place(name) for name in value.split(","))
    return value


def _command(command: str, kept: set[str]) -> str:
    try:
        words = shlex.split(command)
    except ValueError:
        words = command.split()
    shown = []
    for word in words:
        flag, equals, value = word.partition("=") if word.startswith("--") else ("", "", word)
        of_the_examples = PureWindowsPath(value).suffix == ".py" and PureWindowsPath(value).parent.name == "examples"
        shown.append(flag + equals + ("examples/" if of_the_examples else "") + _value(value, kept))
    return shlex.join(shown)
