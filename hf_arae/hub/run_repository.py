"""The repository of a run: made before the training begins, filled while it goes on and at its end."""

from __future__ import annotations

from concurrent.futures import Future
from pathlib import Path

from huggingface_hub import HfApi
from transformers.utils import logging

from hf_arae.hub.cards import write_run_card
from hf_arae.hub.checks import check_model_folder
from hf_arae.hub.errors import HubError, clear_errors
from hf_arae.hub.pushing import open_repository, published_files, upload

logger = logging.get_logger(__name__)


class RunRepository:
    """A run's place on the Hub, for the main process.

    Args:
        repo_id: OWNER/NAME, or NAME for one of your own.
        private: make it private if it is new.

    Raises:
        HubError: the Hub refuses or cannot be reached.
    """

    def __init__(self, repo_id: str, private: bool = False):
        self.api = HfApi()
        # A resumed run finds its own files there.
        self.repo_id = open_repository(repo_id, "model", private or None, self.api, update=True)
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
        files = published_files(folder)
        self.uploading = self.api.run_as_future(upload, folder, files, self.repo_id, "model", None, message, self.api)

    def push_result(self, folder: Path, message: str = "End of training") -> str:
        """Writes the card of the run into its folder and sends that; returns the repository's address.

        Raises:
            HubError: the Hub refuses or cannot be reached; the run's folder has all that was to be sent.
        """
        if self.uploading is not None:
            self.uploading.exception()  # waits
            self._report()
        write_run_card(folder, self.repo_id)
        check_model_folder(folder)
        try:
            with clear_errors(self.repo_id):
                done = upload(folder, published_files(folder), self.repo_id, "model", None, message, self.api)
        except HubError as error:
            again = f"python -m hf_arae.hub push {folder} {self.repo_id} --update"
            raise HubError(f"{error}. The result is in {folder}; to push it later: {again}") from error
        return done.commit_url.partition("/commit/")[0]

    def _report(self) -> None:
        error = None if self.uploading is None else self.uploading.exception()
        if error is not None:
            logger.warning("a checkpoint could not be pushed to %s: %s", self.repo_id, error)
        self.uploading = None
