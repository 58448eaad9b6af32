"""Streams: the rows of the in-memory loader, batches as those of data in memory, the same from any position on."""

from __future__ import annotations

import json
import random

import numpy as np
import pytest
from datasets import ClassLabel, Dataset, Features, Value

from hf_arae.data.loading import DataArguments, load_labelled_text
from hf_arae.data.stream_batches import StreamBatches, StreamedSentences
from hf_arae.data.streaming import StreamingArguments, TextStream, load_text_stream
from hf_arae.data.text.tokenization import train_tokenizer

WORDS = [f"w{number}" for number in range(50)]


@pytest.fixture(autouse=True)
def small_tables(monkeypatch, tmp_path):
    """Files are read seven rows at a time, so that tables end within what is taken."""
    monkeypatch.setattr("hf_arae.data.files.CHUNK_ROWS", 7)
    monkeypatch.setattr("hf_arae.data.stream_sources.CHUNK_ROWS", 7)
    monkeypatch.setattr("datasets.config.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path / "cache")


def sentences(count: int, seed: int = 0) -> list[str]:
    """Different sentences of 2 to 12 words; the first word is the row's own."""
    source = random.Random(seed)
    return [f"n{row} " + " ".join(source.choices(WORDS, k=source.randint(1, 11))) for row in range(count)]


def rows(sizes: dict[str, int]) -> list[tuple[str, str]]:
    """So many rows of each label, label after label: the worst order that there is."""
    texts = iter(sentences(sum(sizes.values())))
    return [(next(texts), label) for label, size in sizes.items() for _ in range(size)]


def write(folder, name: str, pairs: list[tuple[str, str]]) -> str:
    path = folder / name
    columns = {"text": [text for text, _ in pairs], "label": [label for _, label in pairs]}
    if path.suffix == ".parquet":
        features = Features({"text": Value("string"), "label": ClassLabel(names=sorted(set(columns["label"])))})
        Dataset.from_dict(columns, features=features).to_parquet(str(path), batch_size=11)
    elif path.suffix == ".jsonl":
        path.write_text("".join(json.dumps({"text": text, "label": label}) + "\n" for text, label in pairs))
    else:
        separator = "\t" if path.suffix == ".tsv" else ","
        path.write_text("".join(f"{text}{separator}{label}\n" for text, label in [("text", "label"), *pairs]))
    return str(path)


def open_stream(sample_size: int = 1000, label_required: bool = True, **arguments):
    return load_text_stream(DataArguments(**arguments), sample_size, label_required)


def all_texts(stream: TextStream, label: int | None = None) -> list[str]:
    return [text for texts, _ in stream.texts(label) for text in texts]


# ------------------------------------------------------------------------------------------------------- reading


@pytest.mark.parametrize("extension", [".csv", ".tsv", ".jsonl", ".parquet"])
def test_a_file_gives_what_the_loader_in_memory_gives(tmp_path, extension):
    pairs = [*rows({"happy": 20, "sad": 13}), ("NA", "sad"), (" ", "happy"), ("12", "happy")]
    train, held_out = write(tmp_path, f"train{extension}", pairs), write(tmp_path, f"dev{extension}", pairs[15:30])
    files = {"train_file": train, "validation_file": held_out, "test_file": held_out}
    memory = load_labelled_text(DataArguments(**files))
    stream, data = open_stream(**files)
    assert stream.label_names == memory["train"].features["label"].names == ["happy", "sad"]
    assert all_texts(stream) == memory["train"]["text"][:]
    for label in (0, 1):
        chosen = zip(memory["train"]["text"], memory["train"]["label"], strict=True)
        assert all_texts(stream, label) == [text for text, own in chosen if own == label]
    assert list(data) == ["train", "validation", "test"]
    for split in ("validation", "test"):
        assert data[split][:] == memory[split][:] and data[split].features == memory[split].features
    assert sorted(data["train"]["text"]) == sorted(memory["train"]["text"])


def test_one_text_file_a_label_and_a_folder_of_several_parts(tmp_path):
    for name, texts in {"bad": ["a b", "", "c"], "good": ["d e"], "dev": ["f"]}.items():
        (tmp_path / f"{name}.txt").write_text("\n".join(texts) + "\n")
    both = f"{tmp_path}/bad.txt,{tmp_path}/good.txt"
    stream, data = open_stream(train_file=both, validation_file=both)
    assert [all_texts(stream, label) for label in (0, 1)] == [["a b", "c"], ["d e"]]
    assert data["validation"]["label"][:] == [0, 0, 1]
    alone, _ = open_stream(
        label_required=False, train_file=f"{tmp_path}/bad.txt", validation_file=f"{tmp_path}/dev.txt"
    )
    assert alone.label_names == [] and all_texts(alone) == ["a b", "c"]

    folder, pairs = tmp_path / "folder", rows({"0": 30, "1": 30})
    folder.mkdir()
    for part in range(3):
        write(folder, f"train-0000{part}-of-00003.parquet", pairs[part::3])
    write(folder, "validation.parquet", pairs[::7])
    stream, _ = open_stream(dataset_name=str(folder))
    assert len(stream.shards) == 3 and sorted(all_texts(stream)) == sorted(text for text, _ in pairs)
    orders = [[texts[0] for texts, _ in stream.texts(order=(0, epoch))] for epoch in range(8)]
    assert len({tuple(order) for order in orders}) > 1, "the parts change places from pass to pass"


def test_a_pass_can_be_entered_at_any_row(tmp_path):
    train = write(tmp_path, "train.csv", rows({"a": 17, "b": 12}))
    stream, _ = open_stream(train_file=train, validation_file=train)
    for label in (None, 0, 1):
        texts, ends = [], []
        for some, rows_read in stream.texts(label):
            texts += some
            ends += rows_read.tolist()
        assert ends == sorted(set(ends)) and len(ends) == len(texts)
        for place, end in enumerate(ends):
            assert [text for some, _ in stream.texts(label, skip=end) for text in some] == texts[place + 1 :]


def test_held_out_splits_are_held_up_to_a_limit_drawn_evenly(tmp_path):
    train = write(tmp_path, "train.csv", rows({"a": 300, "b": 300}))
    _, data = open_stream(train_file=train, validation_file=train, max_eval_samples=100)
    _, again = open_stream(train_file=train, validation_file=train, max_eval_samples=100)
    assert len(data["validation"]) == 100 and data["validation"][:] == again["validation"][:]
    assert 30 < sum(data["validation"]["label"]) < 70
    _, data = open_stream(sample_size=50, train_file=train, validation_file=train)
    assert len(data["validation"]) == 600
    assert np.bincount(data["train"]["label"]).tolist() == [25, 25], "the sample is of all labels"


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["text,mood", "a,b"], "train split has no column 'label' (label_column). Columns found: text, mood"),
        (["review,label", "a,b"], "no column 'text' (text_column). Columns found: review, label"),
        (["text,label", "a,x", "b,x"], "hold only the label 'x'"),
        (["text,label", *["a,x", "b,y"] * 9, "c,"], "train split, row 18: no label in column 'label' (''"),
        (["text,label", *["a,x", "b,y"] * 9, "c"], "line 20: 1 fields where the first line has 2"),
        (["text,label"], "No row of the train split has a label"),
    ],
)
def test_what_is_wrong_in_a_stream_is_named(tmp_path, lines, message):
    held_out = write(tmp_path, "dev.csv", [("a", "x"), ("b", "y")])
    (tmp_path / "train.csv").write_text("\n".join(lines) + "\n")
    with pytest.raises(ValueError) as error:
        stream, _ = open_stream(train_file=str(tmp_path / "train.csv"), validation_file=held_out)
        all_texts(stream, 0)
    assert message in str(error.value)


