"""Labelled pairs: where they come from, what is dropped, and which labels are used."""

from __future__ import annotations

import json
from collections import Counter
from itertools import islice

import pytest
import torch
from datasets import ClassLabel, Dataset, DatasetDict, Features, Value
from testing_mixins import made_up_sentences

from hf_arae.data.corpora.scenes import LABELS, SPLIT_SIZES, build_scenes
from hf_arae.data.pair_batches import SentencesWithPairs
from hf_arae.data.pairs import PairArguments, choose_labelled, load_labelled_pairs
from hf_arae.data.text.token_arrays import TokenArrays
from hf_arae.data.text.tokenization import train_tokenizer


def write(folder, rows, name="train.jsonl"):
    path = folder / name
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


def row(premise="a man sits .", hypothesis="he sits .", label="entailment", **others):
    return {"premise": premise, "hypothesis": hypothesis, "label": label, **others}


def test_the_built_in_scenes_are_there_without_arguments():
    data = load_labelled_pairs(PairArguments())
    assert {split: len(rows) for split, rows in data.items()} == SPLIT_SIZES
    assert data["train"].features["label"].names == LABELS
    assert data["train"].column_names == ["premise", "hypothesis", "label"]
    seen = [set(zip(rows["premise"], rows["hypothesis"], strict=True)) for rows in data.values()]
    assert not seen[0] & seen[1] and not seen[0] & seen[2] and not seen[1] & seen[2]


def test_a_hypothesis_alone_does_not_tell_entailment_from_contradiction():
    train = build_scenes()["train"]
    counts: dict[str, Counter] = {}
    for pair in train:
        if pair["label"] != 1:
            ending = pair["hypothesis"].split(" ", 2)[-1]
            counts.setdefault(ending, Counter())[pair["label"]] += 1
    guessed = sum(max(found.values()) for found in counts.values()) / sum(sum(f.values()) for f in counts.values())
    assert guessed < 0.65  # 0.5 and what chance adds


def test_pairs_without_a_label_are_dropped_with_a_note(tmp_path, warnings):
    features = Features(
        {"premise": Value("string"), "hypothesis": Value("string"), "label": ClassLabel(names=["yes", "no"])}
    )
    rows = [row(label=at % 3 - 1) for at in range(30)]
    DatasetDict({"train": Dataset.from_list(rows, features=features)})["train"].to_parquet(tmp_path / "train.parquet")
    data = load_labelled_pairs(PairArguments(dataset_name=str(tmp_path)))
    assert len(data["train"]) + len(data["validation"]) == 20
    assert set(data["train"]["label"]) == {0, 1} and data["train"].features["label"].names == ["yes", "no"]
    assert "Dropped 10 of 30 train pairs" in warnings.text


def test_labels_of_files_are_named_by_themselves(tmp_path, warnings):
    rows = [row(label="b"), row(label="a"), row(label="-"), row(hypothesis="  ", label="c"), row(label="a")]
    held_out = write(tmp_path, [row(label="b")], "validation.jsonl")
    data = load_labelled_pairs(PairArguments(train_file=write(tmp_path, rows), validation_file=held_out))
    assert data["train"].features["label"].names == ["a", "b"]
    assert data["train"]["label"][:] == [1, 0, 0] and data["validation"]["label"][:] == [1]
    assert "Dropped 2 of 5 train pairs" in warnings.text


@pytest.mark.parametrize(
    ("rows", "arguments", "message"),
    [
        ([{"premise": "a", "label": "x"}], {}, r"no column 'hypothesis' \(hypothesis_column\)"),
        ([row(), row(label="other")], {"label_column": "gold"}, "no column 'gold'"),
        ([row(), row()], {}, "only the label 'entailment'"),
        ([row(label="-")], {}, "no pair with a label"),
        ([row(), row(label="x")], {"premise_column": "hypothesis"}, "three columns"),
        ([row(premise=None), row(label="x")], {}, "None, not a string"),
    ],
)
def test_wrong_data_are_refused(tmp_path, rows, arguments, message):
    with pytest.raises(ValueError, match=message):
        load_labelled_pairs(PairArguments(train_file=write(tmp_path, rows), **arguments))


def test_a_held_out_label_that_training_lacks_is_refused(tmp_path):
    files = {"train_file": write(tmp_path, [row(label="a"), row(label="b")])}
    files["test_file"] = write(tmp_path, [row(label="a"), row(label="z")], "test.jsonl")
    with pytest.raises(ValueError, match="test split, row 1: label 'z' is not one of training's: a, b"):
        load_labelled_pairs(PairArguments(**files))
    with pytest.raises(ValueError, match="from one file with columns"):
        load_labelled_pairs(PairArguments(train_file=str(tmp_path / "train.jsonl") + "," + files["test_file"]))


def test_labelled_subsets_are_nested_and_hold_every_label():
    pairs = build_scenes({"train": 300})["train"]
    small, large = (choose_labelled(pairs, fraction, seed=3) for fraction in (0.1, 0.4))
    assert (len(small), len(large)) == (30, 120)
    assert set(zip(*small.to_dict().values(), strict=True)) <= set(zip(*large.to_dict().values(), strict=True))
    assert small["premise"][:] != choose_labelled(pairs, 0.1, seed=4)["premise"][:]
    assert len(choose_labelled(pairs, 1, seed=0)) == 300


@pytest.mark.parametrize(
    ("fraction", "message"), [(0, "(0, 1]"), (1.5, "(0, 1]"), (0.006, "none of them is labelled")]
)
def test_a_fraction_that_leaves_a_label_out_is_refused(fraction, message):
    pairs = build_scenes({"train": 300})["train"]
    with pytest.raises(ValueError) as caught:
        choose_labelled(pairs, fraction, seed=0)
    assert message in str(caught.value)


def test_batches_hold_pairs_beside_the_sentences():
    pairs = build_scenes({"train": 20})["train"]
    tokenizer = train_tokenizer([*pairs["premise"], *pairs["hypothesis"]], max_length=40)
    sentences = TokenArrays(made_up_sentences(attributes=1), 0)
    data = SentencesWithPairs(sentences, pairs, tokenizer, 6)
    drawn = list(islice(data.batches(4, 1, 0, 1), 6))
    known = {f"{p['premise']} {p['hypothesis']}": p["label"] for p in pairs}
    for batch, plain in zip(drawn, sentences.batches(4, 1, 0, 1), strict=False):
        assert torch.equal(batch["input_ids"], plain["input_ids"])
        assert batch["pair_input_ids"].shape[0] == len(batch["pair_labels"]) == 6
        texts = tokenizer.batch_decode(batch["pair_input_ids"], skip_special_tokens=True)
        assert [known[text] for text in texts] == batch["pair_labels"].tolist()
    later = data.batches(4, 1, 0, 1)
    later.set_position(4, None)
    for batch, other in zip(drawn[4:], later, strict=False):
        assert all(torch.equal(value, other[name]) for name, value in batch.items())
    # Two processes have between them what one draws of twice as many.
    halves = [next(iter(SentencesWithPairs(sentences, pairs, tokenizer, 3).batches(2, 1, rank, 2))) for rank in (0, 1)]
    assert torch.equal(drawn[0]["pair_labels"][0::2], halves[0]["pair_labels"])
    assert torch.equal(drawn[0]["pair_labels"][1::2], halves[1]["pair_labels"])
