"""What all metrics share: the checks of their inputs, and a `compute` that keeps its inputs in memory."""

import abc
import numbers
import re
from collections.abc import Mapping, Set
from typing import Any

import datasets
import evaluate
import numpy as np

# As models read (hf_arae.data.text.rules), which cannot be imported: `evaluate` copies what a metric itself imports.
_UNSPACED = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff"
_PARTING = re.compile(rf"(?<=[{_UNSPACED}])\u200b(?=[{_UNSPACED}])")
_UNSEEN = re.compile(
    "[\u00ad\u034f\u061c\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]"
    "|(?<=[ -~])[\u200c\u200d]|[\u200c\u200d](?=[ -~])"
)


class InMemoryMetric(evaluate.Metric, abc.ABC):
    """An `evaluate.Metric` that checks its inputs at once and writes nothing to disk.

    `evaluate` itself sends predictions and references through a locked arrow file, which is slow, fails with an
    IndexError on empty input, and admits only one shape of references. `compute`, `add` and `add_batch` work as there;
    in a distributed run gather the predictions first (`accelerator.gather_for_metrics`) and compute in one process.

    The class is abstract so that `evaluate.load`, which takes the first concrete metric that it finds in a file,
    passes over it.
    """

    paired = (
        True  # prediction i is compared with reference i; else they are two sets, of which each has its own number
    )

    def __init__(self, **kwargs: Any):
        super().__init__(**kwargs)
        if self.num_process != 1:
            raise ValueError(
                f"{type(self).__name__} computes in one process, got num_process={self.num_process}: gather the "
                "predictions first, for example with accelerator.gather_for_metrics"
            )
        self._batches: list[dict[str, Any]] = []

    def _build_data_dir(self) -> str:
        # Nothing is cached, so no folder is made.
        return self._data_dir_root

    @abc.abstractmethod
    def _info(self) -> evaluate.MetricInfo: ...

    @abc.abstractmethod
    def _compute(self, **inputs: Any) -> dict[str, float]: ...

    def __len__(self) -> int:
        return sum(len(batch["predictions"]) for batch in self._batches)

    def add_batch(self, *, predictions: Any = None, references: Any = None, **others: Any) -> None:
        """Keeps a batch for the next `compute`. References are ignored by a metric that has no use for them.

        Raises:
            TypeError: an input is not a list (or an array, or a column of a dataset) or has an unknown name.
            ValueError: an input is missing or empty, or predictions and references differ in number.
        """
        if others:
            raise TypeError(f"{type(self).__name__} takes predictions and references, not {sorted(others)}")
        given = {"predictions": predictions, "references": references}
        batch = {name: given[name] for name in self._feature_names()}
        for name, values in batch.items():
            check_collection(name, values)
        if self.paired and len({len(values) for values in batch.values()}) > 1:
            raise ValueError(
                "predictions and references must be of one length, got "
                + " and ".join(f"{len(values)} {name}" for name, values in batch.items())
            )
        self._batches.append(batch)

    def add(self, *, prediction: Any = None, reference: Any = None, **others: Any) -> None:
        """Keeps one prediction (and its reference) for the next `compute`; see `add_batch`."""
        # evaluate.combine passes one example under the plural names.
        example = {"predictions": prediction, "references": reference, **others}
        self.add_batch(**{name: None if value is None else [value] for name, value in example.items()})

    def compute(self, *, predictions: Any = None, references: Any = None, **options: Any) -> dict[str, float]:
        """Scores the given predictions together with those that were added before; see `add_batch` for the errors."""
        if predictions is not None or references is not None or not self._batches:
            self.add_batch(predictions=predictions, references=references)
        batches, self._batches = self._batches, []
        inputs = {name: _concatenate([batch[name] for batch in batches]) for name in batches[0]}
        return self._compute(**inputs, **options)


def _concatenate(parts: list[Any]) -> Any:
    # A single part stays what it is: an array of codes need not become a list of rows.
    return parts[0] if len(parts) == 1 else [item for part in parts for item in part]


def check_collection(name: str, values: Any) -> None:
    """Raises an error unless `values` is a list, array or column with at least one item."""
    if values is None:
        raise ValueError(f"{name} are missing: pass {name}=[...], one item an example")
    # An array of no dimension has a length only by name.
    if isinstance(values, (str, bytes, Mapping, Set)) or not hasattr(values, "__len__") or not _dimensions(values):
        raise TypeError(f"{name} must be a list (or an array, or a column of a dataset), got {type(values).__name__}")
    if len(values) == 0:
        raise ValueError(f"{name} are empty: there is nothing to score")


def _dimensions(values: Any) -> int:
    return getattr(values, "ndim", 1)


def _seen(text: str) -> str:
    """The text without the characters that nobody sees."""
    return text if text.isascii() else _UNSEEN.sub("", _PARTING.sub(" ", text))


def check_texts(name: str, values: Any) -> list[str]:
    """Returns `values` as a list of str, or raises a TypeError that names the first other item.

    Empty ones are included. Characters that nobody sees are taken out: they part no words and make none.
    """
    texts = list(values)
    for position, text in enumerate(texts):
        if not isinstance(text, str):
            raise TypeError(f"{name} must hold str, got {type(text).__name__} at position {position}")
    return [_seen(text) for text in texts]


