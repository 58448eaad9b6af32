"""The made-up language of agreement: what it promises of its bonds."""

from __future__ import annotations

from itertools import pairwise

import pytest

from hf_arae.data.corpora.agreement import BONDS, build_agreement, build_agreement_judgements

SIZES = {"train": 300, "validation": 40}
AFTER = ("hem", "hol", "his")


@pytest.fixture(scope="module")
def language():
    return build_agreement(SIZES)


def test_it_is_the_same_each_time_and_another_for_another_seed(language):
    again, other = build_agreement(SIZES), build_agreement(SIZES, seed=1)
    assert {split: len(rows) for split, rows in language.items()} == SIZES
    for split in SIZES:
        assert again[split][:] == language[split][:] and other[split]["text"][:] != language[split]["text"][:]
    assert not set(language["train"]["text"]) & set(language["validation"]["text"])


def test_words_beside_a_bond_agree_with_its_other_half(language):
    for row in language["train"]:
        words = row["text"].split()
        assert len(row["brackets"]) in (2, 3) and len(row["clauses"]) == 1
        for first, ending, closing, last in row["brackets"]:
            assert (ending, last) == (first + 1, closing + 1) and words[first] == words[last][::-1], "of one kind"
            assert words[last + 1] == "h" + words[ending] and words[first - 1] == "g" + words[closing]
            assert words.count(words[first]) == words.count(words[last]) == 1
        for subject, _, _, verb in row["clauses"]:
            assert words[subject][:4] == words[verb][:4]
            assert words[verb + 1] == "h" + words[subject][4]
            assert words[subject - 1] == "th" + words[verb][4:6]
            assert words[subject - 2] not in ("ap", "ek", "un")


def test_bonds_are_long_and_nothing_but_their_other_half_tells(language):
    gaps = [bond[2] - bond[1] for row in language["train"] for kind in BONDS for bond in row[kind]]
    assert min(gaps) >= 2 and sum(gaps) / len(gaps) > 6 and max(gaps) > 15
    after: dict[tuple[str, str], list[str]] = {}
    for row in language["train"]:
        words = row["text"].split()
        for *_, closing, last in row["brackets"]:
            after.setdefault((words[closing], words[last]), []).append(words[last + 1])
    right = sum(max(map(found.count, AFTER)) for found in after.values()) / sum(map(len, after.values()))
    assert right < 0.55, "who sees the closer alone guesses one of three"


def test_judgements_are_wrong_where_every_bond_is_broken():
    found = build_agreement_judgements({"train": 200})["train"]
    assert found["label"][:] == [0, 1] * 100 and found.features["label"].names == ["wrong", "right"]
    holds = [[], []]
    for row in found:
        words = row["text"].split()
        for place, word in enumerate(words):
            if word in AFTER:
                opener = words.index(words[place - 1][::-1])
                holds[row["label"]].append(word == "h" + words[opener + 1])
    assert all(holds[1]) and not any(holds[0]) and len(holds[0]) > 150


def test_neither_words_side_by_side_nor_words_without_order_tell_which_texts_are_wrong():
    found = build_agreement_judgements({"train": 1000, "test": 200})
    known: set[tuple[str, str]] = set()
    for row in found["train"]:
        words = row["text"].split()
        known |= set(pairwise(words)) if row["label"] else set()
    for row in found["test"]:
        words = row["text"].split()
        new = [pair for pair in pairwise(words) if pair not in known]
        assert len(new) <= 2, "a right text has them all, but for rare ones"
        for ending, after in zip(("em", "ol", "is"), AFTER, strict=True):
            assert words.count(ending) == words.count(after)
        nouns = [word for word in words if word[:4] in ("sarv", "telk", "vond") and len(word) == 5]
        assert {f"h{noun[-1]}" for noun in nouns} >= {word for word in words if word in ("ha", "ho", "hu")}
