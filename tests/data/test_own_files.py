"""Users' own files: what is written is what is read, by whichever way; what cannot be is named by file and line."""

from __future__ import annotations

import gzip
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest
from datasets import Dataset
from own_data import load, stream, write

from hf_arae.data.documents import DocumentArguments, load_documents
from hf_arae.data.files import read_lines
from hf_arae.data.pairs import PairArguments, load_labelled_pairs

CASES = Path(__file__).resolve().parents[2].parent / "shared" / "cases"


pytestmark = pytest.mark.usefixtures("own_cache")


def ways(folder: Path, name: str, content, **arguments):
    """The same content as a file, in a folder of the Hub's layout, and streamed from either."""
    stem, kind = name.split(".", 1)
    file = write(folder / f"train.{kind}", content)
    write(folder / f"validation.{kind}", content)
    files = {"train_file": file, "validation_file": file} | arguments
    named = {"dataset_name": str(folder)} | arguments
    found = {f"{stem}, file": lambda: load(**files), f"{stem}, streamed file": lambda: stream(**files)}
    # Asking `datasets` what a folder holds takes a while; the files are then read alike.
    if int(folder.name) % 2 == 0:
        found[f"{stem}, folder"] = lambda: load(**named)
    if int(folder.name) % 4 == 0:
        found[f"{stem}, streamed folder"] = lambda: stream(**named)
    return found


def table(rows: list[tuple[str, str]], separator: str = ",", header: str = "text,label") -> str:
    return "".join(separator.join(row) + "\n" for row in [header.split(","), *rows])


def objects(labels: list, **others) -> list[dict]:
    return [{"text": f"t {row}", "label": label} | others for row, label in enumerate(labels)]


def csv(labels: list[str], separator: str = ",") -> str:
    return table([(f"t {row}", label) for row, label in enumerate(labels)], separator)


def columns(labels, **kinds) -> pa.Table:
    return pa.table({"text": [f"t {row}" for row in range(len(labels))], "label": pa.array(labels, **kinds)})


# What is in the file, and the labels that are read from it
LABELS = {
    "bools.jsonl": (objects([True, False, True]), "True False True"),
    "bools.parquet": (columns([True, False]), "True False"),
    "bools.csv": (csv(["True", "False"]), "True False"),
    "floats.jsonl": (objects([1.0, 3.0, 10.0]), "1 3 10"),
    "floats.parquet": (columns([1.0, 3.0, 10.0]), "1 3 10"),
    "halves.parquet": (columns([1, 2], type=pa.float32()), "1 2"),
    "floats.csv": (csv(["1.0", "3.0", "1"]), "1 3 1"),
    "integers and floats.jsonl": (objects([1, 2.0, -3]), "1 2 -3"),
    "a float of no class.csv": (csv(["1.5", "2.25"]), "1.5 2.25"),
    "small.parquet": (columns([1, 2], type=pa.uint8()), "1 2"),
    "huge.jsonl": (objects([10**30, 1]), f"{10**30} 1"),
    "zeros.csv": (csv(["01", "02", "1"]), "01 02 1"),
    "zeros.jsonl": (objects(["01", "02"]), "01 02"),
    "zeros.tsv": (csv(["01", "1e5"], "\t"), "01 1e5"),
    "blanks.csv": (csv([" a", "b\u00a0", "\ta ", "\u2003b\u3000"]), "a b a b"),
    "blanks.jsonl": (objects([" a", "b\n"]), "a b"),
    "blanks.parquet": (columns(["a ", "\ufeffb", "a\u200b"]), "a b a"),
    "marks.tsv": (csv(["\ufeffa", "\u200bb ", " a"], "\t"), "a b a"),
    "case.csv": (csv(["Pos", "pos", "POS"]), "Pos pos POS"),
    "accents.csv": (csv(["caf\u00e9", "cafe\u0301", "no"]), "caf\u00e9 caf\u00e9 no"),
    "words.csv": (csv(["None", "NA", "null", "nan", "N/A", "True", "<NA>"]), "None NA null nan N/A True <NA>"),
    "words.tsv": (csv(["None", "NA", "null"], "\t"), "None NA null"),
    "words.jsonl": (objects(["None", "NA", "null"]), "None NA null"),
    "words.parquet": (columns(["None", "null"]), "None null"),
    "emoji.jsonl": (objects(["\U0001f600", "\u2764\ufe0f"]), "\U0001f600 \u2764\ufe0f"),
    "categories.parquet": (pd.DataFrame({"text": ["t 0", "t 1"], "label": pd.Categorical(["b", "a"])}), "b a"),
    "large.parquet": (columns(["a", "b"], type=pa.large_string()), "a b"),
    "gzipped.csv.gz": (gzip.compress(csv(["NA", "01"]).encode()), "NA 01"),
    "gzipped.jsonl.gz": (gzip.compress(b'{"text": "t 0", "label": 1}\n{"text": "t 1", "label": 2}'), "1 2"),
}


