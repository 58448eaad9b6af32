"""Rows of JSON files, which hold an array of objects or one object a line, checked value by value."""

from __future__ import annotations

import json
import math
import reprlib
from collections.abc import Iterator, Mapping
from contextlib import suppress
from itertools import chain
from typing import Any, TextIO

import pyarrow as pa

from hf_arae.data.labels import clean_name, label_name

_SHAPES = "an array of objects or one object a line"
_KINDS = {str: "str", int: "number", float: "number", bool: "bool"}


class _Object(dict):
    """An object, with the names that it has more than once."""

    twice: tuple[str, ...] = ()


def _object(pairs: list[tuple[str, Any]]) -> _Object:
    """With clean names. As a hook of the parser it takes three times as long as without."""
    made = _Object((clean_name(name), value) for name, value in pairs)
    if len(made) < len(pairs):
        names = [clean_name(name) for name, _ in pairs]
        made.twice = tuple(name for name in made if names.count(name) > 1)
    return made


def is_array(file: TextIO) -> bool:
    """Whether the file holds one array, which can only be read as a whole. Reads as far as its first mark."""
    return next((line.lstrip()[0] for line in file if line.strip()), "") == "["


def json_lines(path: Any, file: TextIO, columns: Mapping[str, str]) -> Iterator[tuple[int | None, dict]]:
    """The objects, each with its line; in an array, which need not have a line for each, with None.

    Raises:
        ValueError: what is not JSON or another shape, or an object with one of `columns` twice; the line is named.
    """
    whole = is_array(file)
    file.seek(0)
    parsed = _parsed(path, file, whole, [f'"{name}"' for name in columns])
    clean: set[str] = set()
    for number, (line, row) in enumerate(chain.from_iterable(parsed) if whole else parsed):
        if not isinstance(row, dict):
            raise ValueError(f"{_place(path, line, number)}: {type(row).__name__}; accepted is {_SHAPES}.")
        if not row.keys() <= clean:
            if not isinstance(row, _Object):
                row = _object(list(row.items()))
            clean.update(row)
        for name in getattr(row, "twice", ()):
            if name in columns:
                raise ValueError(f"{_place(path, line, number)}: the key {name!r} is there twice; it must be once.")
        yield line, row


def _place(path: Any, line: int | None, row: int) -> str:
    return f"{path}, row {row}" if line is None else f"{path}, line {line}, row {row}"


def _parsed(path: Any, file: TextIO, whole: bool, keys: list[str]) -> Iterator:
    for line, part in enumerate([file.read()] if whole else file, 1):
        if not part.strip():
            continue
        try:
            repeated = whole or any(part.count(key) > 1 for key in keys)
            value = json.loads(part, object_pairs_hook=_object if repeated else None)
        except json.JSONDecodeError as error:
            line = error.lineno if whole else line
            raise ValueError(f"{path}, line {line}: not JSON ({error.msg}); accepted is {_SHAPES}.") from error
        except RecursionError as error:
            where = path if whole else f"{path}, line {line}"
            raise ValueError(f"{where}: nested too deep; accepted is {_SHAPES}.") from error
        except ValueError as error:  # a number of more digits than Python reads
            where = path if whole else f"{path}, line {line}"
            raise ValueError(f"{where}: a number cannot be read ({error}).") from error
        yield [(None, row) for row in value] if whole else (line, value)


def texts_of(value: Any) -> list[str] | None:
    """A list of texts, or one text, or SQuAD's object with such a list as `text`; `None` for anything else."""
    value = value.get("text") if isinstance(value, dict) else value
    value = [value] if isinstance(value, str) else value
    if not isinstance(value, list) or not all(isinstance(text, str) for text in value):
        return None
    return value


class JsonColumns:
    """Makes tables of rows and checks that all values of a column, through all tables, are of one kind."""

    def __init__(self, path: Any, columns: Mapping[str, str]):
        self.path, self.columns = path, columns
        self.kinds: dict[str, str] = {}
        self.first = 0

    def table(self, rows: list[tuple[int | None, dict]]) -> pa.Table:
        """The next rows as a table: texts and labels as strings, other columns as None, for their names.

        Raises:
            ValueError: a value of another type, or of another one than those before it, or half of a surrogate pair;
                the line or row is named.
        """
        made: dict[str, pa.Array] = {}
        for name in dict.fromkeys(name for _, row in rows for name in row):
            made[name] = pa.nulls(len(rows))
            if name in self.columns:
                made[name] = self._column(name, rows)
        self.first += len(rows)
        return pa.table(made)

    def _column(self, name: str, rows: list[tuple[int | None, dict]]) -> pa.Array:
        values = [row.get(name) for _, row in rows]
        if self.columns[name] == "texts":
            found = [self._texts(name, value, rows[at][0], at) for at, value in enumerate(values)]
            return pa.array(found, pa.list_(pa.string()))
        if set(map(type, values)) == {str} and self.kinds.setdefault(name, "str") == "str":
            with suppress(UnicodeEncodeError):  # is located below
                return pa.array(values, pa.string())
        values = [self._value(name, value, rows[at][0], at) for at, value in enumerate(values)]
        return pa.array(values, pa.string() if name in self.kinds else pa.null())

    def _texts(self, name: str, value: Any, line: int | None, at: int) -> list[str] | None:
        texts = texts_of(value)
        if texts is None and value is not None:
            accepted = "accepted is a text, a list of texts, or an object with such a list as text"
            raise ValueError(f"{self._where(name, line, at)}: found {reprlib.repr(value)}; {accepted}.")
        return texts

    def _value(self, name: str, value: Any, line: int | None, at: int) -> str | None:
        try:
            return self._checked(name, value, line, at)
        except ValueError:
            if self.columns[name] == "optional":
                return None
            raise

    def _checked(self, name: str, value: Any, line: int | None, at: int) -> str | None:
        if value is None or (isinstance(value, float) and math.isnan(value)):
            return None
        label = self.columns[name] != "text"
        kind = _KINDS.get(type(value))
        if kind is None or (kind != "str" and not label):
            accepted = "a string, a number or a truth value" if label else "only str"
            raise ValueError(f"{self._where(name, line, at)}: found {reprlib.repr(value)}; accepted is {accepted}.")
        before = self.kinds.setdefault(name, kind)
        if kind != before:
            raise ValueError(
                f"{self._where(name, line, at)}: found {reprlib.repr(value)}, where the values before are of type "
                f"{before}; labels must be of one type."
            )
        if kind != "str":
            try:
                return label_name(value)
            except ValueError as error:
                raise ValueError(f"{self._where(name, line, at)}: {error}.") from error
        try:
            value.encode()
        except UnicodeEncodeError as error:
            raise ValueError(
                f"{self._where(name, line, at)}: holds half of a surrogate pair (\\u{ord(value[error.start]):04x}), "
                "which is no character."
            ) from error
        return value

    def _where(self, name: str, line: int | None, at: int) -> str:
        place = "" if line is None else f", line {line}"
        return f"{self.path}{place}, column {name!r}, row {self.first + at}"
