"""Can outputs be told from real sentences? A probe that is trained on each system's outputs anew."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
from transformers.utils import logging

from hf_arae.metrics.numbers import Number
from hf_arae.utils.extras import import_extra

NUMBERS = {
    "real_or_output_auc": Number(
        "AUC of a probe that tells outputs from real sentences (%)",
        "Area under the curve of a fresh linear classifier of 1- to 3-grams, cross-validated, that tells outputs from "
        "as many real validation sentences of the wanted label; 50 is indistinguishable, lower is better.",
    ),
}

FOLDS = 5
_LONGEST_NGRAM = 3

logger = logging.get_logger(__name__)


class RealOrOutputProbe:
    """Tells any system's outputs from the same real sentences, each wanted label by a probe of its own.

    A probe is a logistic regression on the presence of word n-grams. It is asked about texts that it was not trained
    on, and its AUC is the chance that a real sentence scores above an output. A copy of the source is told from real
    sentences of the other label by its label: what is not transferred is found out too.

    Args:
        real: by label, real sentences in the words that outputs are in; those that are used are drawn from them.
        targets: the wanted label of each transfer of the evaluation: as many real sentences are drawn for each.
        seed: of the draw and of the folds.
    """

    def __init__(self, real: Mapping[int, Sequence[str]], targets: Sequence[int], seed: int = 0):
        self.seed, self._real = seed, {}
        for label, count in sorted(Counter(targets).items()):
            sentences = list(real.get(label, ()))
            if len(sentences) < count:
                logger.warning(
                    "The probe for real and written sentences has %d real ones of label %d, not %d.",
                    len(sentences),
                    label,
                    count,
                )
            drawing = random.Random(seed)
            self._real[label] = drawing.sample(sentences, min(count, len(sentences)))

    def auc(self, outputs: Sequence[str], targets: Sequence[int]) -> float | None:
        """Area under the curve (%), the mean over the wanted labels.

        Args:
            outputs: texts, tokens separated by spaces.
            targets: the wanted label of each.

        Returns:
            `None` where a label has fewer than 5 outputs or real sentences.
        """
        found = []
        for label in sorted(set(targets)):
            written = [text for text, target in zip(outputs, targets, strict=True) if target == label]
            real = self._real.get(label, [])
            if min(len(written), len(real)) < FOLDS:
                return None
            found.append(self._auc(real, written))
        return 100 * float(np.mean(found))

    def _auc(self, real: list[str], written: list[str]) -> float:
        vectorizer = import_extra("sklearn.feature_extraction.text").CountVectorizer(
            ngram_range=(1, _LONGEST_NGRAM),
            tokenizer=str.split,
            token_pattern=None,
            lowercase=False,
            binary=True,
            dtype=np.float32,
        )
        selection = import_extra("sklearn.model_selection")
        classifier = import_extra("sklearn.linear_model").LogisticRegression(solver="liblinear", random_state=0)
        probe = import_extra("sklearn.pipeline").make_pipeline(vectorizer, classifier)
        texts, is_real = real + written, np.repeat([1, 0], [len(real), len(written)])
        # Equal texts stand in one fold: else a system that repeats itself is known by its sentences, not its style.
        groups = np.unique(texts, return_inverse=True)[1]
        folds = selection.StratifiedGroupKFold(FOLDS, shuffle=True, random_state=self.seed)
        scores = np.empty(len(texts))
        for learnt, asked in folds.split(texts, is_real, groups):
            if len(set(is_real[learnt])) < 2:
                return 0.5
            probe.fit([texts[row] for row in learnt], is_real[learnt])
            scores[asked] = probe.decision_function([texts[row] for row in asked])
        return float(import_extra("sklearn.metrics").roc_auc_score(is_real, scores))