def test_a_text_that_is_none_is_named_by_its_row(tmp_path):
    lines = [{"text": "a b", "label": "x"}, {"text": "c", "label": "y"}] * 10 + [{"text": None, "label": "x"}]
    (tmp_path / "train.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    held_out = write(tmp_path, "dev.csv", [("a", "x"), ("b", "y")])
    with pytest.raises(ValueError, match="train split, row 20: the text in column 'text' is None"):
        open_stream(train_file=str(tmp_path / "train.jsonl"), validation_file=held_out)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"validation_file": None}, r"no validation split, .* Splits found: train\. Give validation_file"),
        ({"max_train_samples": 5}, "max_train_samples goes with data in memory"),
        ({"train_file": None, "validation_file": None}, "streaming needs dataset_name or train_file"),
        ({"train_file": "{}/array.json"}, "array.json: an array is read as a whole; to stream it, write one object a"),
        ({"validation_file": "{}/other.csv"}, "validation split, row 0: label 'z' is not one of training's: x, y"),
        ({"train_file": "{}/nowhere.csv"}, "No file"),
        ({"dataset_revision": "v1"}, "dataset_revision goes with dataset_name"),
        (
            {"train_file": None, "validation_file": None, "dataset_name": "{}", "dataset_revision": "v1"},
            "local folder",
        ),
    ],
)
def test_sources_that_cannot_be_streamed_are_refused(tmp_path, changes, message):
    (tmp_path / "array.json").write_text('[{"text": "a", "label": "x"}]')
    write(tmp_path, "other.csv", [("a", "z")])
    file = write(tmp_path, "train.csv", [("a", "x"), ("b", "y")] * 5)
    files = {"train_file": file, "validation_file": file} | changes
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        open_stream(
            **{name: value.format(tmp_path) if isinstance(value, str) else value for name, value in files.items()}
        )


