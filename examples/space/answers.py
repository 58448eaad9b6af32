"""What every request goes through: limits on its texts, and errors told in a line."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from functools import wraps
from html import escape
from numbers import Real
from pathlib import Path

import gradio as gr

import hf_arae
from hf_arae.data.text.characters import whole_characters

logger = logging.getLogger("hf_arae.space")

_OWN_FOLDERS = (Path(__file__).parent, Path(hf_arae.__file__).parent)


def checked_text(text: str | None, max_characters: int, what: str = "the text") -> str:
    """Returns a text without white space around it, and with U+FFFD for halves of characters.

    Raises:
        ValueError: it is empty or has more than `max_characters`.
    """
    text = text or ""
    if len(text) > max_characters:
        raise ValueError(f"{what} has {len(text):,} characters; at most {max_characters:,} are taken here")
    if not text.strip():
        raise ValueError(f"{what} is empty")
    return whole_characters(text.strip())


def checked_lines(text: str | None, max_lines: int, max_characters: int, what: str = "the text") -> list[str]:
    """Returns the lines of a text that are not blank.

    Raises:
        ValueError: there is none, there are more than `max_lines`, or more than `max_characters` together.
    """
    lines = [line.strip() for line in checked_text(text, max_characters, what).splitlines() if line.strip()]
    if len(lines) > max_lines:
        raise ValueError(f"{what} has {len(lines):,} lines; at most {max_lines:,} are taken here")
    return lines


def checked_number(number: int | None, what: str) -> int:
    """Returns a number; raises ValueError for a box that was emptied, which gradio lets through."""
    if number is None:
        raise ValueError(f"{what} is empty: give a whole number")
    return number


def checked_real(number: float | None, minimum: float, maximum: float, what: str) -> float:
    """Returns a number; raises ValueError for one out of its range. gradio lets NaN and nothing through."""
    if isinstance(number, bool) or not isinstance(number, Real) or not minimum <= number <= maximum:
        raise ValueError(f"{what} must be a number from {minimum} to {maximum}, got {number!r:.80}")
    return float(number)


def checked_choice(choice: str | None, accepted: Iterable[str], what: str) -> str:
    """Returns a choice; raises ValueError for none, which gradio lets through, and for another one."""
    if not isinstance(choice, str) or choice not in accepted:
        raise ValueError(f"{what} must be one of {', '.join(accepted)}; got {choice!r:.80}")
    return choice


def checked_label(label: str | None) -> str | None:
    """Returns a label's name, `None` for none; which ones there are, the model says.

    Raises:
        ValueError: it is no text.
    """
    if label is not None and not isinstance(label, str):
        raise ValueError(f"a label is given by its name, got {label!r:.80}")
    return label or None


def answered(function: Callable) -> Callable:
    """Shows the one-line messages of bad input, which this package and this folder raise; logs all other errors.

    gradio renders messages as HTML, and messages quote what was typed: they are escaped.
    """

    @wraps(function)
    def answer(*arguments):
        try:
            return function(*arguments)
        except (ValueError, TypeError) as error:
            if not _raised_here(error):
                raise _unexpected(function, error) from None
            message = whole_characters(str(error))
            raise gr.Error(escape(message[:1].upper() + message[1:], quote=False), print_exception=False) from None
        except Exception as error:
            raise _unexpected(function, error) from None

    return answer


def _raised_here(error: Exception) -> bool:
    place = error.__traceback__
    while place.tb_next is not None:
        place = place.tb_next
    file = Path(place.tb_frame.f_code.co_filename)
    return any(file.is_relative_to(folder) for folder in _OWN_FOLDERS)


def _unexpected(function: Callable, error: Exception) -> gr.Error:
    logger.error("%s failed", function.__name__, exc_info=error)
    return gr.Error("Something went wrong here, not with what you typed. It was logged.", print_exception=False)
