# SPDX-License-Identifier: Apache-2.0
# Exported from hf_arae/data/text/cutting.py of hf_arae 0.1.0.
# Edits belong there: the next save_pretrained overwrites this file.
"""Sentences cut to a limit after they were read.

A tokenizer that is called with `truncation=True` or `padding=True` keeps that until its next call: where threads share
one, a text that must not be cut is cut in silence. What is cut here are the ids.
"""

from __future__ import annotations


def cut_ids(ids: list[int], limit: int) -> list[int]:
    """The first `limit` tokens of a sentence between the two that frame it, and these two."""
    return ids if len(ids) <= limit + 2 else [*ids[: limit + 1], ids[-1]]
