"""The second pair of judges: one half of the validation split, the same for any order of its rows, and kept."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from datasets import Dataset

from hf_arae.evaluation import held_out_judges, language_model
from hf_arae.evaluation.held_out_judges import HeldOutJudges
from hf_arae.evaluation.style_transfer import TransferJudges
from hf_arae.evaluation.text_classifier import TextClassifier
from hf_arae.evaluation.transfer_outputs import SystemOutputs
from hf_arae.evaluation.transfer_table import TransferTable, interval_rows, readable_intervals
from hf_arae.metrics import Perplexity

THINGS = ("food", "soup", "staff", "table", "room", "bed", "view", "wine")
WORDS = (("bad", "awful", "poor"), ("good", "great", "lovely"))


def reviews(times: int = 1) -> Dataset:
    rows = [
        (f"the {thing} in room {number} was {word} .", label)
        for number in "12345"
        for thing in THINGS
        for label, several in enumerate(WORDS)
        for word in several
    ] * times
    return Dataset.from_dict({"text": [text for text, _ in rows], "label": [label for _, label in rows]})


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("judges")


@pytest.fixture(scope="module")
def judges(folder):
    return HeldOutJudges.from_dataset(reviews(), folder)


def test_they_are_measured_on_sentences_that_they_did_not_learn_from(judges):
    assert judges.accuracy > 90 and 1 < judges.perplexity < 50
    assert {label: len(texts) for label, texts in judges.real.items()} == {0: 120, 1: 120}
    assert f"{judges.accuracy:.1f} % of the 120" in judges.reliability


def test_the_same_sentences_in_another_order_give_the_judges_that_were_kept(judges, folder, monkeypatch):
    def train(*_, **__):
        raise AssertionError("trained again")

    monkeypatch.setattr(held_out_judges, "train_text_classifier", train)
    monkeypatch.setattr(language_model, "train_language_model", train)
    again = HeldOutJudges.from_dataset(reviews(times=2).shuffle(seed=1), folder)
    assert again.real == judges.real and again.perplexity == judges.perplexity
    texts = ["the food was good .", "awful", "", "the bed in room 1 was zzz ."]
    assert torch.equal(again.probabilities(texts), judges.probabilities(texts))
    with pytest.raises(AssertionError, match="trained again"):
        HeldOutJudges.from_dataset(reviews().select(range(100)), folder)


def test_a_classifier_reads_a_sentence_the_same_alone_and_beside_longer_ones(judges):
    texts = ["good", "the food was good .", "the soup in room 3 was poor , and the view was lovely ."]
    together = judges.probabilities(texts)
    for text, several in zip(texts, together, strict=True):
        assert torch.allclose(judges.probabilities([text])[0], several, atol=1e-6)
    assert together.sum(1).tolist() == pytest.approx([1, 1, 1])


def test_what_is_no_classifier_is_refused(tmp_path, judges):
    (tmp_path / "classifier.safetensors").write_bytes(b"something else")
    with pytest.raises(ValueError, match=r"classifier\.safetensors"):
        TextClassifier(10, 2, 0).load(tmp_path / "classifier.safetensors")


def test_tokens_have_the_probabilities_of_the_perplexity(judges):
    texts = ["the food was good .", "", "a word that nobody knows"]
    tokens = judges.fluency(texts)
    assert [len(values) for values in tokens] == [6, 1, 6]
    metric = Perplexity(judges.language_model, judges.tokenizer)
    for text, values in zip(texts, tokens, strict=True):
        assert np.exp(-np.mean(values)) == pytest.approx(metric.compute(predictions=[text])["perplexity"], rel=1e-5)


@pytest.mark.parametrize("rows", [reviews().filter(lambda row: row["label"] == 1), reviews().select([0, 3])])
def test_too_few_sentences_or_labels_are_refused(rows):
    with pytest.raises(ValueError, match="two labels in the validation split"):
        HeldOutJudges.from_dataset(rows)


def test_a_table_of_a_copy_a_good_transfer_a_vague_one_and_some_empty_outputs(judges):
    data = reviews()
    usual = TransferJudges.from_dataset(data, data)
    sources, labels = data["text"][:30], data["label"][:30]
    targets = [1 - label for label in labels]
    other = dict(zip(WORDS[0] + WORDS[1], WORDS[1] + WORDS[0], strict=True))
    good = [" ".join(other.get(word, word) for word in text.split()) for text in sources]
    table = TransferTable(usual, judges, sources, labels, targets)
    everywhere = list(range(30))
    vague = [f"it was {WORDS[target][0]} ." for target in targets]
    systems = [
        SystemOutputs("copy", sources, everywhere),
        SystemOutputs("good", good, everywhere, [[text] for text in good]),
        SystemOutputs("vague", vague, everywhere),
        SystemOutputs("part", [*good[:9], ""], everywhere[:10]),
    ]
    scores = {system.system: table.score(system) for system in systems}
    copy, best, lost, part = (scores[system.system].row for system in systems)
    assert copy["joint_score"] == copy["transfer_accuracy"] == 0 and copy["changed_clauses"] < 100
    assert best["joint_score"] == best["held_out_transfer_accuracy"] == best["changed_clauses"] == 100
    assert lost["joint_score"] == 0 and lost["transfer_accuracy"] == 100, "no word of content is left"
    assert part["system"] == "part (10 outputs)" and part["joint_score"] == pytest.approx(90)
    assert 0 <= copy["real_or_output_auc"] <= 100
    columns = list(best)
    assert columns.index("held_out_transfer_accuracy") == columns.index("second_transfer_accuracy") + 1
    rows = interval_rows(table, list(scores.values()), scores["good"])
    assert rows[1]["reference_bleu_low"] == pytest.approx(100) and "joint_score_p" not in rows[1]
    assert rows[0]["joint_score_difference"] == -100 and rows[0]["joint_score_p"] < 0.001
    assert rows[3]["joint_score_difference"] == pytest.approx(-10) and rows[3]["joint_score_p"] == 1
    assert readable_intervals(rows)[0]["joint_score_difference"].endswith("p < 0.001")
