"""Splits of users' own data: in folders and on the Hub, held out of the training rows, and without some labels."""

from __future__ import annotations

from pathlib import Path

import pytest
from datasets import Dataset, DatasetDict, Features, Value, load_dataset_builder
from huggingface_hub import HfApi
from own_data import load, stream, write

from hf_arae.data.documents import DocumentArguments, load_documents
from hf_arae.data.pairs import PairArguments, load_labelled_pairs
from hf_arae.data.splits import measured_split, sample_rows
from hf_arae.data.text.encoding import read_dataset
from hf_arae.data.text.tokenization import train_tokenizer

pytestmark = pytest.mark.usefixtures("own_cache")


def table(rows: list[tuple[str, str]], separator: str = ",", header: str = "text,label") -> str:
    return "".join(separator.join(row) + "\n" for row in [header.split(","), *rows])


def csv(labels: list[str], separator: str = ",") -> str:
    return table([(f"t {row}", label) for row, label in enumerate(labels)], separator)


def test_a_split_with_other_columns_or_without_rows_is_named_by_its_file(tmp_path):
    rows = "text,label\nx,a\ny,b\n"
    folders = {
        "columns": ({"train.csv": rows, "test.csv": "text,stars\nz,3\n"}, ["test.csv", "'label'", "text, stars"]),
        "text": ({"train.csv": rows, "test.csv": "review,label\nz,a\n"}, ["test.csv", "'text'", "review, label"]),
        "empty": ({"train.csv": rows, "test.csv": "text,label\n"}, ["test.csv", "test split is empty"]),
        "alone": ({"train.csv": "text,label\n"}, ["train.csv", "train split is empty"]),
        "label": ({"train.csv": rows, "test.csv": "text,label\nz,a\nw,c\n"}, ["test.csv, line 3", "'c'", "a, b"]),
        "parts": (
            {"train-00000-of-00002.csv": rows, "train-00001-of-00002.csv": "text\nx\n"},
            ["train-00001-of-00002.csv", "'label'"],
        ),
        "second part": (
            {"train-00000-of-00002.csv": rows, "train-00001-of-00002.csv": "text,label\nx,a\nv,\n"},
            ["train-00001-of-00002.csv, line 3", "'label'"],
        ),
    }
    for name, (files, parts) in folders.items():
        for file, content in files.items():
            write(tmp_path / name / file, content)
        with pytest.raises(ValueError) as caught:
            load(dataset_name=str(tmp_path / name))
        assert all(part in str(caught.value) for part in parts), (name, str(caught.value))


def test_what_a_folder_says_of_its_own_files_holds(tmp_path):
    header = "---\nconfigs:\n- config_name: default\n  sep: ';'\n  data_files: data.csv\n---\n"
    write(tmp_path / "separator" / "README.md", header)
    write(tmp_path / "separator" / "data.csv", "text;label\n" + "".join(f"x {row};{row % 2}\n" for row in range(40)))
    data = load(dataset_name=str(tmp_path / "separator"))
    assert len(data["train"]) == 38 and data["train"].features["label"].names == ["0", "1"]

    features = "  features:\n  - name: text\n    dtype: string\n  - name: label\n    dtype:\n      class_label:\n"
    features += "        names:\n          '0': worse\n          '1': better\n"
    write(tmp_path / "classes" / "README.md", f"---\ndataset_info:\n{features}---\n")
    for split in ("train", "validation"):
        write(tmp_path / "classes" / f"{split}.csv", "text,label\nNA,1\n12,0\n")
    for read in (load, stream):
        data = read(dataset_name=str(tmp_path / "classes"))
        assert data["train"].features["label"].names == ["worse", "better"]
        assert data["train"][:] == {"text": ["NA", "12"], "label": [1, 0]}
    write(tmp_path / "classes" / "train.csv", "text,label\nNA,1\n12,middling\n")
    for read in (load, stream):
        with pytest.raises(ValueError, match=r"train\.csv .*middling"):
            read(dataset_name=str(tmp_path / "classes"))


