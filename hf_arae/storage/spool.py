"""Results of a long pass over rows, kept on the disk so that a pass that was killed goes on where it was."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from transformers.utils import SAFE_WEIGHTS_NAME

from hf_arae.storage.files import sync
from hf_arae.storage.json_numbers import to_json


class Spool:
    """A file of JSON lines: first what the pass is of, then a result a row, in the order of the rows.

    Results come by whole chunks, so that a pass that goes on works on the same chunks as one that was never killed.
    What a kill has left of a chunk is dropped.

    Args:
        path: the file; it is made if it does not exist.
        settings: names and JSON values that tell this pass from others.
        chunk_rows: results of each chunk but the last one.

    Attributes:
        rows: how many results there are.

    Raises:
        ValueError: the file is of a pass with other settings; they are named. Or it is no such file.
    """

    def __init__(self, path: Path, settings: dict[str, Any], chunk_rows: int):
        self.path, self.chunk_rows, self.rows = path, chunk_rows, 0
        settings = json.loads(to_json(settings | {"chunk_rows": chunk_rows}))
        if path.exists() and path.stat().st_size and self._go_on(settings, chunk_rows):
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(to_json({"pass": settings}) + "\n", encoding="utf-8")
        sync(path)

    def _go_on(self, settings: dict[str, Any], chunk_rows: int) -> bool:
        with self.path.open("rb") as file:
            first = file.readline()
            if not first.endswith(b"\n"):
                return False  # killed at once
            try:
                theirs = json.loads(first)["pass"]
            except (ValueError, TypeError, KeyError):
                raise ValueError(f"{self.path} is no file of unfinished results: remove it or rename it") from None
            if theirs != settings:
                names = [name for name in {**theirs, **settings} if theirs.get(name) != settings.get(name)]
                changed = "; ".join(f"{name} was {theirs.get(name)!r}, is {settings.get(name)!r}" for name in names)
                raise ValueError(
                    f"{self.path} has the unfinished results of another run ({changed}): repeat that run, or remove "
                    "the file to begin anew"
                )
            rows, whole, end = 0, 0, file.tell()
            for line in file:
                rows += line.endswith(b"\n")
                if rows % chunk_rows == 0 and line.endswith(b"\n"):
                    whole, end = rows, file.tell()
        os.truncate(self.path, end)
        self.rows = whole
        return True

    def append(self, results: Sequence[dict[str, Any]]) -> None:
        """Adds a chunk, which is on the disk when this returns."""
        with self.path.open("a", encoding="utf-8") as file:
            file.writelines(to_json(result, ensure_ascii=False) + "\n" for result in results)
            file.flush()
            os.fsync(file.fileno())
        self.rows += len(results)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        with self.path.open(encoding="utf-8", newline="\n") as file:
            next(file)
            yield from map(json.loads, file)

    def remove(self) -> None:
        """Deletes the file."""
        self.path.unlink(missing_ok=True)


def weights_state(model: str | os.PathLike) -> list[int] | None:
    """What tells the weights of a folder from others that take their place; `None` of what is no folder."""
    file = Path(model, SAFE_WEIGHTS_NAME)
    return [file.stat().st_size, file.stat().st_mtime_ns] if file.is_file() else None


__all__ = ["Spool", "weights_state"]
