"""How good are style transfers: the columns of Table 4.2 and what keeps them honest."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import NamedTuple

from datasets import Dataset
from transformers import PreTrainedModel, PreTrainedTokenizerBase
from transformers.utils import logging

from hf_arae.data.text.encoding import read_texts, with_read_texts
from hf_arae.evaluation.language_model import reverse_perplexity
from hf_arae.evaluation.rewriting import encode_texts, rewrite_texts, sample_texts
from hf_arae.metrics import (
    Bleu,
    ContentPreservation,
    Diversity,
    ExactMatch,
    Perplexity,
    StyleLeakage,
    TransferAccuracy,
)
from hf_arae.metrics.numbers import Number
from hf_arae.metrics.style_leakage import MIN_CODES_A_LABEL
from hf_arae.training.results import Evaluation
from hf_arae.utils.distributed import from_main

NUMBERS = {
    "second_transfer_accuracy": Number(
        "Transfer accuracy by a second judge (%)",
        "The same as `transfer_accuracy` by a classifier of another kind.",
        in_metadata=True,
    ),
    "judges_agree": Number(
        "Outputs to which both judges give the same label (%)",
        "How far the two accuracies of a transfer can be relied upon.",
        in_metadata=True,
    ),
    "source_bleu": Number(
        "BLEU to the source",
        "BLEU of the outputs to the sentences that they were made of; a copy has 100.",
        in_metadata=True,
    ),
    "reference_bleu": Number(
        "BLEU to the human references",
        "BLEU of the outputs to what people wrote; higher is closer.",
        in_metadata=True,
    ),
    "transfer_score": Number(
        "Geometric mean of transfer accuracy and BLEU to the source",
        "One number for a label that is changed and a sentence that is kept; higher is better.",
    ),
    "bleu_at_floor": Number(
        "BLEU to the source where accuracy_floor is reached",
        "Where it is not, how far the accuracy is below it, as a negative number.",
    ),
    "sample_distinct": Number(
        "New sentences that differ from one another (%)",
        "Different new sentences over all new sentences; higher is more varied.",
    ),
}

logger = logging.get_logger(__name__)


@dataclass
class TransferJudges:
    """Judges that were trained on the training split alone and score any system's outputs.

    Args:
        accuracy: n-gram classifier of the attribute.
        second: classifier of another kind: where the two differ, the share of transfers is not known better than that.
        content: word overlap without the attribute's words.
        language_model: scores the perplexity of the outputs; `None` leaves it out.
        tokenizer: reads every text that is judged ([`~hf_arae.data.text.encoding.read_texts`]), and is the language
            model's; `None`: texts come in a tokenizer's words already.
    """

    accuracy: TransferAccuracy
    second: TransferAccuracy
    content: ContentPreservation
    language_model: PreTrainedModel | None = None
    tokenizer: PreTrainedTokenizerBase | None = None

    @classmethod
    def from_dataset(
        cls, train: Dataset, validation: Dataset | None = None, tokenizer: PreTrainedTokenizerBase | None = None
    ) -> TransferJudges:
        """Trains the classifiers and finds the attribute's words; columns `text` and `label`.

        Args:
            train, validation: texts as people write them, with a tokenizer; else in the words of the model's, as
                [`~hf_arae.data.text.encoding.read_dataset`] gives them.
            tokenizer: see the class.
        """
        if tokenizer is not None:
            train = with_read_texts(train, tokenizer)
            validation = None if validation is None else with_read_texts(validation, tokenizer)
        return cls(
            TransferAccuracy.from_dataset(train, validation),
            TransferAccuracy.from_dataset(train, validation, classifier="naive_bayes"),
            ContentPreservation().fit(train),
            tokenizer=tokenizer,
        )

    @property
    def reliability(self) -> str:
        """A sentence on how often the classifiers are right on real sentences, for people."""
        first, second = self.accuracy.held_out_accuracy, self.second.held_out_accuracy
        return (
            f"The classifier that judges transfers is right on {first:.1f} % of held-out real sentences, the second "
            f"one (naive Bayes) on {second:.1f} %."
        )

    def score(
        self,
        sources: Sequence[str],
        outputs: Sequence[str],
        targets: Sequence[int],
        references: Sequence[Sequence[str]] | None = None,
    ) -> dict[str, float]:
        """Scores one system's outputs.

        Returns:
            `transfer_accuracy` (%), `second_transfer_accuracy` (%) by the second classifier, `judges_agree` (%):
            outputs to which both give the same label, `source_bleu`: BLEU to the source, `reference_bleu` (if there
            are references), `word_overlap` (%), `perplexity` (if there is a language model), `distinct_sentences` (%)
            and `mean_length` (words).
        """
        sources, outputs = self.read(sources), self.read(outputs)
        accuracies = [
            judge.compute(predictions=outputs, references=list(targets))["transfer_accuracy"]
            for judge in (self.accuracy, self.second)
        ]
        verdicts = zip(self.accuracy.predict(outputs), self.second.predict(outputs), strict=True)
        row = {
            "transfer_accuracy": accuracies[0],
            "second_transfer_accuracy": accuracies[1],
            "judges_agree": 100 * sum(one == other for one, other in verdicts) / len(outputs),
            "source_bleu": Bleu().compute(predictions=outputs, references=sources)["bleu"],
        }
        if references is not None:
            references = [self.read(several) for several in references]
            row["reference_bleu"] = Bleu().compute(predictions=outputs, references=references)["bleu"]
        row.update(self.content.compute(predictions=outputs, references=sources))
        if self.language_model is not None:
            judge = Perplexity(self.language_model, self.tokenizer)
            row.update(judge.compute(predictions=outputs))
        row["distinct_sentences"] = 100 * len(set(outputs)) / len(outputs)
        row["mean_length"] = sum(len(text.split()) for text in outputs) / len(outputs)
        return row

    def read(self, texts: Sequence[str]) -> list[str]:
        """Texts in the words that the judges know, separated by spaces."""
        return list(texts) if self.tokenizer is None else read_texts(texts, self.tokenizer)


def other_labels(labels: Sequence[int], num_labels: int) -> list[int]:
    """One label to transfer each sentence to: the other one of two; of more, each of the others in turn."""
    return [(label + 1 + row % (num_labels - 1)) % num_labels for row, label in enumerate(labels)]


def every_direction(labels: Sequence[int], num_labels: int) -> tuple[list[int], list[int]]:
    """Each sentence's row as often as there are other labels, and these: all n(n-1) directions."""
    pairs = [(row, to) for row, label in enumerate(labels) for to in range(num_labels) if to != label]
    return [row for row, _ in pairs], [to for _, to in pairs]