def test_without_network_the_name_is_refused_at_once():
    with pytest.raises(FileNotFoundError, match="'owner/name': not a local folder, and the Hub cannot be asked"):
        open_stream(dataset_name="owner/name")


def test_the_arguments_of_a_stream_are_checked_before_it_is_read():
    StreamingArguments(shuffle_buffer=1).check(max_steps=-1, batch_size=8)
    with pytest.raises(ValueError, match="streaming needs max_steps"):
        StreamingArguments(streaming=True).check(max_steps=-1, batch_size=8)
    with pytest.raises(ValueError, match="shuffle_buffer is 7, smaller than a batch of 8"):
        StreamingArguments(streaming=True, shuffle_buffer=7).check(max_steps=5, batch_size=8)
    with pytest.raises(ValueError, match="tokenizer_samples is 0"):
        StreamingArguments(streaming=True, tokenizer_samples=0).check(max_steps=5, batch_size=8)


# ------------------------------------------------------------------------------------------------------- batches


@pytest.fixture(scope="module")
def tokenizer():
    return train_tokenizer([*(f"n{row}" for row in range(500)), *WORDS], max_length=20)


@pytest.fixture
def make(tmp_path, tokenizer):
    """Makes the batches of a stream of so many rows a label, label after label."""

    def build(sizes, batch_size=8, buffer=32, seed=0, rank=0, world_size=1, labelled=True, max_length=20, **more):
        file = write(tmp_path, "train.csv", rows(sizes))
        stream, _ = open_stream(label_required=labelled, train_file=file, validation_file=file)
        tokenizer.model_max_length = max_length + 2
        made = StreamedSentences(stream, tokenizer, buffer, **more).batches(batch_size, seed, rank, world_size)
        made.tokenizer = tokenizer
        return made

    return build


def first_words(batch, batches) -> list[str]:
    return [batches.tokenizer.decode(int(ids[1])) for ids in batch["input_ids"]]


def take(batches: StreamBatches, count: int) -> list[list[str]]:
    return [first_words(batch, batches) for batch, _ in zip(batches, range(count), strict=False)]


def epoch(batches: StreamBatches) -> list[list[str]]:
    """The batches up to the first of the next epoch."""
    found, begun = [], batches.epoch
    for batch in batches:
        if batches.epoch > begun:
            return found
        found.append(first_words(batch, batches))


def test_an_epoch_is_a_pass_over_the_largest_label_and_batches_are_balanced(make):
    batches = make({"large": 85, "small": 30}, buffer=40)
    found = epoch(batches)
    assert len(found) == 85 // 4
    order = {f"n{row}": row >= 85 for row in range(115)}
    assert all([order[word] for word in batch] == [False] * 4 + [True] * 4 for batch in found)
    large = [word for batch in found for word in batch[:4]]
    assert len(set(large)) == len(large) == 84, "of 85: the last, incomplete batch is left out"
    counts = np.unique([word for batch in found for word in batch[4:]], return_counts=True)[1]
    assert len(counts) == 30 and set(counts) == {2, 3}, "84 of 30 rows: each twice or three times"


def test_without_labels_an_epoch_has_every_row_once(make):
    found = epoch(make({"a": 53}, labelled=False))
    assert sorted(map(len, found)) == [8] * 6
    assert len({word for batch in found for word in batch}) == 48


