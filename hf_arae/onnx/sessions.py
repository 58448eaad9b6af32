"""onnxruntime's sessions of an exported folder, and checks of what goes in."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from hf_arae.onnx.layout import ENCODER, GENERATOR, fetched
from hf_arae.onnx.weights import check_weights
from hf_arae.utils.extras import import_extra

Opened = TypeVar("Opened", bound="OpenedFolder")


class OpenedFolder:
    """Base of what runs an exported folder.

    Args:
        folder: the folder.
        arguments: with which it was opened, of the subclass.
    """

    def __init__(self, folder: str | os.PathLike, **arguments: Any):
        self._opened = {"folder": Path(folder).absolute(), **arguments}

    def __reduce__(self) -> tuple:
        """Copies, and what is sent to another process, open the files again: a session cannot be copied."""
        return _opened_again, (type(self), self._opened)

    @classmethod
    def from_pretrained(
        cls: type[Opened],
        folder: str | os.PathLike,
        revision: str | None = None,
        subfolder: str = "",
        **arguments: Any,
    ) -> Opened:
        """Opens an exported folder, or a repository of the Hub that holds one.

        Args:
            folder: folder or Hub id.
            revision: branch, tag or commit of the repository.
            subfolder: where in the folder or repository the files are.
            arguments: `providers`, `num_threads` and `batch_size`, see the class.
        """
        return cls(fetched(folder, revision, subfolder), **arguments)


def _opened_again(kind: type[OpenedFolder], arguments: dict[str, Any]) -> OpenedFolder:
    return kind(**arguments)


def open_sessions(
    folder: Path, names: Sequence[str], config: Any, providers: Sequence[str] | None, num_threads: int | None
) -> dict[str, Any]:
    """Opens the graphs of a folder and checks that they are the config's.

    Args:
        folder: holds the files.
        names: of the files.
        config: `code_size`, `vocab_size`, `num_attributes`, and `latent_size` for a generator.
        providers, num_threads: see `OnnxTextAutoencoder`.

    Returns:
        Sessions by file name.

    Raises:
        ImportError: onnxruntime is not installed.
        ValueError: a provider is not available; `num_threads` is below 1; a file is no ONNX graph, or another one, or
            has weights that are not finite.
    """
    sessions = {}
    for name in names:
        sessions[name] = open_session(folder / name, providers, num_threads)
        _check_graph(folder / name, sessions[name], config)
        check_weights(folder / name)
    return sessions


def open_session(path: Path, providers: Sequence[str] | None, num_threads: int | None) -> Any:
    """Opens a graph, whatever it computes.

    Raises:
        ImportError: onnxruntime is not installed.
        ValueError: a provider is not available; `num_threads` is below 1; the file is no ONNX graph.
    """
    runtime = import_extra("onnxruntime", "onnx")
    providers = ["CPUExecutionProvider"] if providers is None else list(providers)
    unknown = [name for name in providers if name not in runtime.get_available_providers()]
    if unknown or not providers:
        available = ", ".join(runtime.get_available_providers())
        raise ValueError(f"providers must be some of {available}; got {providers}")
    if num_threads is not None and num_threads < 1:
        raise ValueError(f"num_threads must be at least 1, got {num_threads}")
    options = runtime.SessionOptions()
    options.inter_op_num_threads = 1
    if num_threads is not None:
        options.intra_op_num_threads = num_threads
    try:
        return runtime.InferenceSession(str(path), options, providers=providers)
    except Exception as error:  # onnxruntime's own classes have no common base
        raise ValueError(f"onnxruntime {runtime.__version__} cannot open {path}: {error}") from error


def _check_graph(path: Path, session: Any, config: Any) -> None:
    inputs = {part.name: part.shape[-1] for part in session.get_inputs()}
    outputs = {part.name: part.shape[-1] for part in session.get_outputs()}
    wanted = {"codes": config.code_size}
    if path.name == ENCODER:
        expected = {"input_ids": inputs.get("input_ids"), "attention_mask": inputs.get("attention_mask")}
        if "attribute_scores" in outputs:
            wanted["attribute_scores"] = config.num_attributes
    elif path.name == GENERATOR:
        expected = {"z": config.latent_size}
    else:
        size = inputs.get("hidden")
        expected = {"token": inputs.get("token"), "code": config.code_size, "hidden": size, "memory": size}
        wanted = {"logits": config.vocab_size, "new_hidden": size, "new_memory": size}
    if inputs != expected or outputs != wanted:
        raise ValueError(
            f"{path} does not belong to its config.json: its inputs and outputs, with their widths, are "
            f"{inputs} -> {outputs}; expected {expected} -> {wanted}"
        )


def check_values(name: str, values: Any, width: int) -> np.ndarray:
    """Rows of numbers as float32.

    Raises:
        ValueError: the shape is not `(rows, width)`, or a value is no finite floating-point number.
    """
    values = np.asarray(values)
    if values.ndim != 2 or values.shape[1] != width:
        raise ValueError(f"{name} must have the shape (rows, {width}), got {values.shape}")
    if not np.issubdtype(values.dtype, np.floating):
        raise ValueError(f"{name} must hold floating-point numbers, got {values.dtype}")
    if not np.isfinite(values).all():
        row = int(np.flatnonzero(~np.isfinite(values).all(1))[0])
        raise ValueError(f"{name} holds a value that is not finite, in row {row}")
    return np.ascontiguousarray(values, dtype=np.float32)
