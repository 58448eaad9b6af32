"""Users' own files of labelled text: written, read, and streamed."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from datasets import Dataset, DatasetDict

from hf_arae.data.loading import DataArguments, load_labelled_text
from hf_arae.data.streaming import load_text_stream


def write(path: Path, content: bytes | str | pa.Table | pd.DataFrame | list[dict]) -> str:
    """Writes rows as JSON lines, tables as parquet, and anything else as it is; returns the path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(content, pd.DataFrame):
        content.to_parquet(path)
    elif isinstance(content, pa.Table):
        pq.write_table(content, path)
    elif isinstance(content, list):
        path.write_text("".join(json.dumps(row) + "\n" for row in content))
    else:
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return str(path)


def load(label_required: bool = True, **arguments) -> DatasetDict:
    return load_labelled_text(DataArguments(**arguments), label_required)


def stream(**arguments) -> DatasetDict:
    """What is held of a stream, with all of its training rows in the order of the stream."""
    opened, data = load_text_stream(DataArguments(**arguments), 1000)
    labels = dict(zip(data["train"]["text"], data["train"]["label"], strict=True))
    texts = [text for some, _ in opened.texts() for text in some if text in labels]
    features = data["train"].features
    rows = {"text": texts, "label": [labels[text] for text in texts]}
    return DatasetDict({**data, "train": Dataset.from_dict(rows, features=features)})
