"""BLEU against the source sentence or against human references."""

from typing import Any

import datasets
import evaluate

from hf_arae.metrics.interface import InMemoryMetric, check_reference_lists, check_texts
from hf_arae.metrics.numbers import Number
from hf_arae.utils.extras import import_extra

NUMBERS = {
    "bleu": Number(
        "BLEU",
        "How many runs of one to four words the outputs share with their references, 0 to 100; higher is closer.",
        in_metadata=True,
    ),
}

_MAX_ORDER = 4


class Bleu(InMemoryMetric):
    """Corpus BLEU-4 of pre-tokenised text, in 0..100, higher is better (sacrebleu, `tokenize="none"`).

    N-grams are taken up to the length that there is: where no reference, or no prediction, has four words, up to its
    longest. Where both have 4-grams, as in any usual corpus, this is sacrebleu's own score.

    With the source sentences as references it is the self-BLEU of Table 4.2 of the thesis (how much of the content a
    transfer keeps), with human references the usual score, with the input of an autoencoder its reconstruction BLEU.

    ```python
    metric = Bleu()
    metric.compute(
        predictions=["the food was very good .", "never again !"],
        references=[["the food was really good .", "the food was very tasty ."], ["never come again !"]],
    )
    # {"bleu": 49.71}
    ```

    `compute` takes
        predictions: list of n str, tokens separated by spaces; may be empty strings.
        references: list of n str, or list of n lists of str; the lists may differ in length.
    and returns `{"bleu": float}`.

    Raises:
        TypeError: an item is not a str (or, in references, a list of str).
        ValueError: there are no predictions, a list of references is empty, or the numbers differ.
    """

    def _info(self) -> evaluate.MetricInfo:
        value = datasets.Value("string")
        return evaluate.MetricInfo(
            description=type(self).__doc__,
            citation="Papineni et al. 2002, BLEU; Post 2018, A Call for Clarity in Reporting BLEU Scores",
            features=[
                datasets.Features({"predictions": value, "references": datasets.List(value)}),
                datasets.Features({"predictions": value, "references": value}),
            ],
        )

    def _compute(self, predictions: Any, references: Any) -> dict[str, float]:
        texts = check_texts("predictions", predictions)
        reference_lists = check_reference_lists(references)
        # sacrebleu wants one stream for each place in the lists, with None where a sentence has fewer references.
        places = range(max(map(len, reference_lists)))
        streams = [[refs[place] if place < len(refs) else None for refs in reference_lists] for place in places]
        longest = max(len(reference.split()) for refs in reference_lists for reference in refs)
        order = max(1, min(_MAX_ORDER, longest))
        # force: the text is tokenised on purpose, which sacrebleu would warn about.
        scorer = import_extra("sacrebleu").BLEU(
            tokenize="none", force=True, max_ngram_order=order, effective_order=True
        )
        score = scorer.corpus_score(texts, streams).score
        return {"bleu": min(score, 100.0)}  # rounding takes a perfect copy a little above
