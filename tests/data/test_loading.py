"""Loading: each source gives one schema; each mistake gives one clear error."""

import json
import logging
from pathlib import Path

import pytest
from datasets import ClassLabel, Dataset, Features, Value
from transformers import HfArgumentParser

from hf_arae.data.loading import DataArguments, load_labelled_text

REAL_DATA = Path(__file__).resolve().parents[2].parent / "shared" / "data"
ROWS = [("bad soup .", "sad"), ("good soup .", "happy"), ("cold tea .", "sad"), ("hot tea .", "happy")]


pytestmark = pytest.mark.usefixtures("own_cache")


def write(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return str(path)


def write_rows(path, rows=ROWS):
    columns = {"text": [text for text, _ in rows], "label": [label for _, label in rows]}
    if path.suffix == ".parquet":
        Dataset.from_dict(columns).to_parquet(str(path))
        return str(path)
    objects = [{"text": text, "label": label} for text, label in rows]
    separator = "\t" if path.suffix == ".tsv" else ","
    content = {
        ".json": json.dumps(objects, indent=1),
        ".jsonl": "".join(json.dumps(row) + "\n" for row in objects),
    }.get(path.suffix) or "".join(f"{a}{separator}{b}\n" for a, b in [("text", "label"), *rows])
    return write(path, content)


def load(label_required=True, **arguments):
    return load_labelled_text(DataArguments(**arguments), label_required)


def test_the_arguments_parse_from_the_command_line():
    (arguments,) = HfArgumentParser(DataArguments).parse_args_into_dataclasses(
        ["--train_file", "x.csv", "--max_train_samples", "7"]
    )
    assert arguments == DataArguments(train_file="x.csv", max_train_samples=7)


def test_default_is_the_built_in_corpus():
    data = load(max_train_samples=50, max_eval_samples=20)
    assert {name: len(split) for name, split in data.items()} == {"train": 50, "validation": 20, "test": 20}
    assert data["train"].features == {"text": Value("string"), "label": ClassLabel(names=["negative", "positive"])}
    assert data["train"][:] == load(max_train_samples=50)["train"][:]


@pytest.mark.parametrize("extension", [".csv", ".tsv", ".json", ".jsonl", ".parquet"])
def test_each_file_type_gives_the_same_schema(tmp_path, extension):
    file = write_rows(tmp_path / f"train{extension}")
    data = load(train_file=file, validation_file=file, test_file=file)
    assert list(data) == ["train", "validation", "test"]
    for split in data.values():
        assert split.features == {"text": Value("string"), "label": ClassLabel(names=["happy", "sad"])}
        assert split["text"][:] == [text for text, _ in ROWS]
        assert split["label"][:] == [1, 0, 1, 0]


def test_text_files_one_a_label(tmp_path):
    negative = write(tmp_path / "negative.txt", "bad soup .\r\ncold tea\x0c .\r\n")
    positive = write(tmp_path / "positive.txt", "\ufeffgood soup .")
    held_out = write(tmp_path / "dev" / "positive.txt", "hot tea .\n")
    both = f"{negative}, {positive}"
    data = load(train_file=both, validation_file=f"{held_out},{negative}")
    assert data["train"][:] == {"text": ["bad soup .", "cold tea\x0c .", "good soup ."], "label": [0, 0, 1]}
    assert data["validation"]["label"][:] == [1, 0, 0]
    assert data["train"].features["label"].names == ["negative", "positive"]


def test_one_text_file_without_labels(tmp_path):
    file = write(tmp_path / "corpus.txt", "".join(f"sentence {i} .\n" for i in range(100)))
    data = load(label_required=False, train_file=file)
    assert data["train"].features == {"text": Value("string")}
    with pytest.raises(ValueError, match=r"no labels.*negative\.txt,positive\.txt"):
        load(train_file=file)


def test_tables_keep_texts_as_written(tmp_path):
    rows = 'text,label\n"so, ""good""",1\nNA,0\n12,10\nnull,2\n'
    data = load(train_file=write(tmp_path / "t.csv", rows), validation_file=write(tmp_path / "v.csv", rows))
    assert data["train"]["text"][:] == ['so, "good"', "NA", "12", "null"]
    assert data["train"].features["label"].names == ["0", "1", "2", "10"]
    quotes = write(tmp_path / "t.tsv", 'text\tlabel\n"open quote\t0\nfine\t1\n')
    assert load(train_file=quotes, validation_file=quotes)["train"]["text"][:] == ['"open quote', "fine"]


def test_other_column_names_and_class_labels(tmp_path):
    features = Features({"id": Value("int64"), "label": Value("large_string"), "text": ClassLabel(names=["b", "a"])})
    rows = Dataset.from_dict({"id": [1, 2], "label": ["x", "y"], "text": [1, 0]}, features=features)
    rows.to_parquet(tmp_path / "t.parquet")
    file = str(tmp_path / "t.parquet")
    data = load(train_file=file, validation_file=file, text_column="label", label_column="text")
    assert data["train"].features == {"text": Value("string"), "label": ClassLabel(names=["b", "a"])}
    assert data["train"][:] == {"text": ["x", "y"], "label": [1, 0]}


def test_local_folder_and_integer_labels(tmp_path):
    write(tmp_path / "set" / "train.jsonl", "".join(f'{{"text": "t {i}", "label": {i % 2}}}\n' for i in range(40)))
    write(tmp_path / "set" / "test.jsonl", '{"text": "u", "label": 1}\n')
    data = load(dataset_name=str(tmp_path / "set"))
    assert {name: len(split) for name, split in data.items()} == {"train": 38, "validation": 2, "test": 1}
    assert data["train"].features["label"].names == ["0", "1"]


def test_validation_is_split_off_the_same_way_each_time(tmp_path, caplog):
    rows = [(f"text {i} .", "ab"[i % 2]) for i in range(200)]
    file = write_rows(tmp_path / "t.csv", rows)
    with caplog.at_level(logging.WARNING):
        data = load(train_file=file)
    assert "took 10 of the 200 training rows" in caplog.text
    assert data["validation"][:] == load(train_file=file)["validation"][:]
    assert sorted(data["train"]["text"][:] + data["validation"]["text"][:]) == sorted(text for text, _ in rows)


def test_blank_texts_are_dropped_with_one_warning(tmp_path, caplog):
    file = write_rows(tmp_path / "t.csv", [("", "sad"), *ROWS, (" \u00a0 ", "happy")])
    with caplog.at_level(logging.WARNING):
        data = load(train_file=file, validation_file=file)
    assert len(data["train"]) == len(data["validation"]) == 4
    assert [record.message for record in caplog.records] == ["Dropped 4 texts that are empty or all white space."]


def test_a_subset_of_sorted_data_has_both_labels(tmp_path):
    rows = [(f"text {i} .", "a" if i < 100 else "b") for i in range(200)]
    file = write_rows(tmp_path / "t.csv", rows)
    assert set(load(train_file=file, max_train_samples=40)["train"]["label"]) == {0, 1}


def test_unlabelled_test_split_is_left_out(tmp_path, caplog):
    features = Features({"text": Value("string"), "label": ClassLabel(names=["a", "b"])})
    for name, labels in (("train", [0, 1]), ("validation", [1, 0]), ("test", [-1, -1])):
        rows = Dataset.from_dict({"text": ["x", "y"], "label": labels}, features=features)
        rows.to_parquet(tmp_path / f"{name}.parquet")
    files = {f"{name}_file": str(tmp_path / f"{name}.parquet") for name in ("train", "validation", "test")}
    with caplog.at_level(logging.WARNING):
        assert list(load(**files)) == ["train", "validation"]
    assert "Left out the test split" in caplog.text
    assert load(label_required=False, **files)["test"].column_names == ["text"]


WRONG_FILES = {
    "missing text column": ("t.csv", "review,label\na,0\nb,1\n", r"no column 'text'.*found: review, label"),
    "missing label column": ("t.jsonl", '{"text": "a"}\n{"text": "b"}\n', r"no column 'label'.*found: text"),
    "extension": ("t.xml", "<a/>", r"unknown extension '\.xml'; accepted are \.txt, \.csv"),
    "encoding": ("t.csv", b"text,label\na,0\n\xff,1\n", r"t\.csv, line 3: not valid UTF-8"),
    "text a number": ("t.json", '[{"text": "a", "label": 0}, {"text": 5, "label": 1}]', r"'text', row 1: found 5"),
    "text None": ("t.json", '[{"text": "a", "label": 0}, {"text": null, "label": 1}]', r"row 1: .*None"),
    "labels of two types": ("t.json", '[{"text": "a", "label": 0}, {"text": "b", "label": "c"}]', r"row 1: found 'c'"),
    "label missing": ("t.csv", "text,label\na,x\nb,\n", r"row 1: no label"),
    "one label": ("t.csv", "text,label\na,x\nb,x\n", r"only the label 'x'"),
    "no rows": ("t.csv", "text,label\n", r"train split is empty"),
    "only blanks": ("t.csv", "text,label\n ,x\n ,y\n", r"train split is empty"),
    "empty file": ("t.csv", "", r"file is empty"),
    "field too many": ("t.csv", "text,label\na,x\nb,c,y\n", r"t\.csv, line 3: 3 fields"),
    "quote left open": ("t.csv", 'text,label\na,x\n"b,y\n', r"t\.csv, line 3: not well-formed"),
    "not JSON": ("t.jsonl", '{"text": "a", "label": 0}\n{"text"\n', r"t\.jsonl, line 2: not JSON"),
    "JSON of another shape": ("t.json", '["a", "b"]', r"row 0: str; accepted is an array of objects"),
}


@pytest.mark.parametrize("name, content, message", WRONG_FILES.values(), ids=WRONG_FILES.keys())
def test_wrong_files_are_refused(tmp_path, name, content, message):
    file = write(tmp_path / name, content)
    with pytest.raises(ValueError, match=message):
        load(train_file=file, validation_file=file)


@pytest.mark.parametrize(
    "columns, message",
    [
        ({"text": [1, 2], "label": [0, 1]}, r"'text' of the train split holds .*int64.*must be strings"),
        ({"text": [["a"], ["b"]], "label": [0, 1]}, r"'text' of the train split holds .*must be strings"),
        ({"text": ["a", None], "label": [0, 1]}, r"train split, row 1: the text in column 'text' is None"),
        ({"text": ["a", "b"], "label": [1.0, 0.5]}, r"t\.parquet, row 1.*train split, row 1: .*0\.5.*whole number"),
        ({"text": ["a", "b"], "label": [[0], [1]]}, r"labels must be ClassLabel, integers or strings"),
        ({"text": ["a", "b"], "label": [None, None]}, r"No row of the train split has a label"),
    ],
)
def test_wrong_column_types_are_refused(tmp_path, columns, message):
    file = str(tmp_path / "t.parquet")
    Dataset.from_dict(columns).to_parquet(file)
    with pytest.raises(ValueError, match=message):
        load(train_file=file, validation_file=file)


def test_unknown_label_in_a_held_out_split_is_named(tmp_path):
    train, test = write_rows(tmp_path / "train.csv"), write_rows(tmp_path / "test.csv", [("odd .", "puzzled")])
    with pytest.raises(ValueError, match=r"test split, row 0: label 'puzzled'.*happy, sad"):
        load(train_file=train, validation_file=train, test_file=test)


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"dataset_name": "a/b", "train_file": "x.csv"}, "Both dataset_name and train_file"),
        ({"text_column": "label"}, "are the same"),
        ({"test_file": "x.csv"}, "go with train_file"),
        ({"dataset_config_name": "x"}, "goes with dataset_name"),
        ({"label_column": None}, "Labels are required"),
        ({"max_train_samples": 0}, "at least 1"),
        ({"text_column": "review"}, "no column 'review'"),
    ],
)
def test_contradictory_arguments_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        load(**arguments)


