"""Short names of data, which differ where the data do."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
from datasets import Dataset


def digest(*parts: Any) -> str:
    """A short name of some bytes or arrays."""
    total = hashlib.sha256()
    for part in parts:
        total.update(part)
    return total.hexdigest()[:16]


def digest_rows(dataset: Dataset) -> str:
    """A short name of what a dataset's rows hold, and of their order."""
    total = hashlib.sha256()
    rows = dataset.with_format("arrow")
    for name in sorted(dataset.column_names):
        total.update(name.encode())
        for batch in rows.select_columns(name).iter(10_000):
            for part in _bytes_of(batch[name].combine_chunks()):
                total.update(part)
    return total.hexdigest()[:16]


def _bytes_of(column: pa.Array) -> Iterator[bytes]:
    """What a column holds, however it lies in memory."""
    kind = column.type
    if column.null_count == 0 and (pa.types.is_list(kind) or pa.types.is_large_list(kind)):
        yield column.value_lengths().to_numpy(zero_copy_only=False).astype(np.int64).tobytes()
        yield from _bytes_of(column.flatten())
    elif column.null_count == 0 and (pa.types.is_integer(kind) or pa.types.is_floating(kind)):
        yield column.to_numpy(zero_copy_only=False).tobytes()
    else:
        yield repr(column.to_pylist()).encode(errors="surrogatepass")
