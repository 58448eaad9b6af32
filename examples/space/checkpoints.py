"""Loads checkpoints by Hub id or folder, and keeps the last few of them."""

from __future__ import annotations

import os
import re
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NotYet
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from pathlib import Path
from threading import Lock, Thread

import torch
import transformers
from fetching import fetch
from foreign import CONFIG, FILES, check_size, check_tokenizer, read_config, rules_of
from foreign_images import check_work, read_processor
from transformers import AutoTokenizer, Pipeline, pipeline

from hf_arae import AraeImageProcessor, LatentSpace, SwwaeModel
from hf_arae.evaluation.what_where import tells_where
from hf_arae.latent.images import LatentImages
from hf_arae.models.auto import Family, families
from hf_arae.models.images.image_config import ImageConfig
from hf_arae.models.images.image_model import ImageModel
from hf_arae.storage.downloads import check_downloaded_weights

_AUTO_CLASSES = {"AutoModelForSeq2SeqLM", "AutoModelForTokenClassification"}  # of what the tabs do with texts
_IMAGES_AT_ONCE = 8
_LONGEST_NAME = 300
_MILLION = 1_000_000
_PATH = re.compile(r"(?<![\w<:/])(?:\.{0,2}/)(?:[^\s/'\"]+/)*(?=[^\s/])")  # of a file, up to its name


@dataclass
class Checkpoint:
    """A model and its tokenizer or image processor, and what the tabs do with them.

    Its properties raise the library's own ValueError or TypeError for a model that cannot do a task.
    """

    name: str
    model: transformers.PreTrainedModel
    processor: transformers.PreTrainedTokenizerBase | AraeImageProcessor

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
        self._check_kind(images=False)
        return pipeline("text-style-transfer", model=self.model, tokenizer=self.processor)

    @cached_property
    def summarize(self) -> Pipeline:
        self._check_kind(images=False)
        return pipeline("text-summarization", model=self.model, tokenizer=self.processor)

    @cached_property
    def images(self) -> LatentImages:
        """The latent space of a model of images."""
        self._check_kind(images=True)
        return LatentSpace(self.model, self.processor, batch_size=_IMAGES_AT_ONCE)

    @cached_property
    def detect(self) -> Pipeline:
        self._check_kind(images=True)
        return pipeline("image-anomaly-detection", model=self.model, image_processor=self.processor)

    @property
    def what_where(self) -> SwwaeModel:
        """The model itself, if its poolings say where their maxima stood."""
        self._check_kind(images=True)
        if not tells_where(self.model):
            raise ValueError(
                f"the model {self.name} does not keep where it saw what, and this tab needs a stacked what-where "
                "autoencoder"
            )
        return self.model

    def latent(self, label: str | None = None) -> LatentSpace:
        """The latent space of texts, written with a label: by default the first one, where the model has labels."""
        self._check_kind(images=False)
        if not self.labels:
            return LatentSpace(self.model, self.processor)
        label = label or self.labels[0]
        if label not in self.labels:
            raise ValueError(f"label must be one of {', '.join(map(repr, self.labels))}; got {label!r}")
        return LatentSpace(self.model, self.processor, attribute=label)

    def _check_kind(self, images: bool) -> None:
        if isinstance(self.model, ImageModel) == images:
            return
        if images:
            raise ValueError(f"the model {self.name} is one of texts, and this tab needs one of images")
        raise ValueError(
            f"the model {self.name} is one of images, and this tab needs one of texts: see the tab Images"
        )


