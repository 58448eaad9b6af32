"""Files whose rows get new columns, and passes over them that go on where they were stopped."""

import csv
import gzip
import json
import os

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from hf_arae.data.row_files import RowFile, answer_rows
from hf_arae.storage.spool import Spool

TEXTS = ["a b c", "", "One,\ttwo \u201cthree\u201d", "x", " ", "\u00e9t\u00e9 \U0001f600", "y z"]
NEW = {"text_new": pa.string(), "text_score": pa.float32(), "text_list": pa.list_(pa.string()), "text_is": pa.bool_()}
KINDS = (".txt", ".csv", ".tsv", ".jsonl", ".parquet")


def make(folder, kind, texts=TEXTS):
    path = folder / f"in{kind}"
    rows = [{"id": row, "text": text, "kind": ["k", {"n": 1.5}]} for row, text in enumerate(texts)]
    if kind == ".txt":
        path.write_text("".join(text.replace("\n", " ") + "\n" for text in texts), encoding="utf-8")
    elif kind == ".jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    elif kind == ".parquet":
        pq.write_table(pa.Table.from_pylist([{**row, "kind": row["kind"][:1]} for row in rows]), path)
    else:
        plain = {"delimiter": "\t", "quoting": csv.QUOTE_NONE, "quotechar": None}
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, **(plain if kind == ".tsv" else {}))
            writer.writerow(["id", "text", "text2"])
            writer.writerows([row["id"], row["text"].replace("\t", " "), "z"] for row in rows)
    return path


def result(text):
    return {"text_new": text.upper(), "text_score": len(text) / 4, "text_list": text.split(), "text_is": "a" in text}


def rows_of(path):
    if path.suffix == ".parquet":
        return pq.read_table(path).to_pylist()
    if path.suffix == ".jsonl":
        return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    with path.open(encoding="utf-8", newline="") as file:
        plain = {"delimiter": "\t", "quoting": csv.QUOTE_NONE}
        return list(csv.DictReader(file, **(plain if path.suffix == ".tsv" else {})))


@pytest.mark.parametrize("kind", KINDS)
def test_rows_come_out_in_their_order_with_what_is_new(tmp_path, kind):
    source = RowFile(make(tmp_path, kind))
    texts = [text for _, text in source.texts()]
    assert source.count() == len(TEXTS) and [text.split() for text in texts] == [text.split() for text in TEXTS]
    targets = [tmp_path / "new" / f"out{end}" for end in (KINDS if kind == ".txt" else [kind])]
    for target in targets:
        source.check_target(target, NEW)
        source.write(target, (result(text) if text.strip() else {} for text in texts), NEW, "text_new")
        if target.suffix == ".txt":
            wanted = [text.upper() if text.strip() else "" for text in texts]
            assert target.read_text(encoding="utf-8").split("\n") == [*wanted, ""]
            continue
        rows = rows_of(target)
        assert len(rows) == len(texts)
        assert [row["text"].split() for row in rows] == [text.split() for text in texts]
        assert list(rows[0])[-4:] == list(NEW)
        assert rows[0]["text_new"] == "A B C" and rows[1]["text_new"] in (None, "")
        typed = target.suffix in (".jsonl", ".parquet")
        assert rows[0]["text_list"] == (["a", "b", "c"] if typed else "a b c")
        assert rows[0]["text_is"] == (True if typed else "true")
        if kind != ".txt":
            assert [int(row["id"]) for row in rows] == list(range(len(TEXTS)))
            assert kind in (".csv", ".tsv") or rows[2]["kind"][0] == "k"
    assert not [path for path in (tmp_path / "new").iterdir() if path not in targets]


def test_a_failed_write_leaves_what_was_there(tmp_path):
    source, target = RowFile(make(tmp_path, ".csv")), tmp_path / "out.csv"
    target.write_text("old")
    with pytest.raises(ValueError):
        source.write(target, iter([{}]), NEW, "text_new")
    assert target.read_text() == "old" and len(list(tmp_path.iterdir())) == 2


