# SPDX-License-Identifier: Apache-2.0
# Exported from hf_arae/data/text/attribute_labels.py of hf_arae 0.1.0.
# Edits belong there: the next save_pretrained overwrites this file.
"""Which attribute value a sentence has and which it is rewritten with, by the names that users know."""

from __future__ import annotations

import numbers
from collections.abc import Mapping


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