class Checkpoints:
    """The checkpoints in memory, the least recently used of which makes room for a new one.

    Args:
        max_kept: checkpoints in memory.
        max_parameters: of one checkpoint. Anyone can name a model, and one that fills the memory ends all others.
        max_loading: checkpoints that are loaded at once; further ones are put off.
        patience: seconds that a caller waits for a checkpoint. It goes on being loaded afterwards.
    """

    def __init__(
        self,
        max_kept: int = 4,
        max_parameters: int = 300 * _MILLION,
        max_loading: int = 2,
        patience: float = 60,
    ):
        self.max_kept, self.max_parameters = max_kept, max_parameters
        self.max_loading, self.patience = max_loading, patience
        self._folders: dict[str, Path] = {}
        self._trusted: frozenset[str] = frozenset()
        self._kept: OrderedDict[str, Checkpoint] = OrderedDict()
        self._loads: dict[str, Future] = {}
        # A download takes minutes, in which what is loaded goes on answering: the first lock is held for moments only.
        self._looking, self._computing = Lock(), Lock()

    def show(self, *names: str) -> None:
        """Lets visitors name these folders of the server, or the models in them; no other folder can be named.

        Args:
            names: folders of models, or folders of such folders. Those that do not exist are passed over.
        """
        for folder in map(Path, names):
            children = sorted(folder.iterdir()) if folder.is_dir() else []
            for model in (folder, *children):
                if (model / CONFIG).is_file():
                    self._folders[os.path.normpath(model)] = model
                    self._trusted |= rules_of(model)

    @contextmanager
    def use(self, name: str) -> Iterator[Checkpoint]:
        """Gives a checkpoint, loaded if need be, to one caller at a time.

        One at a time even with different models: what is drawn by a seed comes from torch's generator, which the
        process has only one of, so two callers at once would draw from one another's numbers.
        """
        checkpoint = self.get(name)
        with self._computing:
            yield checkpoint

    def get(self, name: str, wait: bool = False) -> Checkpoint:
        """Returns a checkpoint, from memory if it is there.

        Args:
            name: Hub id, or a folder that is shown.
            wait: wait for as long as loading takes.

        Raises:
            ValueError: there is no such model, it is not one of hf_arae's, it is damaged or too large; others are
                being loaded; or loading takes long.
        """
        name = (name or "").strip()
        if not name:
            raise ValueError("no model is named: give a Hub id")
        if len(name) > _LONGEST_NAME:
            raise ValueError(f"a model's name has at most {_LONGEST_NAME} characters, got {len(name)}")
        if (path := os.path.normpath(name)) in self._folders:
            name = path  # one model, however its folder is written
        with self._looking:
            if name in self._kept:
                self._kept.move_to_end(name)
                return self._kept[name]
            load = self._loads.get(name)
            if load is None:
                if len(self._loads) >= self.max_loading:
                    raise ValueError("other models are being loaded here: try again in a minute")
                load = self._loads[name] = Future()
                Thread(target=self._fill, args=(name, load), daemon=True).start()
        try:
            return load.result(None if wait else self.patience)
        except NotYet:
            raise ValueError(f"the model {name} is still being loaded: try again in a minute") from None

    def _fill(self, name: str, load: Future) -> None:
        try:
            checkpoint = self._load(name)
        except BaseException as error:
            with self._looking:
                del self._loads[name]
            load.set_exception(error)
            return
        with self._looking:
            del self._loads[name]
            while len(self._kept) >= self.max_kept:
                self._kept.popitem(last=False)
            self._kept[name] = checkpoint
        load.set_result(checkpoint)

    def _load(self, name: str) -> Checkpoint:
        folder = None
        try:
            folder = self._folders.get(name)
            if folder is None:
                folder = fetch(name, self.max_parameters)
                check_downloaded_weights(name, {})
            for file in FILES:
                if (folder / file).exists():
                    check_size(file, (folder / file).stat().st_size, self.max_parameters)
            accepted = {family.name: family for family in families() if _auto_class(family)}
            fields = read_config(folder, accepted)
            family = accepted[fields["model_type"]]
            images = _of_images(family)
            if not images:
                check_tokenizer(folder, self._trusted)
            config = family.config.from_dict(fields)
            processor = read_processor(folder, config) if images else None
            auto_class = getattr(transformers, _auto_class(family))
            # False, as without it transformers asks at the server's terminal whether to run a repository's code.
            local = {"trust_remote_code": False, "local_files_only": True}
            with torch.device("meta"):
                empty = auto_class.from_config(config, trust_remote_code=False)
            size = sum(part.numel() for part in _tensors(empty))
            if size > self.max_parameters:
                raise ValueError(
                    f"it has {size / _MILLION:.0f} million parameters; at most "
                    f"{self.max_parameters / _MILLION:.0f} million are loaded here"
                )
            if images:
                check_work(config)
            model = auto_class.from_pretrained(folder, config=config, use_safetensors=True, **local)
            if images:
                model.check_processor(processor)
            else:
                processor = AutoTokenizer.from_pretrained(folder, **local)
            return Checkpoint(name, model.eval(), processor)
        except Exception as error:
            raise ValueError(f"the model {name} cannot be loaded: {_first_line(error, folder)}") from error


def _of_images(family: Family) -> bool:
    return issubclass(family.config, ImageConfig)


def _auto_class(family: Family) -> str | None:
    """What builds a family's model for the tabs, if they have a use for it."""
    return "AutoModel" if _of_images(family) else min(_AUTO_CLASSES & family.models.keys(), default=None)


def _tensors(model: torch.nn.Module) -> Iterable[torch.Tensor]:
    return chain(model.parameters(), model.buffers())


def _first_line(error: Exception, folder: Path | None) -> str:
    """The first line of an error, with files by their names alone: where they are is the server's own affair."""
    lines = str(error).strip().splitlines()
    if not lines:
        return type(error).__name__
    line = lines[0] if folder is None else lines[0].replace(f"{folder}{os.sep}", "").replace(str(folder), "its folder")
    return _PATH.sub("", line)[:_LONGEST_NAME]


checkpoints = Checkpoints()
