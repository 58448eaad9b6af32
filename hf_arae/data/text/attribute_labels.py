"""Which attribute value a sentence has and which it is rewritten with, by the names that users know."""

from __future__ import annotations

import numbers
from collections.abc import Mapping, Sequence

from hf_arae.data.text.rules import NUMBER_TOKEN
from hf_arae.utils.escapes import excerpt

# Words of a sentence say the same thing more than once, and naive Bayes counts them as independent. Of 4,000 reviews
# of Yelp's validation split, guesses by this share of the summed log-odds are as often right as they say.
SHARE_OF_LOG_ODDS = 1 / 3
# A guess of the source has to be likelier than a draw by so much. Of the same reviews, arae-yelp guesses 0.6 % with
# less, 58 % of them rightly, and 90 % of the others.
ABOVE_CHANCE = 0.01


class AttributeLabels:
    """The labels of a model with attributes, and what a caller may leave out.

    Args:
        names: name of each attribute value, as in a config's `id2label`.
    """

    def __init__(self, names: Mapping[int, str]):
        self.names = dict(names)
        # Stars from 1 to 5, say: whole numbers are then names, as a user who counts them means it.
        self.are_numbers = all(name.lstrip("-").isdecimal() for name in self.names.values())

    def id_of(self, argument: str, label: str | int | None) -> int | None:
        """Returns the attribute value that a label names; `None` for `None`.

        Args:
            argument: what the label was given for, for the message.
            label: a name or an id. Where all names are whole numbers, a number is one of them and no id.

        Raises:
            TypeError: what was given is neither a string nor a whole number.
            ValueError: there is no such label, or a number is the name of one and the id of another.
        """
        if label is None:
            return None
        accepted = ", ".join(f"{name!r} ({index})" for index, name in self.names.items())
        is_number = isinstance(label, numbers.Integral) and not isinstance(label, bool)
        if not isinstance(label, str | numbers.Integral):
            raise TypeError(
                f"{argument} must be a label's name or id, one for all texts: one of {accepted}; got a "
                f"{type(label).__name__}, {label!r:.80}"
            )
        named = next((index for index, name in self.names.items() if str(label) == name), None)
        if is_number and not self.are_numbers and int(label) in self.names:
            if named not in (None, int(label)):
                raise ValueError(
                    f"{argument}={label} is the name of one label and the id of another: give the name, a string. "
                    f"The labels are {accepted}"
                )
            return int(label)
        if named is None:
            raise ValueError(f"{argument} must be one of {accepted}; got {label!r}")
        return named

    def check_target(self, target: int | None, source: int | None, words_tell: bool) -> None:
        """Raises ValueError where `target` is left out and nothing says which label is meant.

        Args:
            target, source: attribute values, or `None` for what was left out.
            words_tell: whether the model tells a sentence's source by its words.
        """
        if target is not None:
            return
        names = ", ".join(map(repr, self.names.values()))
        if len(self.names) > 2:
            raise ValueError(f"target is needed with more than two labels: one of {names}")
        if source is None and not words_tell:
            raise ValueError(
                "target or source is needed: this model's attribute_log_odds were never filled, so a sentence's words "
                f"do not tell its label. The labels are {names}"
            )

    def direction(
        self,
        target: int | None,
        source: int | None,
        probabilities: Sequence[float] | None,
        min_confidence: float | None,
        where: str,
        text: str,
    ) -> tuple[int | None, int]:
        """From which label a sentence is rewritten, `None` where it is not known, and with which.

        Args:
            target, source: attribute values, or `None` for what was left out, as `check_target` lets it pass.
            probabilities: of each value as its words tell it; `None` where it has none.
            min_confidence: the least probability of a guessed source, in [0, 1]; `None`: `ABOVE_CHANCE` over that of
                a draw.
            where, text: name the sentence.

        Raises:
            ValueError: the target depends on a source that is guessed with less confidence.
        """
        least = 1 / len(self.names) + ABOVE_CHANCE if min_confidence is None else min_confidence
        if source is None and probabilities is not None:
            best = max(range(len(probabilities)), key=lambda value: probabilities[value])
            if probabilities[best] >= least:
                source = best
        if target is not None:
            return source, target
        if source is None:
            guess = "it holds no word that tells"
            if probabilities is not None:
                guess = (
                    f"by its words it is {self.names[best]!r} with a probability of {probabilities[best]:.2f}, below "
                    f"the min_confidence of {least:.2f}"
                )
            raise ValueError(
                f"{where} does not say which label it has: {guess}. Give source= or target=: {excerpt(text)}"
            )
        return source, 1 - source

    def why_kept(self, text: str, source: int | None, target: int) -> str | None:
        """Why a sentence is given back as it is, whatever a model would write; `None` if it is to be rewritten."""
        if source == target:
            return f"the sentence is {self.names[target]!r} already, and is given back as it is"
        return None if has_words(text) else "the sentence holds no word, and is given back as it is"


def has_words(text: str) -> bool:
    """Whether a text holds a letter, and not digits and marks alone."""
    return any(map(str.isalpha, text.replace(NUMBER_TOKEN, "")))
