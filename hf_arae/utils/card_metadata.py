"""What the Hub takes in a card's metadata, checked before a training and before a push."""

from __future__ import annotations

import re

# Those that models of this library have use for; the Hub knows more.
_LICENSES = """
    apache-2.0 bsd-2-clause bsd-3-clause cc-by-4.0 cc-by-nc-4.0 cc-by-nc-sa-4.0 cc-by-sa-4.0 cc0-1.0 gpl-3.0 lgpl-3.0
    mit mpl-2.0 openrail other unknown unlicense
"""
_PIPELINE_TAGS = """
    feature-extraction image-classification image-feature-extraction other question-answering sentence-similarity
    summarization text-classification text-generation token-classification translation
    unconditional-image-generation
"""
LICENSES, PIPELINE_TAGS = _LICENSES.split(), _PIPELINE_TAGS.split()
_LANGUAGE = re.compile(r"[a-z]{2,3}|multilingual|code")
_REPOSITORY = re.compile(r"[\w.-]+(/[\w.-]+)?")


def wrong_license(name: str | None) -> str | None:
    """What is wrong with a licence; `None` if nothing is, or none is given."""
    if name is None or name in LICENSES:
        return None
    return f"license is {name!r}; accepted: {', '.join(LICENSES)}, or none"


def wrong_language(names: str | list | None) -> str | None:
    """What is wrong with a language or a list of them; `None` if nothing is, or none is given."""
    wrong = [name for name in listed(names) if not _LANGUAGE.fullmatch(str(name))]
    return f"language is {wrong[0]!r}; accepted: ISO 639 codes such as en, or none" if wrong else None


def wrong_dataset(names: str | list | None) -> str | None:
    """What is wrong with the names of datasets; `None` if nothing is."""
    wrong = [name for name in listed(names) if not _REPOSITORY.fullmatch(str(name))]
    return f"datasets has {wrong[0]!r}; accepted: names of dataset repositories, OWNER/NAME" if wrong else None


def languages(text: str | None) -> str | list[str] | None:
    """ISO 639 codes as the metadata has them, from one or several with commas between."""
    codes = [code.strip() for code in (text or "").split(",") if code.strip()]
    return codes if len(codes) > 1 else codes[0] if codes else None


def listed(value: str | list | None) -> list:
    """An entry that may be missing, one value or several, as a list."""
    return [] if value is None else value if isinstance(value, list) else [value]