class Transfer(NamedTuple):
    """A sentence that was written anew: labels by their numbers."""

    source: str
    label: int
    target: int
    output: str


def direction_rows(
    judges: TransferJudges, transfers: Sequence[Transfer], names: Sequence[str]
) -> list[dict[str, str | float]]:
    """The scores of each direction of a transfer, as rows of a table."""
    rows = []
    for label, target in sorted({(transfer.label, transfer.target) for transfer in transfers}):
        part = [transfer for transfer in transfers if (transfer.label, transfer.target) == (label, target)]
        scores = judges.score([t.source for t in part], [t.output for t in part], [target] * len(part))
        row: dict[str, str | float] = {"from": names[label], "to": names[target], "sentences": len(part)}
        chosen = ("transfer_accuracy", "second_transfer_accuracy", "source_bleu", "word_overlap")
        rows.append(row | {name: scores[name] for name in chosen})
    return rows


class StyleTransferEvaluator:
    """Evaluator for the loop: transfers held-out sentences to every other label, rebuilds them, samples new ones.

    With several processes, each writes its share of the sentences and the main one scores them all.

    Metrics: those of [`TransferJudges.score`], and
        `reconstruction_bleu`, `exact_match` (%): greedy, each sentence with its own attribute value;
        `sample_distinct` (%), `sample_self_bleu`: of sentences written from z;
        `transfer_score`: geometric mean of transfer accuracy and self-BLEU;
        `bleu_at_floor`: self-BLEU where the accuracy reaches `accuracy_floor`, else the (negative) distance to it. One
            curve leads from high accuracy to high BLEU as training goes on; this picks a point on purpose;
        `reverse_perplexity`: if `reverse_perplexity_samples` > 0, of a language model trained on that many samples
            (the thesis stops early on it).

    Args:
        tokenizer: the model's.
        dataset: held-out rows with `text` and `label`; the tokenizer reads the texts.
        judges: trained on the training split, or what trains them; that is called at the first evaluation.
        accuracy_floor: in percent, 0 to 100.
        num_printed: transfers among the samples that are printed, of each direction in turn.
        num_samples: sentences written from z; 0 for a model whose generator is not trained.

    Raises:
        ValueError: `accuracy_floor` is no percentage.
    """

    def __init__(
        self,
        tokenizer: PreTrainedTokenizerBase,
        dataset: Dataset,
        judges: TransferJudges | Callable[[], TransferJudges],
        accuracy_floor: float = 85.0,
        num_printed: int = 6,
        num_samples: int = 500,
        reverse_perplexity_samples: int = 0,
    ):
        if not 0 <= accuracy_floor <= 100:
            raise ValueError(f"accuracy_floor must lie in [0, 100], got {accuracy_floor}")
        self.tokenizer, self._judges = tokenizer, judges
        self.texts, self.labels = read_texts(dataset["text"], tokenizer), list(dataset["label"])
        self.accuracy_floor, self.num_printed, self.num_samples = accuracy_floor, num_printed, num_samples
        self.reverse_perplexity_samples = reverse_perplexity_samples

    @property
    def judges(self) -> TransferJudges:
        """The judges, trained now if they were not yet."""
        if not isinstance(self._judges, TransferJudges):
            self._judges = self._judges()
        return self._judges

    def floor_out_of_reach(self) -> str | None:
        """A warning where the judge is right on fewer real sentences than the floor wants of transfers."""
        right = self.judges.accuracy.held_out_accuracy
        if right >= self.accuracy_floor:
            return None
        return (
            f"The judge itself is right on {right:.1f} % of real sentences, so accuracy_floor={self.accuracy_floor:g} "
            "can hardly be reached: labels that a judge cannot tell apart are not seen to be transferred. The best "
            "checkpoint is then the most accurate one; a lower floor chooses by BLEU."
        )

    def metric_names(self, model: PreTrainedModel) -> list[str]:
        """The names of the metrics of an evaluation; one or another may be left out where it cannot be measured."""
        names = ["transfer_accuracy", "second_transfer_accuracy", "judges_agree", "source_bleu", "word_overlap"]
        names += ["distinct_sentences", "mean_length"]
        names += ["reconstruction_bleu", "exact_match", "transfer_score", "bleu_at_floor"]
        if not isinstance(self._judges, TransferJudges) or self._judges.language_model is not None:
            names.append("perplexity")  # of judges that are yet to be trained it is not known
        if self.num_samples:
            names += ["sample_distinct", "sample_self_bleu"]
        return names + ["reverse_perplexity"] * bool(self.reverse_perplexity_samples)

    def __call__(self, model: PreTrainedModel) -> Evaluation:
        return self.evaluate(model)[0]

    def evaluate(self, model: PreTrainedModel) -> tuple[Evaluation, list[Transfer]]:
        """Returns what the loop is given, and all transfers."""
        rows, targets = every_direction(self.labels, model.config.num_attributes)
        sources = [self.texts[row] for row in rows]
        outputs = rewrite_texts(model, self.tokenizer, sources, targets)
        transfers = [
            Transfer(*it) for it in zip(sources, (self.labels[r] for r in rows), targets, outputs, strict=True)
        ]
        copies = rewrite_texts(model, self.tokenizer, self.texts, self.labels)
        samples = sample_texts(model, self.tokenizer, self.num_samples) if self.num_samples else []
        metrics = from_main(lambda: self._score(transfers, copies, samples))
        lines = [
            f"{transfer.source}  -> {model.config.id2label[transfer.target]}:  {transfer.output}"
            for transfer in self._printed(transfers)
        ]
        lines += [f"[sample] {text}" for text in samples[:3]]
        if self.reverse_perplexity_samples:
            samples = sample_texts(model, self.tokenizer, self.reverse_perplexity_samples)
            metrics["reverse_perplexity"] = reverse_perplexity(samples, self.texts, self.tokenizer)
        return Evaluation(metrics, lines), transfers

    def _score(self, transfers: list[Transfer], copies: list[str], samples: list[str]) -> dict[str, float]:
        sources, _, targets, outputs = zip(*transfers, strict=True)
        metrics = self.judges.score(sources, outputs, targets)
        metrics["reconstruction_bleu"] = Bleu().compute(predictions=copies, references=self.texts)["bleu"]
        metrics.update(ExactMatch().compute(predictions=copies, references=self.texts))
        accuracy, bleu = metrics["transfer_accuracy"], metrics["source_bleu"]
        metrics["transfer_score"] = math.sqrt(accuracy * bleu)
        metrics["bleu_at_floor"] = bleu if accuracy >= self.accuracy_floor else accuracy - self.accuracy_floor
        if samples:
            diversity = Diversity().compute(predictions=samples)
            metrics["sample_distinct"] = diversity["distinct_sentences"]
            metrics["sample_self_bleu"] = diversity["self_bleu"]
        return metrics

    def _printed(self, transfers: list[Transfer]) -> list[Transfer]:
        directions: dict[tuple[int, int], list[Transfer]] = {}
        for transfer in transfers:
            directions.setdefault((transfer.label, transfer.target), []).append(transfer)
        turns = zip_longest(*(directions[direction] for direction in sorted(directions)))
        return [transfer for turn in turns for transfer in turn if transfer is not None][: self.num_printed]


def leakage(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, texts: Sequence[str], labels: Sequence[int]
) -> dict[str, float]:
    """Accuracy (%) of a fresh probe that reads the attribute from frozen codes of held-out texts.

    Labels of too few texts are left out; nothing is measured, and that is said, where fewer than two labels are left.
    """
    counts = Counter(labels)
    kept = [row for row, label in enumerate(labels) if counts[label] >= MIN_CODES_A_LABEL]
    left_out = sorted({label for label in labels if counts[label] < MIN_CODES_A_LABEL})
    texts, labels = [texts[row] for row in kept], [labels[row] for row in kept]
    if len(set(labels)) < 2:
        logger.warning(
            "The probe for leakage is left out: it needs %d held-out sentences of at least two labels each.",
            MIN_CODES_A_LABEL,
        )
        return {}
    if left_out:
        names = ", ".join(str(model.config.id2label.get(label, label)) for label in left_out)
        logger.warning(
            "The probe for leakage leaves out labels of under %d held-out sentences: %s.", MIN_CODES_A_LABEL, names
        )
    codes = encode_texts(model, tokenizer, texts)
    return from_main(lambda: StyleLeakage().compute(predictions=codes.numpy(), references=list(labels)))
