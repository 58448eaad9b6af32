"""Presets: YAML files of flags, in the folder `presets` beside the scripts that they are for.

# First lines: what it is, on what data, which row of which table.
script: train_style_transfer    # the script that it is for
extends: arae-reviews           # a preset whose flags lie under these, if there is one
max_steps: 7000
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # the former is fast, and not built everywhere
    """Reads values as texts, as they are written, but null: their flags say what 010, 1.10, 1:30 or off mean."""

    yaml_implicit_resolvers = {
        first: [(tag, pattern) for tag, pattern in known if tag.endswith((":null", ":merge"))]
        for first, known in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value in seen:
                raise yaml.YAMLError(f"the key {key.value} stands there twice")
            seen.add(key.value if isinstance(key, yaml.ScalarNode) else None)
        return super().construct_mapping(node, deep)


def presets_for(script: Path) -> list[str]:
    """Names of the presets that are for a script; one that cannot be read is left out."""
    folder, found = script.with_name("presets"), []
    for path in sorted(folder.glob("*.yaml")):
        try:
            wanted = _load(path, folder).get("script")
        except (ValueError, OSError):
            continue
        if wanted == script.stem:
            found.append(path.stem)
    return found


def script_of(name: str, folder: Path) -> str:
    """The script, without `.py`, that a preset of a folder is for.

    Raises:
        ValueError: there is no such preset, or it names no script.
    """
    path = folder / f"{name}.yaml"
    values = _load(path, folder) if path.is_file() else {}
    if "script" not in values:
        raise ValueError(f"there is no preset {name} that names its script")
    return values["script"]


def read_preset(name: str, script: str | Path, flags: Sequence[str] | None = None) -> dict[str, Any]:
    """The flags of a preset, with those of the preset that it `extends`.

    Args:
        name: of a file in the folder `presets` beside the script, without `.yaml`; or a path.
        script: the script's file.
        flags: those that the script has; `None`: any.

    Raises:
        ValueError: there is no such preset, it is for another script, or has a key that is no flag of the script.
    """
    script = Path(script)
    folder = script.with_name("presets")
    path = folder / f"{name}.yaml"
    if not path.is_file():
        path = Path(name)
    if not path.is_file():
        if path.suffix or len(path.parts) > 1:
            raise ValueError(f"there is no preset or file {name}. {_listed(script)}")
        known = presets_for(script)
        raise ValueError(f"there is no preset {name}{close_names(name, known)} {_listed(script)}")
    values = _load(path, folder)
    wanted = values.pop("script", script.stem)
    if wanted != script.stem:
        raise ValueError(f"the preset {name} is for {wanted}.py. {_listed(script)}")
    for key in values if flags is not None else ():
        if key not in flags:
            raise ValueError(
                f"the preset {name} has the key {key}, which is no flag of this script{close_names(key, flags)}"
            )
    return values


def _listed(script: Path) -> str:
    return f"Presets of {script.name}: {', '.join(presets_for(script)) or 'none'}."


def _load(path: Path, folder: Path, above: tuple[Path, ...] = ()) -> dict[str, Any]:
    """The flags in a file, over those of the preset that it `extends`; `above` are the files that extend this one."""
    try:
        values = yaml.load(path.read_text(encoding="utf-8"), _Loader) or {}
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is no YAML that can be read: {error}") from error
    if not isinstance(values, dict) or not all(isinstance(key, str) for key in values):
        raise ValueError(f"{path} must hold flags and their values, a line each: max_steps: 1000")
    below = values.pop("extends", None)
    if below is None:
        return values
    beneath = folder / f"{below}.yaml"
    if not beneath.is_file():
        names = [one.stem for one in folder.glob("*.yaml")]
        raise ValueError(f"{path} extends {below}, which is no preset{close_names(str(below), names)}")
    if beneath in (path, *above):
        raise ValueError(f"{path} extends itself, by way of {below}")
    return _load(beneath, folder, (path, *above)) | values


def close_names(name: str, known: Sequence[str], before: str = "") -> str:
    """ ": did you mean ...?" where something has a like name, else a full stop."""
    found = difflib.get_close_matches(name, known, n=3)
    return f": did you mean {' or '.join(before + one for one in found)}?" if found else "."