def test_labels_are_called_the_same_by_whichever_way_they_come(tmp_path):
    for number, (name, (content, expected)) in enumerate(LABELS.items()):
        for way, read in ways(tmp_path / str(number), name, content).items():
            data = read()
            names = data["train"].features["label"].names
            for split in ("train", "validation"):
                assert [names[label] for label in data[split]["label"]] == expected.split(), (way, split)
            assert len(names) == len(set(expected.split())), way


LONG = "good " * 40_000 + "end"
TEXTS = {
    "words.csv": ("text,label\nNA,a\nnull,b\n12345,a\n007,b\nNone,a\n", ["NA", "null", "12345", "007", "None"]),
    "words.jsonl": (objects(["a", "b"], text="NA"), ["NA", "NA"]),
    "long.csv": (table([(LONG, "a"), ("x", "b")]), [LONG, "x"]),
    "long.tsv": (table([(LONG, "a"), ("x", "b")], "\t"), [LONG, "x"]),
    "blank in the header.csv": ("text, label\nx,a\ny,b\n", ["x", "y"]),
    "blanks and marks in the header.csv": ("\u00a0text ,\ufefflabel\t\nx,a\ny,b\n", ["x", "y"]),
    "blanks in the header.tsv": ("text \t label\nx\ta\ny\tb\n", ["x", "y"]),
    "blank in the keys.jsonl": ([{" text": "x", "label ": "a"}, {" text": "y", "label ": "b"}], ["x", "y"]),
    "blank in the names.parquet": (pa.table({"text ": ["x", "y"], " label": ["a", "b"]}), ["x", "y"]),
    "quoted with blanks.csv": ('text, label\n"x, z", "a"\n"y", "b"\n', ["x, z", "y"]),
    "byte order mark.csv": ("\ufefftext,label\nx,a\ny,b\n".encode(), ["x", "y"]),
    "byte order mark and quotes.csv": ('\ufeff"text","label"\n"x","a"\n"y","b"\n'.encode(), ["x", "y"]),
    "byte order mark.jsonl": ("\ufeff" + '{"text": "x", "label": 1}\n{"text": "y", "label": 2}', ["x", "y"]),
    "utf-16.csv": ("text,label\nÜber,a\ny,b\n".encode("utf-16"), ["Über", "y"]),
    "utf-16.tsv": ("\ufefftext\tlabel\r\nÜber\ta\r\ny\tb\r\n".encode("utf-16-be"), ["Über", "y"]),
    "utf-16.jsonl": ('{"text": "Ü", "label": 1}\n{"text": "y", "label": 2}\n'.encode("utf-16"), ["Ü", "y"]),
    "windows ends.csv": ("text,label\r\nx,a\r\ny,b\r\n", ["x", "y"]),
    "old ends.csv": ("text,label\rx,a\ry,b\r", ["x", "y"]),
    "old ends.jsonl": ('{"text": "x", "label": 1}\r{"text": "y", "label": 2}\r', ["x", "y"]),
    "no end.csv": ("text,label\nx,a\ny,b", ["x", "y"]),
    "empty lines.csv": ("\n\ntext,label\n\nx,a\n\ny,b\n\n", ["x", "y"]),
    "breaks in cells.csv": ('text,label\n"x\ny\r\nz\rw",a\ny,b\n', ["x\ny\r\nz\rw", "y"]),
    "odd breaks in cells.csv": ("text,label\nx\u2028y\x85z\x0bw\x0c,a\ny,b\n", ["x\u2028y\x85z\x0bw\x0c", "y"]),
    "odd breaks in cells.tsv": ("text\tlabel\nx\u2028y\x85z\ta\ny\tb\n", ["x\u2028y\x85z", "y"]),
    "odd breaks.jsonl": ('{"text": "x\u2028y\x85z", "label": 1}\n{"text": "y", "label": 2}\n', ["x\u2028y\x85z", "y"]),
    "quotes.csv": ('text,label\n"so ""good""",a\nit \'s “fine” "now",b\n', ['so "good"', 'it \'s “fine” "now"']),
    "quotes.tsv": ('text\tlabel\n"open\ta\nclosed"\tb\n', ['"open', 'closed"']),
    "others twice.csv": ("text,label,,,x,x\nx,a,1,2,3,4\ny,b,1,2,3,4\n", ["x", "y"]),
    "others twice.jsonl": ('{"text": "x", "label": 1, "o": 1, "o": 2}\n{"text": "y", "label": 2}\n', ["x", "y"]),
    "others of all kinds.jsonl": (
        [{"text": "x", "label": 1, "o": [1]}, {"text": "y", "label": 2, "o": "a"}],
        ["x", "y"],
    ),
    "whole characters.jsonl": (
        r'{"text": "\ud83d\ude00", "label": 1}' + '\n{"text": "y", "label": 2}',
        ["\U0001f600", "y"],
    ),
}


