"""Reading files: rows of .txt, .csv, .tsv, .json, .jsonl and .parquet, plain or gzipped, as Arrow tables.

A path is a `Path`, or a string with "://" that fsspec opens. All text is UTF-8, or UTF-16 that begins with a byte
order mark. Names of columns come without what cannot be seen in them (see `clean_name`).
"""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import BinaryIO, Literal, TextIO

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
from datasets import Dataset, Features
from datasets.exceptions import DatasetGenerationError

from hf_arae.data.json_rows import JsonColumns, is_array, json_lines
from hf_arae.data.labels import clean_name

File = Path | str
# What each column holds that will be used. A label that is "optional" is read as None where it cannot be one; "texts"
# are what `texts_of` takes.
Columns = Mapping[str, Literal["text", "label", "optional", "texts"]]

EXTENSIONS = ".txt, .csv, .tsv, .json, .jsonl, .parquet"
CHUNK_ROWS = 10_000  # rows of a table when a file is read piece by piece
_ENCODINGS = "accepted are UTF-8, and UTF-16 with a byte order mark"
_BLOCK = 1 << 16


def extension(path: File) -> str:
    """The file's type, in lower case: that before .gz where it is gzipped."""
    pure = PurePosixPath(str(path).replace("\\", "/"))
    return (pure.with_suffix("") if pure.suffix.lower() == ".gz" else pure).suffix.lower()


def file_paths(names: str) -> list[Path]:
    """The files that `names` lists, separated by commas.

    Raises:
        FileNotFoundError: one of them is missing.
        ValueError: one of them has an unknown extension.
    """
    paths = [Path(name.strip()).expanduser() for name in names.split(",")]
    for path in paths:
        if not path.is_file():
            raise FileNotFoundError(f"No file {str(path)!r}.")
        kind = extension(path)
        if kind not in EXTENSIONS.split(", ") or (kind == ".parquet" != path.suffix.lower()):
            raise ValueError(
                f"{path}: unknown extension {path.suffix!r}; accepted are {EXTENSIONS}, and .gz behind all but the "
                "last."
            )
    return paths


# ------------------------------------------------------------------------------------------------------- columns


def read_columns(path: File, columns: Columns) -> Dataset:
    """The rows of a .csv, .tsv, .json, .jsonl or .parquet file.

    Args:
        path: the file.
        columns: those that will be used. Labels in JSON become strings, texts lists of
            strings; other columns of JSON are read as None.

    Raises:
        ValueError: the file is not UTF-8 or not well-formed, has a column of `columns` twice, or a value has a wrong
            type; its line or row is named.
    """
    if extension(path) == ".parquet":
        renamed = _parquet_names(path, columns)
        try:
            rows = Dataset.from_parquet(str(path))  # mapped into memory, not read
        except (pa.ArrowException, DatasetGenerationError, OSError) as error:
            raise ValueError(
                f"{path}: cannot be read ({_reason(error)}). If the file is whole, its copy in the cache of datasets "
                "is damaged: remove it, or set HF_DATASETS_CACHE to another folder."
            ) from error
        return rows.rename_columns(renamed) if renamed else rows
    return Dataset(pa.concat_tables(iterate_columns(path, columns), promote_options="default"))


def iterate_columns(path: File, columns: Columns) -> Iterator[pa.Table]:
    """As `read_columns`, but table by table, of `CHUNK_ROWS` rows at most; one at least, if without rows."""
    if extension(path) == ".parquet":
        renamed = _parquet_names(path, columns)
        with pq.ParquetFile(path) as file:
            yield _plain(file.schema_arrow.empty_table(), renamed)
            try:
                for batch in file.iter_batches(CHUNK_ROWS):
                    yield _plain(pa.Table.from_batches([batch], file.schema_arrow), renamed)
            except (pa.ArrowException, OSError) as error:
                raise ValueError(f"{path}: damaged ({_reason(error)}).") from error
    elif extension(path) in (".csv", ".tsv"):
        yield from _iterate_table(path, columns)
    else:
        made = JsonColumns(path, columns)
        with open_text(path) as file:
            for rows in in_chunks(json_lines(path, file, columns)):
                yield made.table(rows)


