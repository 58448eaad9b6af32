"""Files whose rows get new columns: read row by row as often as wanted, and written again with what is new.

A pass over a file never holds more than a part of it.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any, TextIO

import pyarrow as pa
import pyarrow.parquet as pq
from tqdm import tqdm

from hf_arae.data.files import extension, is_json_array, iterate_lines, json_lines, open_text, table_rows
from hf_arae.storage.files import whole_file
from hf_arae.storage.json_numbers import to_json
from hf_arae.storage.spool import Spool

Result = dict[str, Any]
_KINDS = (".txt", ".csv", ".tsv", ".jsonl", ".parquet")
_TABLES = (".csv", ".tsv")
_BATCH_ROWS = 1_000


class RowFile:
    """A .txt, .csv, .tsv, .jsonl or .parquet file whose rows have a text.

    Args:
        path: the file; all but .parquet may be gzipped.
        column: of the texts. A .txt file has a text a line, under this name.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: its extension is unknown, it has no such column, or it is damaged.
    """

    def __init__(self, path: str | Path, column: str = "text"):
        self.path, self.kind, self.column = Path(path), extension(path), column
        if not self.path.is_file():
            raise FileNotFoundError(f"No file {str(path)!r}.")
        if self.kind not in _KINDS:
            raise ValueError(f"{path}: unknown extension {self.path.suffix!r}; accepted are {', '.join(_KINDS)}.")
        if self.kind == ".jsonl" and is_json_array(self.path):
            raise ValueError(f"{path}: it holds one array; it must have one object a line.")
        self.names = self._names()
        if column not in self.names:
            listed = ", ".join(map(repr, self.names)) or "none"
            raise ValueError(f"{path}: it has no column {column!r}; its columns are {listed}.")

    def _names(self) -> list[str]:
        if self.kind == ".parquet":
            try:
                return pq.read_schema(self.path).names
            except (pa.ArrowException, OSError) as error:
                raise ValueError(f"{self.path}: not a whole Parquet file ({error}).") from error
        if self.kind in _TABLES:
            return next(self._lines())[1]
        if self.kind == ".jsonl":
            return next((list(record) for _, record in self._records()), [self.column])
        return [self.column]

    def count(self) -> int:
        """The number of rows. But for .parquet all of the file is read for it: damage is an error that it raises."""
        if self.kind == ".parquet":
            return pq.read_metadata(self.path).num_rows
        return sum(1 for _ in self._records())

    def texts(self) -> Iterator[tuple[str, Any]]:
        """The texts, each with the name of its place, such as `"news.txt, line 3"`; `None` where a row has none."""
        noun = "row" if self.kind == ".parquet" else "line"
        for number, record in self._records():
            yield f"{self.path}, {noun} {number}", record.get(self.column)

    def settings(self) -> dict[str, Any]:
        """What tells the file from others, and from what it was before it was changed."""
        found = self.path.stat()
        return {"input_file": str(self.path), "size": found.st_size, "time": found.st_mtime_ns, "column": self.column}

    def _lines(self) -> Iterator[tuple[int, list[str]]]:
        return table_rows(self.path, {self.column: "text"})

    def _records(self) -> Iterator[tuple[int, dict[str, Any]]]:
        """The rows by the names of their columns, each with its line; of .parquet the texts alone, with the row."""
        if self.kind == ".txt":
            yield from ((number, {self.column: line}) for number, line in enumerate(iterate_lines(self.path), 1))
        elif self.kind == ".jsonl":
            with open_text(self.path) as file:
                yield from json_lines(self.path, file, {self.column: "text"})
        elif self.kind == ".parquet":
            with pq.ParquetFile(self.path) as file:
                batches = file.iter_batches(_BATCH_ROWS, columns=[self.column])
                yield from enumerate(record for batch in batches for record in batch.to_pylist())
        else:
            rows = self._lines()
            _, header = next(rows)
            yield from ((line, dict(zip(header, row, strict=True))) for line, row in rows)

    # Writing

    def check_other(self, target: Path) -> None:
        """Raises ValueError for a path that is a folder or this file."""
        if target.is_dir() or (target.exists() and target.samefile(self.path)):
            raise ValueError(f"output_file {str(target)!r} is a folder or the input_file itself.")

    def check_target(self, target: Path, names: Iterable[str]) -> None:
        """Makes sure that `write` can write a file.

        Args:
            target: the file.
            names: of the new columns.

        Raises:
            ValueError: it is a folder, this file itself, or of another kind; or a new column is there already.
        """
        self.check_other(target)
        accepted = _KINDS if self.kind == ".txt" else (self.kind,)
        if target.suffix.lower() not in accepted:
            raise ValueError(
                f"output_file {str(target)!r} must end with {' or '.join(accepted)}, as the input_file is {self.kind}."
            )
        for name in names:
            if name in self.names:
                raise ValueError(f"{self.path}: there is a column {name!r} already, which would be written anew.")

    def write(self, target: Path, results: Iterable[Result], new: Mapping[str, pa.DataType], line: str) -> None:
        """Writes the rows with new columns, whole or not at all.

        Args:
            target: the file, as `check_target` accepts it.
            results: what is new in each row, by the names of columns; `None`, or nothing, where there is nothing.
            new: types of the new columns by their names.
            line: the new column that a .txt file has alone.
        """
        kind = target.suffix.lower()
        with whole_file(target) as path:
            if kind == ".parquet":
                self._write_parquet(path, results, new)
                return
            with path.open("w", encoding="utf-8", newline="") as file:
                if kind in _TABLES:
                    self._write_table(file, results, new, kind)
                    return
                for (_, record), result in zip(self._records(), results, strict=True):
                    text = " ".join((result.get(line) or "").split("\n"))
                    row = record | {name: result.get(name) for name in new}
                    file.write((text if kind == ".txt" else to_json(row, ensure_ascii=False)) + "\n")

    def _write_table(self, file: TextIO, results: Iterable[Result], new: Iterable[str], kind: str) -> None:
        plain = {"delimiter": "\t", "quoting": csv.QUOTE_NONE, "quotechar": None}
        writer = csv.writer(file, lineterminator="\n", **(plain if kind == ".tsv" else {}))
        writer.writerow([*self.names, *new])
        rows = ([record[self.column]] for _, record in self._records())
        if self.kind in _TABLES:  # not by their names: columns that are not used may share one
            rows = (row for _, row in islice(self._lines(), 1, None))
        for row, result in zip(rows, results, strict=True):
            cells = [*row, *(_cell(result.get(name)) for name in new)]
            writer.writerow([" ".join(cell.split()) for cell in cells] if kind == ".tsv" else cells)

    def _write_parquet(self, target: Path, results: Iterable[Result], new: Mapping[str, pa.DataType]) -> None:
        results, added = iter(results), pa.schema(list(new.items()))
        if self.kind == ".parquet":
            old, parts = pq.read_schema(self.path), self._parquet_parts()
        else:
            old, parts = pa.schema([(self.column, pa.string())]), self._text_parts()
        schema = pa.schema([*old, *added], old.metadata)
        with pq.ParquetWriter(target, schema) as writer:
            for part in parts:
                more = [{name: row.get(name) for name in new} for row in islice(results, part.num_rows)]
                arrays = [*part.columns, *pa.Table.from_pylist(more, added).columns]
                writer.write_table(pa.Table.from_arrays(arrays, schema=schema))

    def _parquet_parts(self) -> Iterator[pa.Table]:
        with pq.ParquetFile(self.path) as file:
            for batch in file.iter_batches(_BATCH_ROWS):
                yield pa.Table.from_batches([batch])

    def _text_parts(self) -> Iterator[pa.Table]:
        records = (record for _, record in self._records())
        while part := list(islice(records, _BATCH_ROWS)):
            yield pa.Table.from_pylist(part)


def answer_rows(
    source: RowFile,
    spool: Spool,
    answer: Callable[[list[str], int], list[Result]],
    is_refused: Callable[[Result], bool],
    total: int,
    description: str,
) -> None:
    """Fills a spool with a result for each row that it does not have yet, under a progress bar.

    Args:
        source: the rows. One without a text, or with white space alone, gets a `note` that says so.
        spool: takes the results.
        answer: gets texts, in the order of their lengths, and the number of the chunk's first row, and gives a result
            for each. The same texts of the same chunk must give the same results.
        is_refused: whether a result ends the pass; its `note` is the reason.
        total: the number of rows.
        description: of the bar.

    Raises:
        ValueError: a result is refused; the place of its row is named. What was done before is kept in the spool,
            which goes if that is nothing.
    """
    blank = {"note": "blank line" if source.kind == ".txt" else "no text"}
    with tqdm(total=total, initial=spool.rows, desc=description, unit=" rows") as bar:
        rows = islice(source.texts(), spool.rows, None)
        while chunk := list(islice(rows, spool.chunk_rows)):
            texts = {row: text for row, (_, text) in enumerate(chunk) if not _is_blank(text)}
            order = sorted(texts, key=lambda row: len(str(texts[row]).split()))
            found = dict(zip(order, answer([texts[row] for row in order], spool.rows), strict=True))
            results = [found.get(row, blank) for row in range(len(chunk))]
            for (place, _), result in zip(chunk, results, strict=True):
                if is_refused(result):
                    if not spool.rows:
                        spool.remove()
                    raise ValueError(f"{place}: {result['note']}")
            spool.append(results)
            bar.update(len(chunk))


def _is_blank(text: Any) -> bool:
    return text is None or (isinstance(text, str) and not text.strip())


def _cell(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return " ".join(map(str, value)) if isinstance(value, list) else "" if value is None else str(value)


__all__ = ["RowFile", "answer_rows"]
