"""The made-up language of agreement: what it promises of its bonds."""

from __future__ import annotations

import pytest

from hf_arae.data.corpora.agreement import BONDS, build_agreement, build_agreement_judgements

SIZES = {"train": 300, "validation": 40}
SECONDS = {"brackets": ("em", "ol", "is"), "clauses": ("ha", "ho", "hu")}


@pytest.fixture(scope="module")
def language():
    return build_agreement(SIZES)


def test_it_is_the_same_each_time_and_another_for_another_seed(language):
    again, other = build_agreement(SIZES), build_agreement(SIZES, seed=1)
    assert {split: len(rows) for split, rows in language.items()} == SIZES
    for split in SIZES:
        assert again[split][:] == language[split][:] and other[split]["text"][:] != language[split]["text"][:]
    assert not set(language["train"]["text"]) & set(language["validation"]["text"])


def test_words_beside_a_bond_agree_with_its_other_end(language):
    for row in language["train"]:
        words = row["text"].split()
        assert row["brackets"] and row["clauses"]
        for opener, closer in row["brackets"]:
            assert words[opener][:3] == words[closer][:3], "of one kind"
            assert words[closer + 1] == words[opener][3:] and words[opener - 1] == words[closer][3:]
            assert [word for word in words if word[:3] == words[opener][:3]] == [words[opener], words[closer]]
        for subject, verb in row["clauses"]:
            assert words[subject][:4] == words[verb][:4] and words[subject].endswith("ne") == words[verb].endswith(
                "ne"
            )
            assert words[verb + 1] == "h" + words[subject][4]
            assert words[subject - 1] == "th" + words[verb][4:6]
            assert words[subject - 2] not in ("ap", "ek", "un")


def test_bonds_are_long_and_their_neighbours_do_not_give_them_away(language):
    gaps = [second - first for row in language["train"] for kind in BONDS for first, second in row[kind]]
    assert min(gaps) >= 2 and sum(gaps) / len(gaps) > 6 and max(gaps) > 15
    after = [
        (row["text"].split()[closer], row["text"].split()[closer + 1])
        for row in language["train"]
        for _, closer in row["brackets"]
    ]
    commonest = {}
    for closer, word in after:
        commonest.setdefault(closer, []).append(word)
    right = sum(max(map(words.count, SECONDS["brackets"])) for words in commonest.values())
    assert right / len(after) < 0.6, "who sees the closer alone guesses one of three"


def test_judgements_are_wrong_where_every_bond_is_broken():
    found = build_agreement_judgements({"train": 200})["train"]
    assert found["label"][:] == [0, 1] * 100 and found.features["label"].names == ["wrong", "right"]
    counts = [[], []]
    for row in found:
        words = row["text"].split()
        stems = {word[:3]: word[3:] for word in reversed(words) if word[3:] in SECONDS["brackets"]}
        closers = [at for at, word in enumerate(words) if word[3:] in ("ad", "eg", "ir") and len(word) > 3]
        counts[row["label"]] += [words[at + 1] == stems[words[at][:3]] for at in closers]
    assert all(counts[1]) and not any(counts[0])