def _plain(table: pa.Table, renamed: Mapping[str, str]) -> pa.Table:
    """Under its new names, and without the dictionaries that a categorical column of pandas comes with."""
    for index, kind in enumerate(table.schema):
        if pa.types.is_dictionary(kind.type):
            table = table.set_column(index, kind.name, table.column(index).cast(kind.type.value_type))
    if not renamed:
        return table
    features = Features.from_arrow_schema(table.schema)
    features = Features({renamed.get(name, name): kind for name, kind in features.items()})
    return pa.Table.from_arrays(table.columns, schema=features.arrow_schema)


def _parquet_names(path: File, columns: Columns) -> dict[str, str]:
    """New names of columns with blanks around their names. Raises a ValueError if one that is used is there twice."""
    try:
        names = pq.read_schema(path).names
    except (pa.ArrowException, OSError) as error:
        raise ValueError(f"{path}: not a whole Parquet file ({_reason(error)}).") from error
    check_twice(path, names, columns)
    return {name: clean_name(name) for name in names if name != clean_name(name) in columns}


def check_twice(path: File, names: Iterable[str], columns: Iterable[str], line: int | None = None) -> None:
    """Raises a ValueError if a column that will be used is there twice."""
    cleaned = [clean_name(name) for name in names]
    for name in columns:
        if cleaned.count(name) > 1:
            where = f"{path}, line {line}" if line else path
            raise ValueError(f"{where}: the column {name!r} is there {cleaned.count(name)} times; it must be once.")


def _reason(error: BaseException) -> str:
    """The first line of what is behind an error."""
    while error.__cause__ is not None:
        error = error.__cause__
    return (str(error) or type(error).__name__).strip().splitlines()[0]


# ---------------------------------------------------------------------------------------------------------- text


def _open_binary(path: File) -> BinaryIO:
    file = fsspec.open(str(path), "rb").open() if "://" in str(path) else Path(path).open("rb")  # noqa: SIM115
    return gzip.GzipFile(fileobj=file) if str(path).lower().endswith(".gz") else file


@contextmanager
def open_text(path: File, universal: bool = False) -> Iterator[TextIO]:
    """The file as text, without a byte order mark.

    Its lines end with a line feed, or, in a file without one, with a carriage return, and not at what `str.splitlines`
    also takes for an end, such as form feeds; with `universal` at either, as the csv module wants it.

    Raises:
        ValueError: what is read is not text in UTF-8 (the line and the byte are named), or a damaged .gz file.
    """
    try:
        with _open_binary(path) as file:
            beginning = file.read(_BLOCK)
            encoding, width = "utf-8-sig", 1
            if beginning.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
                encoding, width = "utf-16", 2
            mac = b"\r" in beginning and b"\n" not in beginning
            file.seek(0)
            newline = "" if universal else "\r" if mac else "\n"
            with io.TextIOWrapper(file, encoding=encoding, newline=newline) as text:
                yield text
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}, {_undecodable(path, width, error)}; {_ENCODINGS}.") from error
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise ValueError(f"{path}: a damaged .gz file ({error}).") from error


def _undecodable(path: File, width: int, error: UnicodeDecodeError) -> str:
    if width > 1:
        return f"a place that is not valid UTF-16 ({error.reason})"
    with _open_binary(path) as file:
        for number, line in enumerate(file, 1):
            try:
                line.decode()
            except UnicodeDecodeError as found:
                hint = "Windows' or Latin-1's letters are rewritten by iconv -f CP1252 -t UTF-8"
                byte = line[found.start]
                return f"line {number}: not valid UTF-8 (byte {found.start + 1} of the line is 0x{byte:02x}; {hint})"
    return f"not valid UTF-8 ({error.reason})"


def checked_lines(path: File, file: TextIO) -> Iterator[str]:
    """The lines with their ends; raises a ValueError at one with a NUL, which no text has."""
    for number, line in enumerate(file, 1):
        if "\0" in line:
            raise ValueError(f"{path}, line {number}: holds a NUL character, as no text does; {_ENCODINGS}.")
        yield line


def iterate_lines(path: File) -> Iterator[str]:
    """The lines of a text file. Raises a ValueError that names the line if it is not UTF-8."""
    with open_text(path) as file:
        for line in checked_lines(path, file):
            yield line.removesuffix("\n").removesuffix("\r")


def read_lines(path: File) -> list[str]:
    """As `iterate_lines`, all at once."""
    return list(iterate_lines(path))


def in_chunks(rows: Iterable) -> Iterator[list]:
    """Lists of `CHUNK_ROWS` rows at most; one at least, if an empty one."""
    rows = iter(rows)
    yield list(islice(rows, CHUNK_ROWS))
    while chunk := list(islice(rows, CHUNK_ROWS)):
        yield chunk


