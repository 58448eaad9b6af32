"""One kind of error for all that can go wrong with the Hub, in words that say what to do."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from huggingface_hub import HfApi, get_token
from huggingface_hub.errors import (
    HfHubHTTPError,
    HFValidationError,
    HTTPError,  # the HTTP library's own, which is another one in other versions of huggingface_hub
    LocalEntryNotFoundError,
    LocalTokenNotFoundError,
    OfflineModeIsEnabled,
    RemoteEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)


class HubError(RuntimeError):
    """The Hub cannot be reached, refuses, or has something else than was expected; the message says what to do."""


def connect(token: str | None = None) -> HfApi:
    """The Hub's client, with a token or the one you are logged in with.

    Raises:
        HubError: the token is blank, or holds what no token has.
    """
    if token is not None and not token.strip():
        raise HubError("the token is blank. Run `hf auth login`, or set HF_TOKEN, or leave the token out")
    used = (token or get_token() or "").strip()
    if not used.isascii() or not used.isprintable() or " " in used:
        raise HubError(
            "the token holds a character that no token has (a letter with an accent, a space or a line break, say): "
            "copy it again, then `hf auth login`, or set HF_TOKEN"
        )
    return HfApi(token=token and used)


@contextmanager
def clear_errors(repo_id: str, revision: str | None = None) -> Iterator[None]:
    """Turns what huggingface_hub raises about a repository into a `HubError` of one sentence or two."""
    try:
        yield
    except HFValidationError as error:
        raise HubError(
            f"{repo_id!r} is no name of a repository. Accepted: NAME or OWNER/NAME of letters, digits, '-', '_' and "
            f"'.', at most 96 characters, with no '--' or '..' and no '-' or '.' at an end"
        ) from error
    except OfflineModeIsEnabled as error:
        raise HubError("HF_HUB_OFFLINE=1 is set, so the Hub is not asked. Unset it to push, pull or list") from error
    except LocalTokenNotFoundError as error:
        raise HubError("not logged in: run `hf auth login`, or set HF_TOKEN") from error
    except RevisionNotFoundError as error:
        raise HubError(f"{repo_id} has no revision {revision!r}") from error
    except RepositoryNotFoundError as error:
        raise HubError(
            f"there is no repository {repo_id}, or it is private and your token does not open it. Check the name; "
            f"`hf auth whoami` says whose token is used"
        ) from error
    except RemoteEntryNotFoundError as error:
        raise HubError(f"{repo_id} lacks a file: {_first_line(error)}") from error
    except HfHubHTTPError as error:
        raise HubError(_refusal(error, repo_id)) from error
    except (HTTPError, LocalEntryNotFoundError, ConnectionError) as error:
        raise HubError(
            f"the Hub cannot be reached ({_first_line(error) or type(error).__name__}). Check the network and "
            f"HF_ENDPOINT; what is on this disk is as it was"
        ) from error


def _refusal(error: HfHubHTTPError, repo_id: str) -> str:
    status = error.response.status_code
    if status == 401 and get_token() is None:
        return "not logged in (401): run `hf auth login`, or set HF_TOKEN"
    if status == 401:
        return "the Hub does not know your token (401). Make one at its settings page, then `hf auth login`"
    if status == 403:
        return f"your token may not write to {repo_id} (403): it is someone else's, or the token can only read"
    if status == 409:
        return f"{repo_id} exists already (409). Give another name, or say that it is to be updated"
    said = error.server_message or _first_line(error)
    return f"the Hub refused {repo_id} ({status}): {said}"


def _first_line(error: Exception) -> str:
    return next((line for line in str(error).splitlines() if line.strip()), "")