def test_texts_are_read_as_they_are_written_by_whichever_way(tmp_path):
    for number, (name, (content, expected)) in enumerate(TEXTS.items()):
        for way, read in ways(tmp_path / str(number), name, content).items():
            data = read()
            assert data["train"]["text"][:] == data["validation"]["text"][:] == expected, way
            assert len(data["train"].features["label"].names) == 2 or "words" in way, way


# What is in the file, and what the message has to name
WRONG = {
    "latin-1.csv": (b"text,label\nx,a\ny,b\ncaf\xe9,a\n", ["line 4", "byte 4", "0xe9", "UTF-8"]),
    "latin-1.jsonl": (b'{"text": "x", "label": 1}\n{"text": "\x93y", "label": 2}\n', ["line 2", "0x93"]),
    "utf-16 without mark.csv": ("text,label\nx,a\ny,b\n".encode("utf-16-le"), ["line 1", "NUL", "UTF-16"]),
    "half of utf-16.csv": ("text,label\nx,a\n".encode("utf-16")[:-1], ["UTF-16"]),
    "a NUL.tsv": (b"text\tlabel\nx\ta\ny\0\tb\n", ["line 3", "NUL"]),
    "quote left open.csv": ('text,label\nx,a\n"y,b\nz,a\n', ["line 3", "quotation mark"]),
    "quote within.csv": ('text,label\nx,a\n"y" is,b\n', ["line 3", "quotation mark"]),
    "comma within.csv": ("text,label\nx,a\n\nfine, good,b\n", ["line 4", "3 fields", "quotation marks"]),
    "field too few.tsv": ("text\tlabel\nx\ta\ny\n", ["line 3", "1 fields"]),
    "semicolons.csv": ("text;label\nx;a\ny;b\n", ["';'", "commas"]),
    "tabs.csv": ("text\tlabel\nx\ta\ny\tb\n", ["separated by '\\t'"]),
    "commas.tsv": ("text,label\nx,a\ny,b\n", ["','", "tabs"]),
    "label twice.csv": ("text,label,label\nx,a,b\ny,b,a\n", ["line 1", "'label'", "2 times"]),
    "text twice, with a blank.csv": ("text,label,text \nx,a,b\ny,b,a\n", ["'text'", "2 times"]),
    "label twice.tsv": ("text\tlabel\tlabel\nx\ta\tb\n", ["'label'", "2 times"]),
    "label twice.jsonl": (
        '{"text": "x", "label": 1}\n{"text": "y", "label": 1, "label": 2}',
        ["line 2", "'label'", "twice"],
    ),
    "text twice.parquet": (
        pa.Table.from_arrays([pa.array(["x"])] * 3, names=["text", "text", "label"]),
        ["'text'", "2 times"],
    ),
    "no parquet.parquet": (b"PAR1 and no more", ["not a whole Parquet file"]),
    "deep.jsonl": ('{"text": "x", "label": 1}\n' + "[" * 200_000 + "]" * 200_000, ["line 2", "deep"]),
    "deep within.jsonl": ('{"o": ' + "[" * 200_000 + "]" * 200_000 + "}\n", ["line 1", "deep"]),
    "many digits.jsonl": (
        '{"text": "x", "label": 1}\n{"text": "y", "label": ' + "9" * 5000 + "}",
        ["line 2", "number"],
    ),
    "half a character.jsonl": (r'{"text": "x \ud83d", "label": 1}', ["line 1", "'text'", "\\ud83d"]),
    "half a label.jsonl": (
        '{"text": "x", "label": "a"}\n' + r'{"text": "y", "label": "\ude00"}',
        ["line 2", "'label'"],
    ),
    "half of a line.jsonl": ('{"text": "x", "label": 1}\n{"text": "y", "lab', ["line 2", "not JSON"]),
    "broken float.jsonl": (objects([1.0, 2.0, 2.5]), ["line 3", "2.5", "whole number"]),
    "infinite.jsonl": ('{"text": "x", "label": 1.0}\n{"text": "y", "label": Infinity}\n', ["line 2", "inf"]),
    "broken float.parquet": (columns([1.0, 2.0, 2.5]), ["row 2", "2.5", "whole number"]),
    "two types.jsonl": (objects([1, "a"]), ["line 2", "'a'", "one type"]),
    "number and truth.jsonl": (objects([1, True]), ["line 2", "True", "one type"]),
    "a list.jsonl": (objects([[1], [2]]), ["line 1", "'label'", "[1]"]),
    "a text of a number.jsonl": (objects(["a", "b"], text=5), ["line 1", "'text'", "5"]),
    "damaged.csv.gz": (gzip.compress(csv(["a", "b"]).encode())[:-9], [".gz"]),
    "no gzip.csv.gz": (csv(["a", "b"]).encode(), [".gz"]),
    "header only.csv": ("text,label\n", ["train split"]),
    "nothing.csv": (" \n" * 3, ["column names"]),
    "other columns.csv": ("review,label\nx,a\n", ["'text'", "review, label"]),
    "no label.csv": ("text,label\nx,a\n\ny,b\nz, \n", ["line 5", "'label'", "--drop_incomplete", "1 of 3"]),
    "no label.tsv": ("text\tlabel\nx\ta\ny\tb\n\nz\t\u00a0\n", ["line 5", "--drop_incomplete"]),
    "no label.jsonl": (
        '{"text": "x", "label": "a"}\n\n{"text": "y"}\n{"text": "z", "label": "b"}',
        ["line 3", "'label'", "--drop_incomplete"],
    ),
    "NaN.jsonl": (
        '{"text": "x", "label": 1.0}\n{"text": "y", "label": NaN}\n{"text": "z", "label": 2}',
        ["line 2", "--drop_incomplete"],
    ),
    "NaN.parquet": (columns([1.0, 2.0, float("nan")]), ["row 2", "'label'", "--drop_incomplete"]),
    "null text.jsonl": (
        '{"text": "x", "label": 1}\n{"text": null, "label": 2}',
        ["line 2", "'text'", "--drop_incomplete"],
    ),
    "after breaks.csv": ('text,label\n"x\ny\nz",a\nv,b\nw,\n', ["line 6", "--drop_incomplete"]),
}