def check_reference_lists(references: Any) -> list[list[str]]:
    """Returns one list of references a prediction, from a list of str or a list of lists whose lengths may differ.

    Characters that nobody sees are taken out, as in `check_texts`.
    """
    lists = []
    for position, item in enumerate(references):
        if isinstance(item, str):
            lists.append([_seen(item)])
        elif isinstance(item, (list, tuple)) and all(isinstance(reference, str) for reference in item):
            if not item:
                raise ValueError(f"references at position {position} is an empty list: give at least one str")
            lists.append([_seen(reference) for reference in item])
        else:
            raise TypeError(f"references must hold str, or lists of str, got {item!r} at position {position}")
    return lists


def check_labels(name: str, values: Any) -> list[int | str]:
    """Returns `values` as a list of int or str, or raises a TypeError that names the first other item."""
    labels = values.tolist() if hasattr(values, "tolist") else list(values)
    for position, label in enumerate(labels):
        if not isinstance(label, (str, numbers.Integral)):
            raise TypeError(f"{name} must hold labels, int or str, got {type(label).__name__} at position {position}")
    return [label if isinstance(label, str) else int(label) for label in labels]


def check_vectors(name: str, values: Any, dimensions: int = 2) -> np.ndarray:
    """Returns `values` as an array of float32, codes or features say, all finite.

    Args:
        dimensions: 2: (n, d); 1: (n,), one number an example.

    Raises:
        TypeError: they are not numbers.
        ValueError: one is not finite, or the array has another number of dimensions.
    """
    if hasattr(values, "detach"):
        values = values.detach().cpu().float()
    try:
        array = np.asarray(values, dtype=np.float32)
    except (TypeError, ValueError, RuntimeError) as error:
        shape = "(n, d)" if dimensions == 2 else "(n,)"
        raise TypeError(f"{name} must be an array {shape} of float: {error}") from error
    if array.ndim != dimensions:
        raise ValueError(f"{name} must be of shape {'(n, d)' if dimensions == 2 else '(n,)'}, got {array.shape}")
    if not np.isfinite(array).all():
        raise ValueError(f"{name} must be finite, got NaN or infinity")
    return array


def check_images(name: str, values: Any) -> np.ndarray:
    """Returns `values` as an array (n, channels, height, width) of float32 in [0, 1].

    Raises:
        TypeError: they are not numbers.
        ValueError: one is outside of [0, 1] or not finite, or the array has another number of dimensions.
    """
    if hasattr(values, "detach"):
        values = values.detach().cpu().float()
    try:
        array = np.asarray(values, dtype=np.float32)
    except (TypeError, ValueError, RuntimeError) as error:
        raise TypeError(f"{name} must be an array (n, channels, height, width) of float: {error}") from error
    if array.ndim != 4:
        raise ValueError(f"{name} must be of shape (n, channels, height, width), got {array.shape}")
    if not (array.min() >= -1e-6 and array.max() <= 1 + 1e-6):  # NaN is in no range
        raise ValueError(f"{name} must lie in [0, 1]; they lie in [{array.min():g}, {array.max():g}]")
    return array


def check_probabilities(name: str, values: Any) -> np.ndarray:
    """Returns `values` as an array (n, classes) of float64 whose rows add up to 1.

    Raises:
        TypeError: they are not numbers.
        ValueError: one is negative or not finite, a row does not add up to 1, or there is one class only.
    """
    if hasattr(values, "detach"):
        values = values.detach().cpu().double().numpy()
    check_vectors(name, values)
    array = np.asarray(values, dtype=np.float64)
    if array.shape[1] < 2 or (array < 0).any() or np.abs(array.sum(1) - 1).max() > 1e-3:
        raise ValueError(f"{name} must be probabilities of two classes or more, each row adding up to 1")
    return array / array.sum(1, keepdims=True)


def labelled_texts(
    name: str, dataset: datasets.Dataset, text_column: str, label_column: str
) -> tuple[list[str], list[int | str]]:
    """Returns the texts and labels of one split.

    Raises:
        TypeError: `dataset` is not a `datasets.Dataset`, or a column holds something else than texts or labels.
        ValueError: a column is missing or empty, or a label is negative (that of an unlabelled row).
    """
    if not isinstance(dataset, datasets.Dataset):
        raise TypeError(f"{name} must be a datasets.Dataset (one split), got {type(dataset).__name__}")
    for column in (text_column, label_column):
        if column not in dataset.column_names:
            raise ValueError(f"{name} has no column {column!r}; it has {dataset.column_names}")
    columns = dataset.select_columns([text_column, label_column]).with_format(None)[:]
    check_collection(f"the rows of {name}", columns[text_column])
    texts = check_texts(f"{name}[{text_column!r}]", columns[text_column])
    labels = check_labels(f"{name}[{label_column!r}]", columns[label_column])
    if any(isinstance(label, int) and label < 0 for label in labels):
        raise ValueError(f"{name}[{label_column!r}] has negative labels: leave unlabelled rows out")
    return texts, labels