def test_batches_of_a_buffer_are_alike_in_length(make):
    batches = make({"a": 200, "b": 200}, buffer=200)
    padding = [1 - batch["attention_mask"].float().mean() for batch, _ in zip(batches, range(40), strict=False)]
    assert np.mean(padding) < 0.1
    small = make({"a": 200, "b": 200}, buffer=8)
    padding = [1 - batch["attention_mask"].float().mean() for batch, _ in zip(small, range(40), strict=False)]
    assert np.mean(padding) > 0.2


def test_the_order_depends_on_seed_and_epoch(make):
    sizes = {"a": 40, "b": 40}
    assert take(make(sizes), 30) == take(make(sizes), 30)
    assert take(make(sizes), 30) != take(make(sizes, seed=1), 30)
    two = take(make(sizes), 20)
    first, second = two[:10], two[10:]
    assert sorted(w for b in first for w in b) == sorted(w for b in second for w in b) and first != second


# 85 and 30 rows in buffers of 5 batches: 21 batches an epoch, so these are within a buffer, at the end of one, at the
# end of the last, incomplete one, and in the next epoch; the small label is read for the third time by then.
@pytest.mark.parametrize("done", [0, 3, 5, 12, 20, 21, 22, 30])
def test_a_position_is_entered_exactly(make, done):
    sizes, settings = {"large": 85, "small": 30}, {"buffer": 40, "drop_longer": True, "max_length": 10}
    straight = take(make(sizes, **settings), 40)
    stopped = make(sizes, **settings)
    iterator = iter(stopped)
    for _ in range(done):
        next(iterator)
    saved = json.loads(json.dumps(stopped.position()))
    resumed = make(sizes, **settings)
    resumed.set_position(done, saved)
    assert take(resumed, 40 - done) == straight[done:]


def test_going_on_tokenizes_one_buffer_and_no_more(make, monkeypatch):
    batches = make({"a": 200, "b": 200}, buffer=80)
    iterator = iter(batches)
    for _ in range(43):
        next(iterator)
    resumed = make({"a": 200, "b": 200}, buffer=80)
    resumed.set_position(43, batches.position())
    next(iter(resumed))
    assert sum(reader.read for reader in batches.readers) == 400 and sum(r.read for r in resumed.readers) == 80


@pytest.mark.parametrize("sizes", [{"a": 100, "b": 60}, {"a": 100}])
def test_two_processes_see_what_one_sees_with_twice_the_batch(make, sizes):
    labelled = len(sizes) > 1
    whole = take(make(sizes, batch_size=16, buffer=64, labelled=labelled), 20)
    parts = [
        take(make(sizes, batch_size=8, buffer=64, rank=rank, world_size=2, labelled=labelled), 20) for rank in (0, 1)
    ]
    for one, first, second in zip(whole, *parts, strict=True):
        assert sorted(one) == sorted(first + second) and not set(first) & set(second)


def test_sentences_that_would_be_cut_are_left_out_or_cut(make, warnings):
    batches = make({"a": 200, "b": 200}, max_length=6, drop_longer=True)
    lengths = [int(n) for batch, _ in zip(batches, range(20), strict=False) for n in batch["attention_mask"].sum(1)]
    assert min(lengths) >= 3 and max(lengths) == 8
    assert "Leaving out sentences of over 6 words" in warnings.text
    cut = make({"a": 200, "b": 200}, max_length=6)
    ends = [
        int(row[7]) for batch, _ in zip(cut, range(20), strict=False) for row in batch["input_ids"] if len(row) > 7
    ]
    assert ends.count(batches.tokenizer.eos_token_id) > len(ends) / 2


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"buffer": 7}, r"shuffle_buffer is 7, smaller than a batch of 8 on 1 process"),
        ({"buffer": 15, "world_size": 2}, r"shuffle_buffer is 15, smaller than a batch of 8 on 2 process"),
        ({"batch_size": 1}, "per_device_train_batch_size=1"),
        ({"sizes": {"a": 3, "b": 2}}, "a batch needs 4 rows of a label for all processes; the stream has 3"),
        ({"sizes": {"a": 5}, "labelled": False}, "a batch needs 8 rows for all processes; the stream has 5"),
        ({"sizes": {"a": 9, "b": 9}, "max_length": 0, "drop_longer": True}, "no training row has the label a, b"),
    ],
)
def test_batches_that_cannot_be_made_are_refused(make, settings, message):
    settings = {"sizes": {"a": 20, "b": 20}} | settings
    with pytest.raises(ValueError, match=message):
        next(iter(make(**settings)))
