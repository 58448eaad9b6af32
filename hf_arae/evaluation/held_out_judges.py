"""A second pair of judges that no system is kin to: a classifier and a language model of held-out text alone."""

from __future__ import annotations

import os
import random
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from datasets import Dataset
from torch import Tensor
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from hf_arae.data.text.tokenization import train_tokenizer
from hf_arae.evaluation.language_model import language_model_of
from hf_arae.evaluation.text_classifier import VERSION, TextClassifier, train_text_classifier
from hf_arae.metrics import Perplexity
from hf_arae.metrics.numbers import Number
from hf_arae.utils.digests import digest

NUMBERS = {
    "held_out_transfer_accuracy": Number(
        "Transfer accuracy by a held-out judge (%)",
        "The same as `transfer_accuracy` by a convolutional classifier that was trained on half of the validation "
        "split alone: on no training text and no output.",
        in_metadata=True,
    ),
    "held_out_perplexity": Number(
        "Perplexity by a held-out judge",
        "The same as `perplexity` for a language model of that half of the validation split; words that it does not "
        "have count as one unknown word. Lower is likelier.",
        in_metadata=True,
    ),
}

# Words that one sentence alone has are unknown words, so that the language model learns how likely these are.
_MIN_FREQUENCY = 2
# A sixth of the training split's sentences: more passes and a smaller network than the language model of these has.
_LANGUAGE_MODEL = {"epochs": 6, "embedding_size": 128, "hidden_size": 256, "dropout": 0.3}
_MEASURED = 5_000  # held-out sentences, at most, that the language model's own perplexity is measured on


@dataclass
class HeldOutJudges:
    """A convolutional classifier and a recurrent language model, trained on one half of the validation split.

    Systems learn from the training split, and so do usual judges, whose n-grams a system may have been masked or
    ranked by; validation text is at most what their settings were chosen by. Neither model output nor training text
    reaches these judges.

    Args:
        classifier: of labels.
        language_model: of sentences.
        tokenizer: of both, with the words of that half; it reads texts as people or models write them.
        real: by label, the different sentences of the validation split.
        measured: number of sentences of the other half.
        accuracy: of the classifier on them, in %.
        perplexity: of them for the language model.
    """

    classifier: TextClassifier
    language_model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    real: dict[int, list[str]]
    measured: int
    accuracy: float
    perplexity: float

    @classmethod
    def from_dataset(
        cls, validation: Dataset, folder: str | os.PathLike | None = None, seed: int = 0, **training: Any
    ) -> HeldOutJudges:
        """Trains both, or loads those that were trained on the same sentences.

        Args:
            validation: texts as people write them, and labels, in the columns `text` and `label`.
            folder: where trained judges are looked for, by a digest of what they depend on, and saved.
            seed: of both trainings; the halves do not depend on it.
            training: other settings of [`~hf_arae.evaluation.language_model.train_language_model`].

        Raises:
            ValueError: there are no two labels with two different sentences each.
        """
        learnt, other = judges_halves(validation["text"][:], validation["label"][:])
        texts, labels = zip(*learnt, strict=True)
        tokenizer = _tokenizer(texts)
        num_labels = max(label for _, label in learnt + other) + 1
        classifier = _classifier(texts, labels, tokenizer, num_labels, folder, seed)
        settings = _LANGUAGE_MODEL | {"seed": seed} | training
        language_model = language_model_of(texts, tokenizer, folder, **settings)
        real = defaultdict(list)
        for text, label in other + learnt:
            real[label].append(text)
        kept, own = zip(*other, strict=True)
        right = classifier.probabilities(kept, tokenizer).argmax(1).tolist()
        accuracy = 100 * sum(one == label for one, label in zip(right, own, strict=True)) / len(own)
        perplexity = Perplexity(language_model, tokenizer).compute(predictions=list(kept[:_MEASURED]))["perplexity"]
        return cls(classifier, language_model, tokenizer, dict(real), len(other), accuracy, perplexity)

    @property
    def reliability(self) -> str:
        """A sentence on how good the judges are on real sentences, for people."""
        return (
            "Of the held-out judges, which learnt from half of the validation split alone, the classifier is right "
            f"on {self.accuracy:.1f} % of the {self.measured} sentences of the other half, and the language model has "
            f"a perplexity of {self.perplexity:.1f} there."
        )

    def probabilities(self, texts: Sequence[str]) -> Tensor:
        """Of the labels for each text, `(len(texts), labels)`."""
        return self.classifier.probabilities(texts, self.tokenizer)

    def fluency(self, texts: Sequence[str]) -> list[list[float]]:
        """Log-probability (nats) of each token of each text, end of sentence included."""
        return Perplexity(self.language_model, self.tokenizer).token_log_probabilities(texts)


def judges_halves(texts: Sequence[str], labels: Sequence[int]) -> tuple[list[tuple[str, int]], list[tuple[str, int]]]:
    """The half of a validation split that held-out judges learn from, and the other half, each of texts and labels.

    What a system chooses by validation text it should choose by the other half, so that these judges have not seen it.
    The halves are of the different sentences of each label and drawn once and for all: a sentence that has been
    written twice is in one half only, and the order of the rows makes no difference.

    Args:
        texts: as people write them, before any tokenizer has read them.
        labels: of each.

    Raises:
        ValueError: there are no two labels with two different sentences each.
    """
    by_label: dict[int, list[str]] = defaultdict(list)
    for text, label in sorted(set(zip(texts, labels, strict=True))):
        if text.strip():
            by_label[label].append(text)
    few = [label for label, own in by_label.items() if len(own) < 2]
    if len(by_label) - len(few) < 2:
        counts = ", ".join(f"{count} of label {label}" for label, count in sorted(Counter(labels).items()))
        raise ValueError(
            "held-out judges need two labels in the validation split with at least two different sentences each; "
            f"there are {counts or 'none'}"
        )
    learnt, other, drawing = [], [], random.Random(0)
    for label, own in sorted(by_label.items()):
        drawing.shuffle(own)
        middle = (len(own) + 1) // 2
        learnt += [(text, label) for text in own[:middle]]
        other += [(text, label) for text in own[middle:]]
    drawing.shuffle(other)
    return learnt, other


def _tokenizer(texts: Sequence[str]) -> PreTrainedTokenizerBase:
    try:
        return train_tokenizer(texts, min_frequency=_MIN_FREQUENCY)
    except ValueError:  # so few sentences that no word is there twice
        return train_tokenizer(texts)


def _classifier(
    texts: Sequence[str],
    labels: Sequence[int],
    tokenizer: PreTrainedTokenizerBase,
    num_labels: int,
    folder: str | os.PathLike | None,
    seed: int,
) -> TextClassifier:
    def train() -> TextClassifier:
        return train_text_classifier(texts, labels, tokenizer, num_labels=num_labels, seed=seed)

    if folder is None:
        return train()
    about = repr((VERSION, seed, num_labels, _MIN_FREQUENCY, list(zip(texts, labels, strict=True))))
    path = Path(folder, f"classifier-{digest(about.encode(errors='surrogatepass'))}.safetensors")
    if path.is_file():
        return TextClassifier(len(tokenizer), num_labels, tokenizer.pad_token_id).load(path)
    classifier = train()
    path.parent.mkdir(parents=True, exist_ok=True)
    classifier.save(path)
    return classifier
