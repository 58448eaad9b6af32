"""How good are style transfers: the columns of Table 4.2 and what keeps them honest."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from datasets import Dataset
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from hf_arae.data.encoding import read_texts, with_read_texts
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
from hf_arae.training.distributed import from_main
from hf_arae.training.results import Evaluation


@dataclass
class TransferJudges:
    """Judges that were trained on the training split alone and score any system's outputs.

    Args:
        accuracy: n-gram classifier of the attribute.
        content: word overlap without the attribute's words.
        language_model: scores the perplexity of the outputs; `None` leaves it out.
        tokenizer: reads every text that is judged (see [`~hf_arae.data.encoding.read_texts`]), and is the language
            model's; `None`: texts come in a tokenizer's words already.
    """

    accuracy: TransferAccuracy
    content: ContentPreservation
    language_model: PreTrainedModel | None = None
    tokenizer: PreTrainedTokenizerBase | None = None

    @classmethod
    def from_dataset(
        cls, train: Dataset, validation: Dataset | None = None, tokenizer: PreTrainedTokenizerBase | None = None
    ) -> TransferJudges:
        """Trains the classifier and finds the attribute's words; columns `text` and `label`.

        Args:
            train, validation: texts as people write them, with a tokenizer; else in the words of the model's, as
                [`~hf_arae.data.encoding.read_dataset`] gives them.
            tokenizer: see the class.
        """
        if tokenizer is not None:
            train = with_read_texts(train, tokenizer)
            validation = None if validation is None else with_read_texts(validation, tokenizer)
        accuracy, content = TransferAccuracy.from_dataset(train, validation), ContentPreservation().fit(train)
        return cls(accuracy, content, tokenizer=tokenizer)

    def score(
        self,
        sources: Sequence[str],
        outputs: Sequence[str],
        targets: Sequence[int],
        references: Sequence[Sequence[str]] | None = None,
    ) -> dict[str, float]:
        """Scores one system's outputs.

        Returns:
            `transfer_accuracy` (%), `self_bleu`, `reference_bleu` (if there are references), `word_overlap` (%),
            `perplexity` (if there is a language model), `distinct_sentences` (%) and `mean_length` (words).
        """
        sources, outputs = self._read(sources), self._read(outputs)
        row = {
            "transfer_accuracy": self.accuracy.compute(predictions=outputs, references=list(targets))[
                "transfer_accuracy"
            ],
            "self_bleu": Bleu().compute(predictions=outputs, references=sources)["bleu"],
        }
        if references is not None:
            references = [self._read(several) for several in references]
            row["reference_bleu"] = Bleu().compute(predictions=outputs, references=references)["bleu"]
        row.update(self.content.compute(predictions=outputs, references=sources))
        if self.language_model is not None:
            judge = Perplexity(self.language_model, self.tokenizer)
            row.update(judge.compute(predictions=outputs))
        row["distinct_sentences"] = 100 * len(set(outputs)) / len(outputs)
        row["mean_length"] = sum(len(text.split()) for text in outputs) / len(outputs)
        return row

    def _read(self, texts: Sequence[str]) -> list[str]:
        return list(texts) if self.tokenizer is None else read_texts(texts, self.tokenizer)


def other_labels(labels: Sequence[int], num_labels: int) -> list[int]:
    """The value to transfer each sentence to: the other one of two, the next one of more."""
    return [(label + 1) % num_labels for label in labels]


class StyleTransferEvaluator:
    """Evaluator for the loop: transfers and reconstructs held-out sentences and samples new ones.

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
        num_printed: transfers among the samples that are printed, half from each end of the dataset.
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

    def metric_names(self, model: PreTrainedModel) -> list[str]:
        """The names of the metrics of an evaluation; one or another may be left out where it cannot be measured."""
        names = ["transfer_accuracy", "self_bleu", "word_overlap", "distinct_sentences", "mean_length"]
        names += ["reconstruction_bleu", "exact_match", "transfer_score", "bleu_at_floor"]
        if not isinstance(self._judges, TransferJudges) or self._judges.language_model is not None:
            names.append("perplexity")  # of judges that are yet to be trained it is not known
        if self.num_samples:
            names += ["sample_distinct", "sample_self_bleu"]
        return names + ["reverse_perplexity"] * bool(self.reverse_perplexity_samples)

    def __call__(self, model: PreTrainedModel) -> Evaluation:
        targets = other_labels(self.labels, model.config.num_attributes)
        transfers = rewrite_texts(model, self.tokenizer, self.texts, targets)
        copies = rewrite_texts(model, self.tokenizer, self.texts, self.labels)
        samples = sample_texts(model, self.tokenizer, self.num_samples) if self.num_samples else []
        metrics = from_main(lambda: self._score(transfers, targets, copies, samples))
        lines = self._transfer_lines(transfers, targets, model.config.id2label)
        lines += [f"[sample] {text}" for text in samples[:3]]
        if self.reverse_perplexity_samples:
            from hf_arae.metrics.language_model import reverse_perplexity

            samples = sample_texts(model, self.tokenizer, self.reverse_perplexity_samples)
            metrics["reverse_perplexity"] = reverse_perplexity(samples, self.texts, self.tokenizer)
        return Evaluation(metrics, lines)

    def _score(
        self, transfers: list[str], targets: list[int], copies: list[str], samples: list[str]
    ) -> dict[str, float]:
        metrics = self.judges.score(self.texts, transfers, targets)
        metrics["reconstruction_bleu"] = Bleu().compute(predictions=copies, references=self.texts)["bleu"]
        metrics.update(ExactMatch().compute(predictions=copies, references=self.texts))
        accuracy, bleu = metrics["transfer_accuracy"], metrics["self_bleu"]
        metrics["transfer_score"] = math.sqrt(accuracy * bleu)
        metrics["bleu_at_floor"] = bleu if accuracy >= self.accuracy_floor else accuracy - self.accuracy_floor
        if samples:
            diversity = Diversity().compute(predictions=samples)
            metrics["sample_distinct"] = diversity["distinct_sentences"]
            metrics["sample_self_bleu"] = diversity["self_bleu"]
        return metrics

    def _transfer_lines(self, transfers: list[str], targets: list[int], names: dict[int, str]) -> list[str]:
        half = self.num_printed // 2
        rows = [*range(half), *range(len(transfers) - half, len(transfers))]
        return [f"{self.texts[row]}  -> {names[targets[row]]}:  {transfers[row]}" for row in rows]


def leakage(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, texts: Sequence[str], labels: Sequence[int]
) -> dict[str, float]:
    """Accuracy (%) of a fresh probe that reads the attribute from frozen codes of held-out texts."""
    codes = encode_texts(model, tokenizer, texts)
    return from_main(lambda: StyleLeakage().compute(predictions=codes.numpy(), references=list(labels)))
