"""Looks through the weights of a graph for numbers that are not finite.

onnxruntime does not look, and what it computes does not tell: its tanh makes a number of NaN. The package onnx, which
could read the file, is not needed to run a model: hence the few lines on how protocol buffers are written.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

# Numbers of fields in ONNX's onnx.proto: ModelProto.graph, GraphProto.initializer, and TensorProto's.
_GRAPH, _INITIALIZER = 7, 5
_DATA_TYPE, _FLOATS, _NAME, _RAW = 2, 4, 8, 9
_TYPES = {1: np.dtype("<f4"), 10: np.dtype("<f2"), 11: np.dtype("<f8")}


def check_weights(path: Path) -> None:
    """Raises ValueError for a graph of which a weight is NaN or infinite; the file and the tensor are named.

    Args:
        path: a graph that onnxruntime has opened, so that it is known to be whole.
    """
    for graph in _all(memoryview(path.read_bytes()), _GRAPH):
        for tensor in _all(graph, _INITIALIZER):
            parts = dict(_fields(tensor))
            numbers = np.frombuffer(parts.get(_FLOATS, b""), "<f4")
            if _RAW in parts and parts.get(_DATA_TYPE) in _TYPES:
                numbers = np.frombuffer(parts[_RAW], _TYPES[parts[_DATA_TYPE]])
            if not np.isfinite(numbers).all():
                name = bytes(parts.get(_NAME, b"")).decode(errors="replace")
                raise ValueError(f"the weights of {path} are not all finite: see the tensor {name}")


def _all(message: memoryview, number: int) -> Iterator[memoryview]:
    return (value for field, value in _fields(message) if field == number)


def _fields(message: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """The fields of a message: their numbers, with an integer or the bytes."""
    place = 0
    while place < len(message):
        key, place = _integer(message, place)
        kind = key & 7
        if kind == 0:
            value, place = _integer(message, place)
        else:
            size, place = _integer(message, place) if kind == 2 else ({1: 8, 5: 4}[kind], place)
            value, place = message[place : place + size], place + size
        yield key >> 3, value


def _integer(message: memoryview, place: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = message[place]
        value, shift, place = value | (byte & 127) << shift, shift + 7, place + 1
        if byte < 128:
            return value, place


__all__ = ["check_weights"]
