"""Public models of the Hub, fetched without the server's own token."""

from __future__ import annotations

from pathlib import Path

from foreign import CONFIG, FILES, check_size
from huggingface_hub import HfApi, snapshot_download
from huggingface_hub.errors import (
    GatedRepoError,
    HFValidationError,
    LocalEntryNotFoundError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
)

_SECONDS = 20  # for an answer of the Hub's about a model


def fetch(name: str, max_parameters: int) -> Path:
    """Downloads what is needed of a public model, unless it is too large; returns its folder.

    A name is never taken for a path. Without a connection, what was downloaded before is given.

    Raises:
        ValueError: there is no such model, it is too large, or the Hub cannot be reached. What it says does not depend
            on what files this server has.
    """
    try:
        _check_sizes(name, max_parameters)
        # The token of whoever runs the server would open that person's private models to every visitor.
        return Path(snapshot_download(name, allow_patterns=list(FILES), token=False))
    except GatedRepoError:
        raise ValueError("it is gated: its owner lets nobody read it unasked") from None
    except (HFValidationError, RepositoryNotFoundError):
        raise ValueError("the Hub has no such public model, and it is none of this server's") from None
    except (LocalEntryNotFoundError, OfflineModeIsEnabled):
        raise ValueError(
            "it is none of this server's models, it was not downloaded before, and the Hub is offline"
        ) from None
    except OSError as error:  # the Hub's own errors, and those of the connection
        raise ValueError(f"it could not be read from the Hub ({type(error).__name__})") from error


def _check_sizes(name: str, max_parameters: int) -> None:
    try:
        files = HfApi(token=False).model_info(name, files_metadata=True, timeout=_SECONDS).siblings or []
    except OfflineModeIsEnabled:
        return
    sizes = {file.rfilename: file.size for file in files}
    if CONFIG not in sizes:
        raise ValueError(f"it has no {CONFIG}: it is no model")
    for file in FILES:
        check_size(file, sizes.get(file), max_parameters)
