"""The README files: their links and paths lead somewhere, their commands have the flags, their snippets run."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PLACES = ("hf_arae", "examples", "tests", "model_cards")
DOCUMENTS = sorted([ROOT / "README.md", *(path for place in PLACES for path in (ROOT / place).rglob("*.md"))])
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
NAMED = re.compile(rf"(?<![\w./-])(?:{'|'.join(PLACES)})/[\w./-]*\w")


def anchors(document: Path) -> set[str]:
    """The names that GitHub gives to headings."""
    text = FENCE.sub("", document.read_text(encoding="utf-8"))
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.fixture(params=DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def document(request):
    return request.param


def test_links_lead_somewhere(document):
    for link in LINK.findall(FENCE.sub("", document.read_text(encoding="utf-8"))):
        if re.match(r"https?://|mailto:", link):
            continue
        path, _, anchor = link.partition("#")
        target = document.parent / path if path else document
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


def test_named_paths_exist(document):
    for path in NAMED.findall(LINK.sub("", document.read_text(encoding="utf-8"))):
        assert (ROOT / path).exists(), path


def test_readme_is_short_and_says_how_to_begin():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 200
    (_, commands), *_ = FENCE.findall(text[text.index("\n## Quick start\n") :])
    assert len(commands.splitlines()) == 2 and "pytest" in commands.splitlines()[1]