def test_files_that_cannot_be_used_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere"):
        RowFile(tmp_path / "nowhere.csv")
    for name, content, message in (
        ("a.doc", "x", "unknown extension"),
        ("a.json", "[]", "unknown extension"),
        ("a.jsonl", '[{"text": "x"}]', "one array"),
        ("a.csv", "title\nx\n", "no column 'text'.*'title'"),
        ("a.csv", "", "empty"),
        ("a.parquet", "x", "Parquet"),
    ):
        (tmp_path / name).write_text(content)
        with pytest.raises(ValueError, match=message):
            RowFile(tmp_path / name)
    source = RowFile(make(tmp_path, ".csv"))
    for target, names, message in (
        (source.path, (), "itself"),
        (tmp_path, (), "folder"),
        (tmp_path / "out.jsonl", (), "must end with .csv"),
        (tmp_path / "out.csv", ("text2",), "'text2' already"),
    ):
        with pytest.raises(ValueError, match=message):
            source.check_target(target, names)


def test_gzipped_and_other_columns(tmp_path):
    path = tmp_path / "a, b.csv.gz"
    path.write_bytes(gzip.compress(b"title,text\nx,y\n"))
    source = RowFile(path, "title")
    assert [text for _, text in source.texts()] == ["x"]
    source.check_target(tmp_path / "out.csv", ())


# Passes


def run(source, path, answer=None, chunk_rows=3, refuses=lambda row: False, **settings):
    spool = Spool(path, source.settings() | settings, chunk_rows)
    asked = []

    def upper(texts, first):
        asked.append((first, list(texts)))
        return [{"new": text.upper()} for text in texts]

    answer_rows(source, spool, answer or upper, refuses, source.count(), "Testing")
    return spool, asked


def test_a_pass_goes_on_after_any_kill_with_the_same_chunks(tmp_path):
    source, path = RowFile(make(tmp_path, ".txt", TEXTS * 2)), tmp_path / "spool"
    spool, chunks = run(source, path)
    whole, results = path.read_bytes(), list(spool)
    assert [row.get("new") for row in results] == [text.upper() if text.strip() else None for text in TEXTS * 2]
    assert [first for first, _ in chunks] == [0, 3, 6, 9, 12]
    assert all(lengths == sorted(lengths) for lengths in ([len(t.split()) for t in texts] for _, texts in chunks))
    for size in range(len(whole) + 1):  # whatever had reached the disk
        path.write_bytes(whole[:size])
        _, more = run(source, path)
        assert path.read_bytes() == whole
        assert more == chunks[len(chunks) - len(more) :]


def test_results_of_another_run_are_not_mixed(tmp_path):
    source, path = RowFile(make(tmp_path, ".txt")), tmp_path / "spool"
    run(source, path, target="glad")
    with pytest.raises(ValueError, match="target was 'glad', is 'sad'"):
        run(source, path, target="sad")
    with pytest.raises(ValueError, match="chunk_rows was 3, is 4"):
        run(source, path, target="glad", chunk_rows=4)
    os.utime(source.path, ns=(1, 1))
    with pytest.raises(ValueError, match="time was"):
        run(source, path, target="glad")
    path.write_text("something else\n")
    with pytest.raises(ValueError, match="no file of unfinished results"):
        run(source, path)


def test_a_refused_row_is_named_and_what_was_done_is_kept(tmp_path):
    source, path = RowFile(make(tmp_path, ".jsonl")), tmp_path / "spool"

    for wrong, line, kept in (("y z", 7, True), ("a b c", 1, False)):
        path.unlink(missing_ok=True)

        def answer(texts, first, wrong=wrong):
            return [{"note": "the text is odd"} if text == wrong else {} for text in texts]

        with pytest.raises(ValueError, match=f"in.jsonl, line {line}: the text is odd"):
            run(source, path, answer, refuses=lambda row: row.get("note") == "the text is odd")
        assert path.exists() is kept