def is_json_array(path: File) -> bool:
    """Whether a JSON file holds one array, which can only be read as a whole, and not an object a line."""
    with open_text(path) as file:
        return is_array(file)


# --------------------------------------------------------------------------------------------------- csv and tsv


def _iterate_table(path: File, columns: Columns) -> Iterator[pa.Table]:
    rows = table_rows(path, columns)
    _, header = next(rows)
    for chunk in in_chunks(row for _, row in rows):
        # Not by their names: columns that are not used may share one.
        values = {name: [row[index] for row in chunk] for index, name in enumerate(header)}
        yield pa.table({name: pa.array(column, pa.string()) for name, column in values.items()})


def table_rows(path: File, columns: Columns) -> Iterator[tuple[int, list[str]]]:
    """The rows of a .csv or .tsv file with the line at which each begins: first the names of the columns.

    Not pandas, which turns the texts "NA", "null" and "12" into something else.

    Raises:
        ValueError: the file is empty or not well-formed, or has one of `columns` twice; the line is named.
    """
    # The module's limit of 131 072 characters to a field is one for all readers: it is only ever raised.
    csv.field_size_limit(max(csv.field_size_limit(), 2**31 - 1))
    quoted = extension(path) == ".csv"
    dialect = {"strict": True} if quoted else {"delimiter": "\t", "quoting": csv.QUOTE_NONE}
    with open_text(path, universal=True) as file:
        lines = checked_lines(path, file)
        first = next(lines, "")
        # Where a blank stands behind each comma, a quotation mark behind it begins a field all the same.
        dialect["skipinitialspace"] = quoted and ", " in first
        reader = csv.reader(_joined(first, lines), **dialect)
        header: list[str] = []
        begin = 1
        try:
            for row in reader:
                line, begin = begin, reader.line_num + 1
                if not row or not (header or any(map(clean_name, row))):
                    continue
                if not header:
                    header = _header(path, row, line, columns, "," if quoted else "\t")
                    yield line, header
                    continue
                if len(row) != len(header):
                    hint = "; a field with a comma must stand in quotation marks" if quoted else ""
                    raise ValueError(
                        f"{path}, line {line}: {len(row)} fields where the first line has {len(header)}{hint}."
                    )
                yield line, row
        except csv.Error as error:
            end = f" to {reader.line_num}" if reader.line_num > begin else ""
            raise ValueError(
                f"{path}, line {begin}{end}: not well-formed ({error}); a quotation mark at the beginning of a field "
                "must be closed at its end, and one within it be doubled."
            ) from error
        if not header:
            raise ValueError(f"{path}: the file is empty; it must begin with a line of column names.")


def _joined(first: str, lines: Iterator[str]) -> Iterator[str]:
    if first:
        yield first
        yield from lines


def _header(path: File, row: list[str], line: int, columns: Columns, separator: str) -> list[str]:
    check_twice(path, row, columns, line)
    names = [clean_name(name) for name in row]
    other = next((mark for mark in "\t;|," if mark in row[0]), None)
    if len(row) == 1 and names[0] not in columns and other is not None:
        raise ValueError(
            f"{path}, line {line}: the only column is {names[0]!r}; are its fields separated by {other!r}? A .csv "
            f"file's are by commas, a .tsv file's by tabs; here it is {separator!r}."
        )
    return names


# -------------------------------------------------------------------------------------------------------- places


def find_row(paths: Iterable[File], row: int, columns: Columns) -> str | None:
    """The file and line of a row, counted from 0 through all of `paths`, by reading them again."""
    for path in paths:
        if extension(path) == ".parquet":
            size = pq.read_metadata(path).num_rows
            if row < size:
                return f"{path}, row {row}"
            row -= size
            continue
        lines = _row_lines(path, columns)
        for line in islice(lines, row, None):
            return f"{path}, line {line}" if line is not None else f"{path}, row {row}"
        row -= sum(1 for _ in _row_lines(path, columns))
    return None


def _row_lines(path: File, columns: Columns) -> Iterator[int | None]:
    """The line of each row, which in an array of JSON is not known."""
    if extension(path) == ".txt":
        yield from (number for number, _ in enumerate(iterate_lines(path), 1))
    elif extension(path) in (".csv", ".tsv"):
        yield from islice((line for line, _ in table_rows(path, columns)), 1, None)
    else:
        with open_text(path) as file:
            yield from (line for line, _ in json_lines(path, file, columns))