def test_what_cannot_be_read_is_named_by_file_and_line_by_whichever_way(tmp_path):
    for number, (name, (content, parts)) in enumerate(WRONG.items()):
        for way, read in ways(tmp_path / str(number), name, content).items():
            with pytest.raises(ValueError) as caught:
                read()
            streamed = "stream" in way  # where rows are not counted
            for part in ["train." + name.split(".", 1)[1], *parts]:
                assert part in str(caught.value) or (streamed and " of " in part), (way, str(caught.value))
            assert len(str(caught.value)) < 700, way


def test_rows_without_a_label_or_a_text_can_be_left_out_and_are_counted(tmp_path, warnings):
    rows = [*objects(["a", "b", None, " ", "a"]), {"text": None, "label": "a"}, {"text": "end", "label": "b"}]
    for number, (name, content) in enumerate({"x.jsonl": rows, "x.parquet": pa.Table.from_pylist(rows)}.items()):
        for way, read in ways(tmp_path / str(number), name, content, drop_incomplete=True).items():
            warnings.clear()
            data = read()
            assert data["train"]["text"][:] == data["validation"]["text"][:] == ["t 0", "t 1", "t 4", "end"], way
            assert data["train"]["label"][:] == [0, 1, 0, 1], way
            if "stream" in way:
                assert "Rows without a label are left out" in warnings.text, way
            else:
                assert "Dropped 4 rows without a label" in warnings.text, way
                assert "Dropped 2 texts" in warnings.text, way
    floats = columns([1.0, float("nan"), 2.0])
    for read in ways(tmp_path / "8", "x.parquet", floats, drop_incomplete=True).values():
        assert read()["train"].features["label"].names == ["1", "2"]


