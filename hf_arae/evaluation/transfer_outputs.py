"""What systems wrote, a text for each source sentence: read from files, and taken from a table of several systems."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hf_arae.data.files import open_text, read_lines
from hf_arae.data.json_rows import json_lines

_JSON = (".jsonl", ".json")
_FRAME = frozenset(("<bos>", "<eos>", "<pad>"))


@dataclass
class SystemOutputs:
    """The outputs of one system.

    Args:
        system: its name in tables.
        outputs: texts.
        places: of each output, which transfer of the evaluation it is, counted from 0; no number twice.
        references: human texts for each output, if there are any.
    """

    system: str
    outputs: list[str]
    places: list[int]
    references: list[list[str]] | None = None

    @property
    def blank(self) -> int:
        """Number of outputs without a character that is seen."""
        return sum(not text.strip() for text in self.outputs)


@dataclass
class OutputsFile:
    """A file with one system's outputs: lines of text, or JSON rows with `output` and, to be checked, `source`.

    Args:
        system: the name that its row has.
        path: of the file, which ends in `.jsonl` (or `.json`) if it holds JSON.
        outputs: in the file's order; blank ones stay in their places.
        sources: as many, or `None` where the file has none.
    """

    system: str
    path: Path
    outputs: list[str]
    sources: list[str] | None = None

    def check(self, sources: Sequence[str]) -> list[str]:
        """Returns the outputs, one for each source sentence.

        Raises:
            ValueError: there are more or fewer than source sentences, the file names another source, or an output
                holds what marks a sentence's begin, end or padding.
        """
        if len(self.outputs) != len(sources):
            raise ValueError(
                f"{self.path} has {len(self.outputs)} outputs for {len(sources)} source sentences: it must have one "
                "for each, in their order; a blank line stands for an empty output"
            )
        for row, (theirs, ours) in enumerate(zip(self.sources or (), sources, strict=False)):
            if theirs.split() != ours.split():
                raise ValueError(
                    f"{self.path}, row {row}: its source is {theirs!r:.100}, and that of the data {ours!r:.100}: the "
                    "outputs must be in the order of the data's sentences"
                )
        for row, output in enumerate(self.outputs):
            if marks := _FRAME.intersection(output.split()):
                raise ValueError(
                    f"{self.path}, row {row}: the output holds {', '.join(sorted(marks))}, which is no word"
                )
        return self.outputs


def read_outputs_files(named: Iterable[str]) -> list[OutputsFile]:
    """Reads files that are given as `NAME=FILE`.

    Args:
        named: a name and a file each.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: a name or a file is missing or a name is there twice; a file holds nothing or cannot be read.
    """
    found: dict[str, OutputsFile] = {}
    for one in named:
        name, _, place = one.partition("=")
        if not name.strip() or not place.strip():
            raise ValueError(f"outputs are given as NAME=FILE, got {one!r}")
        if name in found:
            raise ValueError(f"two files of outputs have the name {name!r}")
        path = Path(place)
        if not path.is_file():
            raise FileNotFoundError(f"there is no file {place!r} with the outputs of {name}")
        found[name] = _read_json(name, path) if path.suffix in _JSON else OutputsFile(name, path, read_lines(path))
        if not found[name].outputs:
            raise ValueError(f"{path} is empty: it must have one output for each source sentence")
    return list(found.values())


def _read_json(name: str, path: Path) -> OutputsFile:
    with open_text(path) as file:
        rows = list(json_lines(path, file, {"output": "text"}))
    texts: dict[str, list[str]] = {"output": [], "source": []}
    for number, (line, row) in enumerate(rows):
        for key, values in texts.items():
            if key == "source" and key not in row:
                continue
            if not isinstance(row.get(key), str):
                where = f"row {number}" if line is None else f"line {line}"
                raise ValueError(f"{path}, {where}: {key!r} must be a text, got {row.get(key)!r:.60}")
            values.append(row[key])
    whole = len(texts["source"]) == len(texts["output"])
    return OutputsFile(name, path, texts["output"], texts["source"] if whole else None)


def published_outputs(
    rows: Mapping[str, Sequence[Any]], sources: Sequence[str], labels: Sequence[int]
) -> list[SystemOutputs]:
    """Outputs of earlier systems, from the columns `system`, `source`, `label` (of the source) and `output`.

    Systems whose names begin with "human" are left out, as they are the references again, and so are outputs of
    sentences that are not measured. A system may lack some.

    Args:
        rows: the columns.
        sources, labels: of the evaluation.

    Raises:
        ValueError: a column is missing, or no system has an output of a sentence that is measured.
    """
    names = ("system", "source", "label", "output")
    if missing := [name for name in names if name not in rows]:
        raise ValueError(
            f"outputs of other systems need the columns {', '.join(names)}; missing: {', '.join(missing)}"
        )
    places: dict[tuple[str, int], list[int]] = defaultdict(list)
    for place, pair in enumerate(zip(sources, labels, strict=True)):
        places[pair].append(place)
    systems: dict[str, SystemOutputs] = {}
    used: dict[tuple[str, str, int], int] = defaultdict(int)
    for name, source, label, output in zip(
        *(rows[key] for key in ("system", "source", "label", "output")), strict=True
    ):
        if name.lower().startswith("human"):
            continue
        number, known = used[name, source, label], places.get((source, label), [])
        if number >= len(known):
            continue
        used[name, source, label] += 1
        system = systems.setdefault(name, SystemOutputs(name, [], []))
        system.outputs.append(output)
        system.places.append(known[number])
    if not systems:
        raise ValueError(
            f"none of the {len(rows['source'])} outputs of other systems is of a sentence that is measured"
        )
    return list(systems.values())
