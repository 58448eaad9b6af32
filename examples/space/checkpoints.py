"""Loads checkpoints by Hub id or folder, and keeps the last few of them."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from threading import Lock

import torch
import transformers
from huggingface_hub import hf_hub_download
from huggingface_hub.errors import (
    EntryNotFoundError,
    GatedRepoError,
    HFValidationError,
    LocalEntryNotFoundError,
    RepositoryNotFoundError,
)
from transformers import AutoConfig, AutoModelForSeq2SeqLM, AutoTokenizer, Pipeline, pipeline

from hf_arae import LatentSpace
from hf_arae.models.auto import FAMILIES

_LONGEST_NAME = 300
_MILLION = 1_000_000


@dataclass
class Checkpoint:
    """A model and its tokenizer, and what the tabs do with them.

    Its properties raise the library's own ValueError or TypeError for a model that cannot do a task.
    """

    name: str
    model: transformers.PreTrainedModel
    tokenizer: transformers.PreTrainedTokenizerBase

    @property
    def labels(self) -> list[str]:
        """The labels that the model can write with; none for a model without attributes."""
        config = self.model.config
        return list(config.id2label.values()) if getattr(config, "num_attributes", 1) > 1 else []

    @property
    def summary(self) -> str:
        """One line on what was loaded."""
        size = sum(parameter.numel() for parameter in self.model.parameters()) / _MILLION
        written = f", writes {' or '.join(self.labels)}" if self.labels else ""
        return f"{type(self.model).__name__}, {size:.1f} million parameters{written}"

    @cached_property
    def rewrite(self) -> Pipeline:
        return pipeline("text-style-transfer", model=self.model, tokenizer=self.tokenizer)

    @cached_property
    def summarize(self) -> Pipeline:
        return pipeline("text-summarization", model=self.model, tokenizer=self.tokenizer)

    def latent(self, label: str | None = None) -> LatentSpace:
        """The latent space, written with a label: by default the first one, where the model has labels."""
        if not self.labels:
            return LatentSpace(self.model, self.tokenizer)
        label = label or self.labels[0]
        if label not in self.labels:
            raise ValueError(f"label must be one of {', '.join(map(repr, self.labels))}; got {label!r}")
        return LatentSpace(self.model, self.tokenizer, attribute=label)


class Checkpoints:
    """The checkpoints in memory, the least recently used of which makes room for a new one.

    Args:
        most_kept: checkpoints in memory.
        most_parameters: of one checkpoint. Anyone can name a model, and one that fills the memory ends all others.
    """

    def __init__(self, most_kept: int = 4, most_parameters: int = 300 * _MILLION):
        self.most_kept, self.most_parameters = most_kept, most_parameters
        self._kept: OrderedDict[str, Checkpoint] = OrderedDict()
        # A download takes minutes, in which what is loaded goes on answering: hence two locks.
        self._loading, self._computing = Lock(), Lock()

    @contextmanager
    def use(self, name: str) -> Iterator[Checkpoint]:
        """Gives a checkpoint, loaded if need be, to one caller at a time.

        One at a time even with different models: what is drawn by a seed comes from torch's generator, which the
        process has only one of, so two callers at once would draw from one another's numbers.
        """
        checkpoint = self.get(name)
        with self._computing:
            yield checkpoint

    def get(self, name: str) -> Checkpoint:
        """Returns a checkpoint, from memory if it is there.

        Raises:
            ValueError: there is no such model, it is not one of hf_arae's, it is damaged or too large.
        """
        name = (name or "").strip()
        if not name:
            raise ValueError("no model is named: give a Hub id or a folder")
        if len(name) > _LONGEST_NAME:
            raise ValueError(f"a model's name has at most {_LONGEST_NAME} characters, got {len(name)}")
        with self._loading:
            if name not in self._kept:
                _check_there(name)
                checkpoint = self._load(name)
                while len(self._kept) >= self.most_kept:
                    self._kept.popitem(last=False)
                self._kept[name] = checkpoint
            self._kept.move_to_end(name)
            return self._kept[name]

    def _load(self, name: str) -> Checkpoint:
        # False, as without it transformers asks at the server's terminal whether to run a repository's code.
        local = {"trust_remote_code": False}
        try:
            config = AutoConfig.from_pretrained(name, **local)
        except Exception as error:
            raise ValueError(f"{name} is not a model of hf_arae: {_first_line(error)}") from error
        writers = [family.config for family in FAMILIES if "AutoModelForSeq2SeqLM" in family.models]
        if not isinstance(config, tuple(writers)):
            known = ", ".join(family.model_type for family in writers)
            raise ValueError(f"{name} is a model of type {config.model_type!r}; accepted are {known}")
        try:
            with torch.device("meta"):
                size = sum(p.numel() for p in AutoModelForSeq2SeqLM.from_config(config, **local).parameters())
            if size <= self.most_parameters:
                model = AutoModelForSeq2SeqLM.from_pretrained(name, use_safetensors=True, **local)
                return Checkpoint(name, model.eval(), AutoTokenizer.from_pretrained(name, **local))
        except Exception as error:
            raise ValueError(f"{name} cannot be loaded: {_first_line(error)}") from error
        raise ValueError(
            f"{name} has {size / _MILLION:.0f} million parameters; at most {self.most_parameters / _MILLION:.0f} "
            "million are loaded here"
        )


def _check_there(name: str) -> None:
    """Raises ValueError with one line where transformers would write a paragraph."""
    if Path(name).is_dir():
        return
    try:
        hf_hub_download(name, "config.json")
    except HFValidationError:
        raise ValueError(f"there is no folder {name}, and a Hub id has the form OWNER/NAME") from None
    except GatedRepoError:
        raise ValueError(f"{name} is gated: its owner has not let this server read it") from None
    except RepositoryNotFoundError:
        raise ValueError(f"there is no folder {name}, and the Hub has no such public model") from None
    except LocalEntryNotFoundError:
        raise ValueError(f"there is no folder {name}, it was not downloaded before, and the Hub is offline") from None
    except EntryNotFoundError:
        raise ValueError(f"{name} has no config.json: it is no model") from None
    except OSError as error:
        raise ValueError(f"{name} could not be read from the Hub: {_first_line(error)}") from error


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0][:_LONGEST_NAME] if lines else type(error).__name__


checkpoints = Checkpoints()