def test_a_label_that_was_a_float_in_one_split_matches_the_integer_of_another(tmp_path):
    files = {"train_file": write(tmp_path / "train.csv", csv(["1", "2"]))}
    for name, content in {"a.csv": csv(["2.0"]), "b.jsonl": objects([2.0]), "c.parquet": columns([2.0])}.items():
        file = write(tmp_path / name, content)
        for read in (load, stream):
            assert read(**files, validation_file=file)["validation"]["label"][:] == [1], name


# ------------------------------------------------------------------------------------------------ the other loaders


def test_text_files_of_all_kinds(tmp_path):
    contents = {
        "windows": b"x\r\ny\r\n",
        "old": b"x\ry\r",
        "marked": b"\xef\xbb\xbfx\ny",
        "sixteen": "x\ny\n".encode("utf-16"),
    }
    for name, content in contents.items():
        assert read_lines(Path(write(tmp_path / f"{name}.txt", content))) == ["x", "y"], name
    zipped = Path(write(tmp_path / "zipped.txt.gz", gzip.compress(b"x\ny\n")))
    assert read_lines(zipped) == ["x", "y"]
    odd = Path(write(tmp_path / "odd.txt", "x\u2028y\x85z\x0cw\rv\nend"))
    assert read_lines(odd) == ["x\u2028y\x85z\x0cw\rv", "end"]
    both = f"{zipped},{tmp_path / 'old.txt'}"
    for read in (load, stream):
        data = read(train_file=both, validation_file=both)
        assert data["train"].features["label"].names == ["old", "zipped"] and len(data["validation"]) == 4
    with pytest.raises(ValueError, match=r"nul\.txt, line 2: .*NUL"):
        read_lines(Path(write(tmp_path / "nul.txt", b"x\ny\0\n")))
    with pytest.raises(ValueError, match=r"cafe\.txt, line 2: .*byte 4 .*0xe9"):
        read_lines(Path(write(tmp_path / "cafe.txt", b"x\ncaf\xe9\n")))


def test_text_files_of_one_name_are_refused(tmp_path):
    positive = write(tmp_path / "positive" / "reviews.txt", "good\n")
    negative = write(tmp_path / "negative" / "reviews.txt", "bad\n")
    for read in (load, stream):
        with pytest.raises(ValueError, match=r"labels are the files' names.*'reviews'"):
            read(train_file=f"{positive},{negative}", validation_file=f"{positive},{negative}")


