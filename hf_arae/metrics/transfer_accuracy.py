"""How often a style transfer reaches the style it was asked for."""

from typing import Any

import datasets
import evaluate
import numpy as np

from hf_arae.metrics.interface import InMemoryMetric, check_labels, check_texts, labelled_texts
from hf_arae.metrics.numbers import Number
from hf_arae.utils.extras import import_extra

NUMBERS = {
    "transfer_accuracy": Number(
        "Transfer accuracy (%)",
        "The share of outputs that a classifier, trained on the training split, gives the wanted label.",
        in_metadata=True,
    ),
    "classifier_held_out_accuracy": Number(
        "Accuracy of the judge on held-out sentences (%)",
        "How often the classifier that judges the outputs is right about real sentences.",
    ),
}

_LONGEST_NGRAMS = {"linear_svm": 3, "naive_bayes": 2}


class TransferAccuracy(InMemoryMetric):
    """Share of predictions that a classifier puts into the target class, in 0..100, higher is better (Table 4.2).

    The classifier reads the presence of word n-grams (punctuation marks are words): a linear support vector machine
    1- to 3-grams, or, for a second opinion of another kind, naive Bayes 1- and 2-grams. It sees the training split and
    never the output of a model, nor is it the classifier on codes that a model was trained against. Its own accuracy
    on held-out text is reported beside every result.

    ```python
    metric = TransferAccuracy().fit(dataset["train"], dataset["validation"])
    metric.compute(predictions=["the food was good ."], references=["positive"])
    # {"transfer_accuracy": 100.0, "classifier_held_out_accuracy": 100.0}
    ```

    `compute` takes
        predictions: list of n str, tokens separated by spaces; an empty one counts as wrong.
        references: list of n target labels, of the training split's kind: int, or str; where its label column is a
            `datasets.ClassLabel`, both the int and the name are understood.
    and returns `{"transfer_accuracy": float, "classifier_held_out_accuracy": float}`, both in 0..100.

    Args:
        classifier: `"linear_svm"` or `"naive_bayes"`.

    Raises:
        RuntimeError: no classifier was fitted yet.
        TypeError: a prediction is not a str, or a label neither int nor str.
        ValueError: there are no predictions, the numbers differ, or a label or the classifier is unknown.
    """

    def __init__(self, classifier: str = "linear_svm", **kwargs: Any):
        super().__init__(**kwargs)
        if classifier not in _LONGEST_NGRAMS:
            raise ValueError(f"classifier must be one of {', '.join(_LONGEST_NGRAMS)}; got {classifier!r}")
        self.classifier = classifier
        self.held_out_accuracy: float | None = None
        self._label_names: list[str] = []

    @classmethod
    def from_dataset(
        cls,
        train: datasets.Dataset,
        validation: datasets.Dataset | None = None,
        text_column: str = "text",
        label_column: str = "label",
        classifier: str = "linear_svm",
    ) -> "TransferAccuracy":
        """Returns the metric with a classifier trained on `train`; see `fit`."""
        return cls(classifier).fit(train, validation, text_column, label_column)

    def fit(
        self,
        train: datasets.Dataset,
        validation: datasets.Dataset | None = None,
        text_column: str = "text",
        label_column: str = "label",
    ) -> "TransferAccuracy":
        """Trains the classifier (a few seconds for 100 000 sentences), measures `held_out_accuracy`, and returns self.

        Args:
            train: the training split, at least two labels.
            validation: held-out text for `held_out_accuracy` (0..100); by default a fixed tenth of `train`, which the
                classifier is then not trained on.
            text_column: column of str, tokens separated by spaces.
            label_column: column of int or str.

        Raises:
            TypeError: a split is not a `datasets.Dataset`, or a column holds something else.
            ValueError: a split is empty or lacks a column, or there are fewer than two labels.
        """
        texts, labels = labelled_texts("train", train, text_column, label_column)
        if validation is None:
            _check_labels_of(labels)
            texts, labels, held_out_texts, held_out_labels = _hold_out_tenth(texts, labels)
        else:
            held_out_texts, held_out_labels = labelled_texts("validation", validation, text_column, label_column)
        _check_labels_of(labels)
        if not any(text.split() for text in texts):
            raise ValueError(f"train[{text_column!r}] holds no word: there is nothing to tell labels by")

        if self.classifier == "linear_svm":
            classifier = import_extra("sklearn.svm").LinearSVC(C=0.1, random_state=0)
        else:
            classifier = import_extra("sklearn.naive_bayes").MultinomialNB(alpha=0.5)
        vectorizer = import_extra("sklearn.feature_extraction.text").CountVectorizer(
            ngram_range=(1, _LONGEST_NGRAMS[self.classifier]),
            tokenizer=str.split,
            token_pattern=None,
            lowercase=False,
            binary=True,
            dtype=np.float32,
        )
        self._classifier = import_extra("sklearn.pipeline").make_pipeline(vectorizer, classifier)
        self._classifier.fit(texts, labels)
        feature = train.features[label_column]
        self._label_names = feature.names if isinstance(feature, datasets.ClassLabel) else []
        self.held_out_accuracy = self._accuracy(held_out_texts, held_out_labels)
        return self

    def predict(self, texts: list[str]) -> list[int | str]:
        """Returns the label that the classifier gives to each text.

        Raises:
            RuntimeError: no classifier was fitted yet.
        """
        self._check_fitted()
        return self._classifier.predict(check_texts("texts", texts)).tolist()

    def _check_fitted(self) -> None:
        if self.held_out_accuracy is None:
            raise RuntimeError(
                "no classifier was fitted: use TransferAccuracy.from_dataset(train), or call fit(train)"
            )

    def _info(self) -> evaluate.MetricInfo:
        text, label, name = datasets.Value("string"), datasets.Value("int64"), datasets.Value("string")
        return evaluate.MetricInfo(
            description=type(self).__doc__,
            citation="",
            features=[
                datasets.Features({"predictions": text, "references": label}),
                datasets.Features({"predictions": text, "references": name}),
            ],
        )

    def _compute(self, predictions: Any, references: Any) -> dict[str, float]:
        self._check_fitted()
        accuracy = self._accuracy(check_texts("predictions", predictions), check_labels("references", references))
        return {"transfer_accuracy": accuracy, "classifier_held_out_accuracy": self.held_out_accuracy}

    def _accuracy(self, texts: list[str], labels: list[int | str]) -> float:
        targets = [self._label_names.index(label) if label in self._label_names else label for label in labels]
        known = self._classifier.classes_.tolist()
        if unknown := set(targets) - set(known):
            accepted = known + [self._label_names[label] for label in known if self._label_names]
            raise ValueError(f"unknown labels {sorted(unknown, key=str)}: the classifier was trained on {accepted}")
        answers = self._classifier.predict(texts).tolist()
        right = [answer == target for answer, target in zip(answers, targets, strict=True)]
        # The classifier has an answer for an empty text too, which would be right by chance.
        return 100 * sum(hit and bool(text.strip()) for hit, text in zip(right, texts, strict=True)) / len(texts)


def _check_labels_of(labels: list[int | str]) -> None:
    if len(set(labels)) < 2:
        raise ValueError(f"train needs at least two labels to tell apart, got {sorted(set(labels))}")


def _hold_out_tenth(texts: list[str], labels: list[int | str]) -> tuple[list, list, list, list]:
    order = np.random.default_rng(0).permutation(len(texts)).tolist()
    size = max(1, len(order) // 10)
    held_out, kept = order[:size], order[size:]
    # A label's last text is needed to train with.
    known = {labels[row] for row in kept}
    rescued = [row for row in held_out if labels[row] not in known]
    if len(rescued) < len(held_out):
        held_out, kept = [row for row in held_out if row not in rescued], kept + rescued
    else:
        kept = kept + held_out
    return (
        [texts[row] for row in kept],
        [labels[row] for row in kept],
        [texts[row] for row in held_out],
        [labels[row] for row in held_out],
    )