def test_splits_of_a_dataset_have_names(tmp_path):
    header = "---\nconfigs:\n- config_name: default\n  data_files:\n"
    for split in ("fit", "dev_matched", "test"):
        header += f"  - split: {split}\n    path: {split}.csv\n"
        write(tmp_path / f"{split}.csv", csv(["a", "b"]).replace("t ", f"{split} "))
    write(tmp_path / "README.md", header + "---\n")
    names = {"train_split": "fit", "validation_split": "dev_matched"}
    for read in (load, stream):
        data = read(dataset_name=str(tmp_path), **names)
        assert {split: rows["text"][0] for split, rows in data.items()} == {
            "train": "fit 0",
            "validation": "dev_matched 0",
            "test": "test 0",
        }
        with pytest.raises(ValueError, match=r"no split 'dev' \(validation_split\).*fit, dev_matched, test"):
            read(dataset_name=str(tmp_path), train_split="fit", validation_split="dev")
        with pytest.raises(ValueError, match=r"no training split.*fit, dev_matched, test"):
            read(dataset_name=str(tmp_path))
    with pytest.raises(ValueError, match="must differ"):
        load(dataset_name=str(tmp_path), train_split="test")
    with pytest.raises(ValueError, match="go with dataset_name"):
        load(train_split="fit")
    for split in ("fit", "dev_matched", "test"):
        rows = [(f"{split} 0", "h", "a"), (f"{split} 1", "h", "b")]
        write(tmp_path / f"{split}.csv", table(rows, header="premise,hypothesis,label"))
    pairs = load_labelled_pairs(PairArguments(dataset_name=str(tmp_path), **names))
    assert pairs["train"]["premise"][:] == ["fit 0", "fit 1"] and len(pairs["validation"]) == 2


def test_files_of_the_hub_are_read_as_files_are(local_hub, monkeypatch):
    api = HfApi()
    api.create_repo("alice/words", repo_type="dataset")
    for split in ("train", "validation"):
        content = b"text, label\nNA,01\nnull,None\n12,01\n"
        api.upload_file(
            path_or_fileobj=content, path_in_repo=f"{split}.csv", repo_id="alice/words", repo_type="dataset"
        )
    for read in (load, stream):
        data = read(dataset_name="alice/words")
        assert data["train"]["text"][:] == data["validation"]["text"][:] == ["NA", "null", "12"]
        assert data["train"].features["label"].names == ["01", "None"]

    def unreachable(name, *arguments, **options):
        if name == "alice/words":
            raise ConnectionError("no network")
        return load_dataset_builder(name, *arguments, **options)

    monkeypatch.setattr("hf_arae.data.sources.load_dataset_builder", unreachable)
    assert load(dataset_name="alice/words")["train"]["text"][:] == ["NA", "null", "12"], "of what was downloaded"


# ------------------------------------------------------------------------------------------------------ held-out rows


def read_split_off(folder: Path, rows: list[tuple[str, str]], **arguments) -> DatasetDict:
    return load(train_file=write(folder / "train.csv", table(rows)), **arguments)


def test_every_label_stays_in_the_training_data_when_rows_are_split_off(tmp_path):
    for rare in range(1, 4):
        for size in (2, 3, 5, 20, 45):
            # The rare label stands wherever the split would take a row.
            chosen = sample_rows(size + rare, max(1, round(0.05 * (size + rare))))
            places = [*chosen, *(row for row in range(size + rare) if row not in chosen)][:rare]
            labels = ["rare" if row in places else "often" for row in range(size + rare)]
            data = read_split_off(tmp_path, [(f"t {row}", label) for row, label in enumerate(labels)])
            assert set(data["train"]["label"]) == {0, 1}, (rare, size)
            assert len(data["validation"]) >= 1
            texts = data["train"]["text"][:] + data["validation"]["text"][:]
            assert sorted(texts) == sorted(f"t {row}" for row in range(size + rare))
    data = read_split_off(tmp_path, [(f"t {row}", f"label {row % 30}") for row in range(70)])
    assert len(set(data["train"]["label"])) == 30 and len(data["validation"]) == 4
    with pytest.raises(ValueError, match=r"validation_file"):
        read_split_off(tmp_path, [(f"t {row}", f"label {row}") for row in range(6)])


def test_where_no_label_is_rare_and_no_text_repeated_the_rows_are_those_of_always(tmp_path):
    rows = [(f"t {row}", "ab"[row % 2]) for row in range(300)]
    data = read_split_off(tmp_path, rows)
    assert data["validation"]["text"][:] == [rows[row][0] for row in sample_rows(300, 15)]


def test_where_texts_repeat_held_out_rows_are_of_every_label_wherever_it_stands(tmp_path):
    rows = [(f"{label} {row % 60}", label) for label in "ab" for row in range(600)]  # as of two text files
    data = read_split_off(tmp_path, rows)
    of_first = data["validation"]["label"][:].count(0)
    assert len(data["validation"]) == 60 and 10 <= of_first <= 50