def test_files_listed_with_commas_must_be_text(tmp_path):
    file = write_rows(tmp_path / "t.csv")
    with pytest.raises(ValueError, match=r"Only \.txt files"):
        load(train_file=f"{file},{file}")


def test_missing_sources(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"none\.csv"):
        load(train_file=str(tmp_path / "none.csv"))
    for name in ("nobody/nothing", str(tmp_path / "none"), "not a name"):
        with pytest.raises(
            FileNotFoundError, match="neither a local folder nor a reachable Hub dataset of that name"
        ) as caught:
            load(dataset_name=name)
        assert caught.value.__cause__ is not None


def test_bad_encoding_in_a_folder_is_located(tmp_path):
    write(tmp_path / "set" / "train.csv", b"text,label\na,0\n\xff,1\n")
    with pytest.raises(ValueError, match=r"train\.csv, line 3: not valid UTF-8"):
        load(dataset_name=str(tmp_path / "set"))


@pytest.mark.skipif(not REAL_DATA.is_dir(), reason="needs the real data beside the repository")
def test_real_data():
    yelp = load(dataset_name=str(REAL_DATA / "yelp_sentiment"))
    assert [len(split) for split in yelp.values()] == [130655, 45604, 1000]
    assert yelp["train"].features["label"].names == ["negative", "positive"]
    captions = load(dataset_name=str(REAL_DATA / "caption_style"))
    assert {name: len(split) for name, split in captions.items()} == {"train": 12000, "validation": 1000}
    topics = load(dataset_name=str(REAL_DATA / "yahoo_topics"), text_column="text")
    assert {name: len(split) for name, split in topics.items()} == {"train": 3800, "validation": 200, "test": 418}
    assert topics["train"].features["label"].names == ["science_mathematics", "society_culture"]
    unlabelled = load(False, dataset_name=str(REAL_DATA / "yelp_sentiment"), dataset_config_name="unlabelled")
    assert unlabelled["train"].column_names == ["text"]
