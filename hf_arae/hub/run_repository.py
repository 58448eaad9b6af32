"""The repository of a run: made before the training begins, filled while it goes on and at its end."""

from __future__ import annotations

from concurrent.futures import Future
from pathlib import Path
from typing import Any, Protocol

from transformers.utils import logging

from hf_arae.hub.cards import write_run_card
from hf_arae.hub.checks import check_card, check_model_folder, check_no_places
from hf_arae.hub.errors import HubError, clear_errors, connect
from hf_arae.hub.published import notice
from hf_arae.hub.pushing import open_repository, upload

logger = logging.get_logger(__name__)


class PublishingArguments(Protocol):
    """What a run says of its place on the Hub; `TrainingArguments` does."""

    output_dir: str
    hub_model_id: str | None
    hub_private_repo: bool
    hub_strategy: str
    publish_samples: bool
    license: str | None
    language: str | None


class RunRepository:
    """A run's place on the Hub, for the main process. Making it says what the run will make public.

    Args:
        arguments: the run's: the repository's name (that of `output_dir`, if none is given), whether it is private if
            it is new, and what goes there.
        processor: what will go up beside the model, if it is known by now.

    Raises:
        HubError: the Hub refuses or cannot be reached.
    """

    def __init__(self, arguments: PublishingArguments, processor: Any | None = None):
        self.arguments, self.api = arguments, connect()
        name = arguments.hub_model_id or Path(arguments.output_dir).resolve().name
        # A resumed run finds its own files there.
        self.repo_id = open_repository(name, "model", arguments.hub_private_repo or None, self.api, update=True)
        with clear_errors(self.repo_id):
            private = bool(self.api.repo_info(self.repo_id).private)
        every_save = arguments.hub_strategy == "every_save"
        page = f"{self.api.endpoint}/{self.repo_id}"
        logger.warning("%s", notice(page, private, processor, arguments.publish_samples, every_save))
        self.uploading: Future | None = None

    def push_checkpoint(self, folder: Path) -> None:
        """Sends a checkpoint's model, without its training state, while the training goes on.

        A checkpoint that is written before the one before has arrived is left out. What fails is logged: the next one
        or the end will send it again.
        """
        if self.uploading is not None and not self.uploading.done():
            return
        self._report()
        # The folder may be rotated away meanwhile: what is not found then is in the log.
        message = f"Training in progress, {folder.name}"
        self.uploading = self.api.run_as_future(upload, folder, self.repo_id, "model", None, message, False, self.api)

    def push_result(self, folder: Path, message: str = "End of training") -> str:
        """Writes the card of the run into its folder and sends that; returns the repository's address.

        Raises:
            ValueError: the folder is not whole, or names places on this machine; nothing was sent.
            HubError: the Hub refuses or cannot be reached; the run's folder has all that was to be sent.
        """
        if self.uploading is not None:
            self.uploading.exception()  # waits
            self._report()
        samples = self.arguments.publish_samples
        given = {"license": self.arguments.license, "language": self.arguments.language}
        check_model_folder(folder)
        check_card(write_run_card(folder, self.repo_id, **given, publish_samples=samples))
        check_no_places(folder)
        try:
            with clear_errors(self.repo_id):
                done = upload(folder, self.repo_id, "model", None, message, samples, self.api)
        except HubError as error:
            again = f"python -m hf_arae.hub push {folder} {self.repo_id} --update"
            raise HubError(f"{error}. The result is in {folder}; to push it later: {again}") from error
        return done.commit_url.partition("/commit/")[0]

    def _report(self) -> None:
        error = None if self.uploading is None else self.uploading.exception()
        if error is not None:
            logger.warning("a checkpoint could not be pushed to %s: %s", self.repo_id, error)
        self.uploading = None
