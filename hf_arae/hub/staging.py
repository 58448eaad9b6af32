"""A model's repository as a folder on this disk: what a push would send, code included."""

from __future__ import annotations

import os
import shutil
from fnmatch import fnmatch
from pathlib import Path

from hf_arae.hub.cards import CARD_FILE
from hf_arae.hub.checks import check_card, check_model_folder, check_no_places
from hf_arae.hub.export import is_exported
from hf_arae.hub.published import MODEL_FILES, publication, publishes_samples

CARDS = "model_cards"  # the folder, where this package is run from its repository, of the models that come with it


def stage(name: str | os.PathLike, folder: str | os.PathLike) -> list[str]:
    """Writes what a push of a model would send into a folder, which then loads with or without this package.

    Args:
        name: a model's folder with its card, or the bare name of one in `model_cards/`.
        folder: made if it is not there. Source files in it that an earlier staging wrote, and this one does not, go;
            other files stay.

    Returns:
        The names of the files.

    Raises:
        FileExistsError: the folder holds files of another model, which would be taken for this one's.
        FileNotFoundError: there is no such model, or it lacks something.
        ValueError: the model's folder is not whole, or is itself the one to write into.
    """
    source, folder = _find(name), Path(folder)
    if source.resolve() == folder.resolve():
        raise ValueError(f"{folder} is the model's own folder: give another one to stage it in")
    check_model_folder(source)
    check_card(source / CARD_FILE)
    check_no_places(source)
    files = publication(source, samples=publishes_samples(source))
    strangers = [] if not folder.is_dir() else [path.name for path in folder.iterdir() if _loads(path.name)]
    strangers = sorted(name for name in strangers if name not in files)
    if strangers:
        raise FileExistsError(f"{folder} holds another model: {', '.join(strangers)} would be mixed with this one")
    folder.mkdir(parents=True, exist_ok=True)
    for path in folder.glob("*.py"):
        if path.name not in files and is_exported(path):
            path.unlink()
    for file, content in files.items():
        (folder / file).parent.mkdir(exist_ok=True)  # pictures lie in a folder
        if isinstance(content, bytes):
            (folder / file).write_bytes(content)
        else:
            shutil.copyfile(content, folder / file)
    return list(files)


def _loads(name: str) -> bool:
    """Whether a file of this name goes up, and is read, with the model beside it."""
    return any(fnmatch(name, pattern) for pattern in MODEL_FILES)


def _find(name: str | os.PathLike) -> Path:
    """The folder that a name means, here first."""
    cards = Path(__file__).parents[2] / CARDS
    places = [Path(name), Path(CARDS, name), cards / name]
    found = next((place for place in places if (place / "config.json").is_file()), None)
    if found is None:
        known = sorted(path.parent.name for path in cards.glob("*/config.json"))
        there = f", or one of {', '.join(known)}" if known else ""
        raise FileNotFoundError(f"there is no model {os.fspath(name)!r}. Accepted: a model's folder{there}")
    return found