def test_rows_that_were_split_off_are_known_as_such_when_a_tokenizer_has_read_them(tmp_path):
    file = write(tmp_path / "train.csv", table([(f"Text {row}.", "ab"[row % 2]) for row in range(40)]))
    for files, measured in (({}, "split off"), ({"validation_file": file}, "validation")):
        data = load(train_file=file, **files)
        tokenizer = train_tokenizer(data["train"]["text"], max_length=8)
        data["validation"] = read_dataset(data["validation"], tokenizer, "validation")
        assert measured_split(data) == measured, "what a style transfer's card says"


def test_rows_of_one_text_are_never_in_both_splits(tmp_path, warnings):
    rows = [(f"{'T' if row % 3 else 't'} {row % 130}{' .' if row % 7 else '.'}", "ab"[row % 2]) for row in range(400)]
    data = read_split_off(tmp_path, rows)
    bare = [{"".join(text.lower().split()) for text in data[split]["text"]} for split in ("train", "validation")]
    assert not bare[0] & bare[1] and len(data["train"]) + len(data["validation"]) == 400
    assert 16 <= len(data["validation"]) <= 20
    assert "270 training rows repeat a text" in warnings.text
    for different in (1, 2):
        warnings.clear()
        data = read_split_off(tmp_path, [(f"t {row % different}", "ab"[row % 2]) for row in range(20)])
        assert len(data["train"]) == 19 and len(data["validation"]) == 1
        assert "shares 1 text with the training rows" in warnings.text, different


def test_pairs_and_documents_of_one_text_are_never_in_both_splits(tmp_path):
    rows = [{"premise": f"p {row % 50}", "hypothesis": "h", "label": "ab"[row % 2]} for row in range(100)]
    pairs = load_labelled_pairs(PairArguments(train_file=write(tmp_path / "p.jsonl", rows)))
    assert not set(pairs["train"]["premise"]) & set(pairs["validation"]["premise"])
    lines = "".join(f"Text {row % 50}.\n" for row in range(100))
    file = write(tmp_path / "d.txt", lines)
    documents = load_documents(DocumentArguments(train_file=file, normalization="none"))
    assert not set(documents["train"]["document"]) & set(documents["validation"]["document"])
    assert measured_split(documents) == measured_split(pairs) == "split off"


def test_a_subset_that_loses_a_label_is_refused(tmp_path):
    rows = [(f"t {row}", "rare" if row < 1 else "ab"[row % 2]) for row in range(60)]
    file = write(tmp_path / "t.csv", table(rows))
    with pytest.raises(ValueError, match=r"max_train_samples=20 .*rare"):
        load(train_file=file, validation_file=file, max_train_samples=20)
    assert len(load(False, train_file=file, validation_file=file, max_train_samples=20)["train"]) == 20


def test_classes_without_rows_are_left_out(tmp_path, warnings):
    features = Features({"text": Value("string"), "label": Value("int64")})
    names = {"names": ["bad", "so so", "good"], "_type": "ClassLabel"}
    kind = Features.from_dict({"text": {"dtype": "string", "_type": "Value"}, "label": names})
    rows = Dataset.from_dict({"text": ["x", "y", "z"], "label": [0, 2, 2]}, features=features).cast(kind)
    folder = tmp_path / "set"
    folder.mkdir()
    rows.to_parquet(folder / "train.parquet")
    rows.to_parquet(folder / "validation.parquet")
    file = str(folder / "train.parquet")
    for read in (load, stream):
        for source in ({"train_file": file, "validation_file": file}, {"dataset_name": str(folder)}):
            warnings.clear()
            data = read(**source)
            assert data["train"].features["label"].names == ["bad", "good"]
            assert data["train"]["label"][:] == data["validation"]["label"][:] == [0, 1, 1]
            assert "so so" in warnings.text
    one = rows.select([1, 2])
    one.to_parquet(tmp_path / "one.parquet")
    for read in (load, stream):
        with pytest.raises(ValueError, match=r"only the label 'good'"):
            read(train_file=str(tmp_path / "one.parquet"), validation_file=str(tmp_path / "one.parquet"))


def test_labels_that_nobody_asked_for_hold_no_row_in_the_training_split(tmp_path):
    file = write(tmp_path / "numbered.csv", csv([str(row) for row in range(40)]))
    found = load(False, train_file=file)
    assert {split: len(rows) for split, rows in found.items()} == {"train": 38, "validation": 2}
    assert found["validation"]["text"][:] == [f"t {row}" for row in sample_rows(40, 2)]
    with pytest.raises(ValueError, match="only one of its label"):
        load(train_file=file)
