# SPDX-License-Identifier: Apache-2.0
# Exported from hf_arae/pipelines/attribute_labels.py of hf_arae 0.1.0.
# Edits belong there: the next save_pretrained overwrites this file.
"""Which attribute value a sentence has and which it is rewritten with, by the names that users know."""

from __future__ import annotations

from collections.abc import Mapping


class AttributeLabels:
    """The labels of a model with attributes, and what a caller may leave out.

    Args:
        names: name of each attribute value, as in a config's `id2label`.
    """

    def __init__(self, names: Mapping[int, str]):
        self.names = dict(names)

    def id_of(self, argument: str, label: str | int | None) -> int | None:
        """Returns the attribute value that a label names; `None` for `None`.

        Args:
            argument: what the label was given for, for the message.
            label: a name or an id.

        Raises:
            ValueError: there is no such label.
        """
        if label is None or (label in self.names and not isinstance(label, bool)):
            return label
        for index, name in self.names.items():
            if label == name:
                return index
        accepted = ", ".join(f"{name!r} ({index})" for index, name in self.names.items())
        raise ValueError(f"{argument} must be one of {accepted}; got {label!r}")

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
