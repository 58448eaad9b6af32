"""Texts of others inside messages and Markdown: shown as they are, never read as Markdown, HTML or code."""

from __future__ import annotations

import json
import re
from typing import Any

_MARKS = re.compile(r"[\\`*\[\]|~$]|(?<!\w)_|_(?!\w)|^#")
_HTML = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}


def plain(text: Any) -> str:
    """A text as one line of Markdown, in a paragraph or in a table's cell, that shows it as it is.

    White space of any kind becomes one space. Marks of Markdown and of HTML are escaped; an underscore within a word
    means nothing there and stays.
    """
    line = " ".join("".join(c if c.isprintable() or c.isspace() else "\ufffd" for c in str(text)).split())
    line = _MARKS.sub(lambda mark: f"\\{mark.group()}", line)
    return re.sub("[&<>]", lambda mark: _HTML[mark.group()], line)


def literal(text: str) -> str:
    """A text as a Python literal: it stays one string, on one line, whatever it holds."""
    return json.dumps(text, ensure_ascii=False) if text.isprintable() else repr(text)


def fenced(text: str) -> str:
    """A block that shows lines as they are, within a fence that none of them closes."""
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}\n{text}\n{fence}"


def excerpt(value: Any, width: int = 80) -> str:
    """A value as a message quotes it: its `repr`, of which a long one has its beginning and an ellipsis."""
    quoted = repr(value)
    return quoted if len(quoted) <= width else f"{quoted[: width - 4]}...{quoted[-1]}"
