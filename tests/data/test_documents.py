"""Documents and titles: each source gives one schema; each mistake gives one clear error."""

import json
import logging
from pathlib import Path

import pytest
from datasets import Dataset, Value
from transformers import HfArgumentParser

from hf_arae.data.documents import DocumentArguments, load_documents, load_titles

REAL_DATA = Path(__file__).resolve().parents[2].parent / "shared" / "data"
ROWS = [("Oil rose 5 pct. It had fallen.", "Oil up"), ("A storm hit Tarn.", "Storm hits"), ("Acme's sold.", "Sale")]
READ = [("oil rose # pct .", "oil up"), ("a storm hit tarn .", "storm hits"), ("acme 's sold .", "sale")]


pytestmark = pytest.mark.usefixtures("own_cache")


def write(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return str(path)


def write_rows(path, rows=ROWS, names=("document", "summary")):
    objects = [dict(zip(names, row, strict=True)) for row in rows]
    if path.suffix == ".parquet":
        path.parent.mkdir(parents=True, exist_ok=True)
        Dataset.from_list(objects).to_parquet(str(path))
        return str(path)
    if path.suffix == ".tsv":
        return write(path, "".join("\t".join(row) + "\n" for row in [names, *rows]))
    return write(path, "".join(json.dumps(row) + "\n" for row in objects))


def load(summary_required=False, **arguments):
    return load_documents(DocumentArguments(**arguments), summary_required)


def titles(**arguments):
    return load_titles(DocumentArguments(**arguments))


def pairs(split):
    return list(zip(split["document"][:], split["summary"][:], strict=True))


def test_the_arguments_parse_from_the_command_line():
    (arguments,) = HfArgumentParser(DocumentArguments).parse_args_into_dataclasses(
        ["--train_file", "x.txt", "--first_sentence", "false", "--max_document_words", "40", "--normalization", "none"]
    )
    assert arguments == DocumentArguments(
        train_file="x.txt", first_sentence=False, max_document_words=40, normalization="none"
    )


def test_default_is_the_built_in_news():
    data = load(True, max_train_samples=50, max_eval_samples=20)
    assert {name: len(split) for name, split in data.items()} == {"train": 50, "validation": 20, "test": 20}
    assert data["train"].features == {"document": Value("string"), "summary": Value("string")}
    assert titles() == []


@pytest.mark.parametrize("extension", [".jsonl", ".parquet", ".tsv"])
def test_each_file_type_gives_the_same_schema(tmp_path, extension):
    file = write_rows(tmp_path / f"t{extension}")
    data = load(True, train_file=file, validation_file=file, test_file=file)
    assert list(data) == ["train", "validation", "test"]
    for split in data.values():
        assert split.features == {"document": Value("string"), "summary": Value("string")}
        assert pairs(split) == READ


def test_text_files_hold_documents_and_are_joined(tmp_path):
    first = write(tmp_path / "a.txt", "\ufeffOil rose.\r\n\r\nIt fell.\n")
    second = write(tmp_path / "b.txt", "Acme's sold. More.")
    data = load(train_file=f"{first}, {second}", validation_file=second, normalization="none")
    assert data["train"][:] == {"document": ["Oil rose.", "It fell.", "Acme's sold."]}
    assert data["validation"].column_names == ["document"]


def test_training_needs_no_summaries_and_evaluation_does(tmp_path):
    train = write(tmp_path / "train.txt", "Oil rose.\nIt fell.\n")
    held_out = write_rows(tmp_path / "v.jsonl")
    data = load(True, train_file=train, validation_file=held_out)
    assert data["train"].column_names == ["document"]
    assert pairs(data["validation"]) == READ
    other = write_rows(tmp_path / "o.jsonl", names=("document", "headline"))
    message = r"test split has no summaries in a column 'summary' .*found: document, headline"
    with pytest.raises(ValueError, match=message):
        load(True, train_file=train, validation_file=held_out, test_file=other)
    assert load(train_file=train, validation_file=held_out, test_file=other)["test"].column_names == ["document"]
    with pytest.raises(ValueError, match=r"validation split, which was taken from the train split, has no summaries"):
        load(True, train_file=train)
    with pytest.raises(ValueError, match="summary_column is None"):
        load(True, train_file=train, summary_column=None)


@pytest.mark.parametrize("blank", [None, "", "  "])
def test_summaries_that_are_kept_back_count_as_missing(tmp_path, blank):
    file = write_rows(tmp_path / "t.jsonl", [("Oil rose.", blank), ("It fell.", blank)])
    assert load(train_file=file, validation_file=file)["validation"].column_names == ["document"]
    with pytest.raises(ValueError, match="validation split has no summaries"):
        load(True, train_file=file, validation_file=file)


def test_several_datasets(tmp_path):
    write_rows(tmp_path / "pairs" / "validation.jsonl")
    write_rows(tmp_path / "pairs" / "test.jsonl")
    write(tmp_path / "plain" / "train.jsonl", '{"text": "Oil rose."}\n{"text": "It fell."}\n')
    write(tmp_path / "plain" / "test.jsonl", '{"text": "It stayed."}\n')
    write_rows(tmp_path / "more" / "train.jsonl")
    names = ",".join(str(tmp_path / name) for name in ("plain", "pairs", "more"))
    data = load(True, dataset_name=names, document_column="document,text")
    assert data["train"][:] == {"document": ["oil rose .", "it fell .", *(document for document, _ in READ)]}
    assert pairs(data["validation"]) == pairs(data["test"]) == READ
    with pytest.raises(ValueError, match="write each as name:configuration"):
        load(dataset_name=names, dataset_config_name="x")
    with pytest.raises(ValueError, match="empty name"):
        load(dataset_name=f"{tmp_path / 'plain'},")


def test_a_configuration_after_a_colon(tmp_path):
    header = "---\nconfigs:\n- config_name: a\n  data_files: a.jsonl\n- config_name: b\n  data_files: b.jsonl\n---\n"
    write(tmp_path / "set" / "README.md", header)
    for name in ("a", "b"):
        write(tmp_path / "set" / f"{name}.jsonl", "".join(f'{{"document": "{name} {i}"}}\n' for i in "xyz"))
    data = load(dataset_name=f"{tmp_path / 'set'}:b,{tmp_path / 'set'}:a")
    documents = sorted(data["train"]["document"][:] + data["validation"]["document"][:])
    assert documents == ["a x", "a y", "a z", "b x", "b y", "b z"]


def test_cutting_and_rewriting(tmp_path):
    file = write(tmp_path / "t.txt", "Oil rose 5 pct. It had fallen.\n" + "word " * 2000 + "\nShort.\n")
    both = {"train_file": file, "validation_file": file}
    assert load(**both, first_sentence=False)["train"]["document"][0] == "oil rose # pct . it had fallen ."
    assert load(**both, normalization="none")["train"]["document"][0] == "Oil rose 5 pct."
    assert len(load(**both)["train"]["document"][1].split()) == 2000
    cut = load(**both, max_document_words=3, min_document_words=3)["train"]["document"][:]
    assert cut == ["oil rose #", "word word word"]


def test_rows_without_words_are_dropped_with_one_warning(tmp_path, caplog):
    rows = [("", "x"), *ROWS, (" \u00a0 ", "y"), ("It fell.", " "), ("<SRD>", "z")]
    file = write_rows(tmp_path / "t.jsonl", rows)
    with caplog.at_level(logging.WARNING):
        data = load(train_file=file, validation_file=file)
    assert pairs(data["train"]) == pairs(data["validation"]) == READ
    messages = [record.message for record in caplog.records]
    assert messages == ["Dropped 8 documents that are empty, shorter than 1 words or have an empty summary."]


def test_validation_is_split_off_the_same_way_each_time(tmp_path):
    file = write(tmp_path / "t.txt", "".join(f"text {number}\n" for number in range(52)))
    data = load(train_file=file)
    assert {name: len(split) for name, split in data.items()} == {"train": 49, "validation": 3}
    assert data["validation"][:] == load(train_file=file)["validation"][:]


def test_titles(tmp_path):
    lines = write(tmp_path / "t.txt", "STROUD <SRD> FILES 2 SUITS\n\n<A>\nOil's up. Again\n")
    assert titles(titles_file=lines) == ["stroud files # suits", "oil 's up . again"]
    assert titles(titles_file=lines, normalization="none")[0] == "STROUD <SRD> FILES 2 SUITS"
    write_rows(tmp_path / "set" / "train.jsonl", [("a", "ONE"), ("b", "TWO")], names=("body", "headline"))
    name = str(tmp_path / "set")
    assert titles(titles_name=name, titles_column="title,headline") == ["one", "two"]
    with pytest.raises(ValueError, match=r"no column 'title' \(titles_column\).*found: body, headline"):
        titles(titles_name=name)
    with pytest.raises(ValueError, match="Both titles_name and titles_file"):
        titles(titles_name=name, titles_file=lines)
    with pytest.raises(ValueError, match="titles are empty"):
        titles(titles_file=write(tmp_path / "e.txt", "\n \n"))
    with pytest.raises(FileNotFoundError, match=r"none\.txt"):
        titles(titles_file=str(tmp_path / "none.txt"))


WRONG_FILES = {
    "missing column": ("t.jsonl", '{"text": "a"}\n', r"no column 'document' \(document_column\).*found: text"),
    "empty file": ("t.txt", "", r"train split is empty"),
    "empty table": ("t.csv", "", r"file is empty"),
    "no rows": ("t.csv", "document,summary\n", r"train split is empty"),
    "only blanks": ("t.txt", " \n\n \n", r"train split is empty"),
    "encoding": ("t.txt", b"a\n\xff\n", r"t\.txt, line 2: not valid UTF-8"),
    "extension": ("t.pdf", "x", r"unknown extension '\.pdf'"),
    "document None": ("t.jsonl", '{"document": "a"}\n{"document": null}\n', r"train split, row 1: .*None"),
    "document a number": ("t.jsonl", '{"document": "a"}\n{"document": 5}\n', r"'document', row 1: found 5"),
    "one summary None": (
        "t.jsonl",
        '{"document": "a", "summary": "b"}\n{"document": "a", "summary": null}\n',
        r"row 1: .*'summary' is None",
    ),
}


@pytest.mark.parametrize("name, content, message", WRONG_FILES.values(), ids=WRONG_FILES.keys())
def test_wrong_files_are_refused(tmp_path, name, content, message):
    file = write(tmp_path / name, content)
    with pytest.raises(ValueError, match=message):
        load(train_file=file, validation_file=file)


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"normalization": "gigaword"}, "normalization is 'gigaword'; accepted are news, none"),
        ({"max_document_words": -1}, "max_document_words is -1; it must be at least 1"),
        ({"min_document_words": -1}, "min_document_words is -1; it must be at least 0"),
        ({"min_document_words": 9, "max_document_words": 8}, "more than max_document_words"),
        ({"max_train_samples": 0}, "max_train_samples is 0"),
        ({"max_eval_samples": -5}, "max_eval_samples is -5"),
        ({"document_column": "summary"}, "are the same"),
        ({"document_column": "body"}, "no column 'body'"),
        ({"dataset_name": "a/b", "train_file": "x.txt"}, "Both dataset_name and train_file"),
        ({"validation_file": "x.txt"}, "go with train_file"),
        ({"min_document_words": 100}, "train split is empty: it holds no document of 100 words"),
    ],
)
def test_contradictory_arguments_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        load(**arguments)


@pytest.mark.skipif(not REAL_DATA.is_dir(), reason="needs the real data beside the repository")
def test_real_data():
    gigaword = str(REAL_DATA / "gigaword")
    data = load(True, dataset_name=f"{gigaword},{gigaword}:unlabelled")
    assert {name: len(split) for name, split in data.items()} == {"train": 15592, "validation": 4000, "test": 1951}
    assert data["train"].column_names == ["document"]
    with pytest.raises(ValueError, match=r"no training split\. Splits found: test, validation"):
        load(dataset_name=gigaword)
    reuters = str(REAL_DATA / "reuters21578")
    found = titles(titles_name=reuters)
    assert len(found) > 17_000 and found[1] == "standard oil to form financial unit"
    assert not any(" < " in title for title in found[:1000])