def test_labels_that_are_not_needed_do_not_end_a_run(tmp_path):
    for number, labels in enumerate([[1, "a"], [[1], [2]], [0.5, 1], ["a", None], [{"x": 1}, None], ["a", "a"]]):
        file = write(tmp_path / f"{number}.jsonl", objects(labels))
        write(tmp_path / str(number) / "train.jsonl", objects(labels))
        write(tmp_path / str(number) / "validation.jsonl", objects(labels))
        for source in ({"train_file": file, "validation_file": file}, {"dataset_name": str(tmp_path / str(number))}):
            data = load(False, **source)
            assert data["train"]["text"][:] == data["validation"]["text"][:] == ["t 0", "t 1"], labels


def test_pairs_take_labels_as_texts_do(tmp_path):
    for number, (labels, names) in enumerate(
        {
            ("None", "some", " None"): ["None", "some"],
            (0.0, 1.0, 10.0, 2.0): ["0", "1", "2", "10"],
            (True, False): ["False", "True"],
            ("a ", "b", None, "-", ""): ["a", "b"],
        }.items()
    ):
        rows = [{"premise": f"p {row}", "hypothesis": "h", "label": label} for row, label in enumerate(labels)]
        file = write(tmp_path / f"{number}.jsonl", rows)
        pairs = load_labelled_pairs(PairArguments(train_file=file, validation_file=file))
        assert pairs["train"].features["label"].names == names
    wrong = [{"premise": "p", "hypothesis": "h", "label": "ab"[row]} for row in range(2)]
    wrong.append({"premise": None, "hypothesis": "h", "label": "a"})
    with pytest.raises(ValueError, match=r"wrong\.jsonl, line 3: .*'premise'"):
        load_labelled_pairs(PairArguments(train_file=write(tmp_path / "wrong.jsonl", wrong)))


def test_documents_name_file_and_line(tmp_path):
    header = "document,summary\n"
    write(tmp_path / "set" / "train.csv", header + "NA,null\n12,None\n")
    write(tmp_path / "set" / "validation.csv", header + "NA,null\n")
    data = load_documents(DocumentArguments(dataset_name=str(tmp_path / "set"), normalization="none"))
    assert data["train"][:] == {"document": ["NA", "12"], "summary": ["null", "None"]}
    rows = [{"document": "a"}, {"document": None}]
    with pytest.raises(ValueError, match=r"d\.jsonl, line 2: .*'document'"):
        load_documents(DocumentArguments(train_file=write(tmp_path / "d.jsonl", rows)))


def test_damaged_caches_are_not_taken(tmp_path):
    folder = tmp_path / "set"
    folder.mkdir()
    for split in ("train", "validation"):
        file = folder / f"{split}.parquet"
        Dataset.from_dict(
            {"text": [f"t {row}" for row in range(500)], "label": ["ab"[row % 2] for row in range(500)]}
        ).to_parquet(file)
    expected = load(dataset_name=str(folder))["train"].shuffle(seed=0)["text"][:]
    cached = list((tmp_path / "cache").rglob("*.arrow"))
    assert cached, "datasets keeps Parquet files as Arrow files there"
    assert not [path for path in cached if path.name.startswith("cache-")], "but neither orders nor ids"
    assert load(dataset_name=str(folder))["train"].shuffle(seed=0)["text"][:] == expected
    for damage in (lambda content: b"", lambda content: content[: len(content) // 2]):
        for path in cached:
            path.write_bytes(damage(path.read_bytes()))
        with pytest.raises(ValueError, match=r"train\.parquet: .*cache"):
            load(dataset_name=str(folder))


@pytest.mark.skipif(not CASES.is_dir(), reason="needs the cases beside the repository")
def test_real_cases():
    held = {"validation_file": str(CASES / "08_blank_around_label.csv")}
    data = load(train_file=str(CASES / "08_blank_around_label.csv"), **held)
    assert data["train"].features["label"].names == ["negative", "positive"]
    words = load(dataset_name=str(CASES / "06_words_like_missing"))
    assert {"NA", "null"} <= {text for split in words.values() for text in split["text"]}
    with pytest.raises(ValueError, match=r"test\.csv: .*'label'.*text, stars"):
        load(dataset_name=str(CASES / "14_other_columns_in_test"))
