"""Questions with passages: what is loaded, what is left out, and where answers stand among tokens."""

from __future__ import annotations

import json

import pytest
import torch
from datasets import ClassLabel, Dataset

from hf_arae.data.questions import QuestionArguments, load_questions
from hf_arae.data.text.task_rows import collate_rows, label_rows, question_rows, task_batches
from hf_arae.data.text.tokenization import train_tokenizer

ROWS = [
    {"question": "Who came?", "context": "In 1999 Ann Lee came, and Bob left.", "answers": ["Ann Lee", "Ann"]},
    {"question": "Who left?", "context": "In 1999 Ann Lee came, and Bob left.", "answers": {"text": ["Bob"]}},
    {"question": "Who left?", "context": "In 1999 Ann Lee came, and Bob left.", "answers": ["nobody"]},
    {"question": "Who left?", "context": "In 1999 Ann Lee came, and Bob left.", "answers": []},
    {"question": "When?", "context": "In May, it rained.", "answers": "May"},
]


def write(path, rows):
    path.write_text("\n".join(map(json.dumps, rows)) + "\n")
    return str(path)


@pytest.fixture
def splits(tmp_path):
    plain = [row | {"answers": row["answers"]["text"]} if isinstance(row["answers"], dict) else row for row in ROWS]
    plain = [row | {"answers": [row["answers"]]} if isinstance(row["answers"], str) else row for row in plain]
    train = write(tmp_path / "train.jsonl", plain)
    held_out = write(tmp_path / "dev.jsonl", plain[:3])
    return load_questions(QuestionArguments(train_file=train, validation_file=held_out))


def test_questions_without_an_answer_are_left_out(splits):
    assert [len(splits[name]) for name in ("train", "validation")] == [3, 3]
    assert splits["train"].column_names == ["question", "context", "answers"]
    assert splits["train"]["answers"][:] == [["Ann Lee", "Ann"], ["Bob"], ["May"]]


def test_answers_in_other_forms_are_read(tmp_path):
    for number, row in enumerate((ROWS[1], ROWS[4])):
        file = write(tmp_path / f"{number}.jsonl", [row] * 2)
        found = load_questions(QuestionArguments(train_file=file, validation_file=file))
        assert found["train"]["answers"][0] == [row["answers"] if number else "Bob"]


def test_wrong_questions_are_refused(tmp_path):
    with pytest.raises(ValueError, match="built in"):
        load_questions(QuestionArguments())
    with pytest.raises(ValueError, match="three columns"):
        load_questions(QuestionArguments(train_file="any.jsonl", context_column="question"))
    for wrong, told in (([{"question": "a", "context": "b"}], "answers"), ([ROWS[0] | {"answers": [1]}], "texts")):
        file = write(tmp_path / "wrong.jsonl", wrong)
        with pytest.raises(ValueError, match=told):
            load_questions(QuestionArguments(train_file=file, validation_file=file))
    file = write(tmp_path / "empty.jsonl", ROWS[2:3])
    with pytest.raises(ValueError, match="empty"):
        load_questions(QuestionArguments(train_file=file, validation_file=file))


def test_an_answer_stands_where_its_words_do(splits):
    tokenizer = train_tokenizer([row["context"] for row in ROWS], max_length=40)
    rows = question_rows(splits["train"], tokenizer, 40)
    for row, wanted in zip(rows, ("ann lee", "bob", "may"), strict=True):
        ids = row["input_ids"][row["start_positions"] : row["end_positions"] + 1]
        assert tokenizer.decode(ids) == wanted
        begin, end = row["offsets"][row["start_positions"]][0], row["offsets"][row["end_positions"]][1]
        assert row["context"][begin:end] in row["answers"] and row["offsets"][1] == [0, 0]
    cut = question_rows(splits["train"], tokenizer, 13)  # <bos> who came ? <eos> <bos> in 1999 ann lee came , <eos>
    assert cut["answers"][:] == [["Ann Lee", "Ann"], ["May"]]
    whole = question_rows(splits["train"], tokenizer, 13, answered=False)
    assert whole["start_positions"][:] == [cut["start_positions"][0], -1, cut["start_positions"][1]]
    with pytest.raises(ValueError, match="passage"):
        question_rows(splits["train"], tokenizer, 7)
    batch = next(iter(task_batches(rows, 0).batches(3, 0, 0, 1)))
    assert batch.keys() == {"input_ids", "attention_mask", "start_positions", "end_positions"}
    assert batch["attention_mask"].sum() == sum(rows["length"][:])


def test_texts_and_pairs_are_cut_and_padded():
    tokenizer = train_tokenizer(["a b c d e f g"], max_length=20)
    names = ClassLabel(names=["no", "yes"])
    texts = Dataset.from_dict({"text": ["a b c d e f", "a"], "label": [1, 0]}).cast_column("label", names)
    rows = label_rows(texts, tokenizer, 5)
    assert tokenizer.batch_decode(rows["input_ids"][:]) == ["<bos> a b c <eos>", "<bos> a <eos>"]
    batch = collate_rows(0)([rows[0], rows[1]])
    assert batch["labels"].tolist() == [1, 0] and torch.equal(
        batch["attention_mask"], (batch["input_ids"] != 0).long()
    )
    pairs = {"premise": ["a b c d e f"], "hypothesis": ["g"], "label": [0]}
    rows = label_rows(Dataset.from_dict(pairs).cast_column("label", names), tokenizer, 8)
    assert tokenizer.decode(rows["input_ids"][0]) == "<bos> a b c <eos> <bos> g <eos>"
