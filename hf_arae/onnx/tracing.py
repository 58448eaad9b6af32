"""Modules written as ONNX graphs, and what an exported folder holds beside them."""

from __future__ import annotations

import os
import warnings
from pathlib import Path

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from hf_arae.utils.extras import import_extra

OPSET = 17


def check_opset(opset: int) -> None:
    """Raises ValueError for a version of ONNX's operators that is not written."""
    if not 13 <= opset <= 20:
        raise ValueError(f"opset must lie in 13..20, got {opset}")


def check_folder(folder: str | os.PathLike) -> Path:
    """Returns the folder of an export; raises ValueError if it holds a checkpoint."""
    folder = Path(folder)
    if (folder / "model.safetensors").exists():
        raise ValueError(f"{folder} holds a checkpoint, whose config.json would be overwritten: try {folder / 'onnx'}")
    return folder


def save_config(model: PreTrainedModel, folder: Path) -> None:
    """Writes the config of a model that is exported, and was copied for it, without what is the checkpoint's alone."""
    for name in ("auto_map", "custom_pipelines"):  # the code of the checkpoint, which is not here
        vars(model.config).pop(name, None)
    model.config.dtype = None
    model.config.save_pretrained(folder)


def trace(
    module: nn.Module,
    arguments: tuple[Tensor, ...],
    file: Path,
    inputs: dict[str, tuple[str, ...]],
    outputs: dict[str, tuple[str, ...]],
    opset: int,
) -> None:
    """Writes a graph by torch's tracer.

    Args:
        module: what is written, in evaluation mode.
        arguments: of its call.
        file: the graph's file.
        inputs, outputs: names of their leading dimensions, "" for those that are fixed.
        opset: ONNX's version of operators.
    """
    free = {
        name: {place: label for place, label in enumerate(axes) if label} for name, axes in (inputs | outputs).items()
    }
    with warnings.catch_warnings():
        # This exporter is the older one and says so. It warns of sizes that torch checks, which are fixed ones, and of
        # zero states of a fixed number of rows, which an LSTM without given ones does not have.
        warnings.simplefilter("ignore", DeprecationWarning)
        warnings.simplefilter("ignore", torch.jit.TracerWarning)
        warnings.filterwarnings("ignore", "Exporting a model to ONNX with a batch_size other than 1", UserWarning)
        torch.onnx.export(
            module.eval(),  # the exporter puts a module back, with all its parts, into the mode that it was in
            arguments,
            str(file),
            input_names=list(inputs),
            output_names=list(outputs),
            dynamic_axes=free,
            opset_version=opset,
            dynamo=False,
        )
    _name_widths(file, [value.shape for value in _as_tuple(module(*arguments))], list(outputs.values()))


def _name_widths(file: Path, shapes: list[torch.Size], free: list[tuple[str, ...]]) -> None:
    """Writes down the fixed dimensions of a graph's outputs, some of which the tracer does not see."""
    onnx = import_extra("onnx", "onnx")
    graph = onnx.load(file)
    for output, shape, names in zip(graph.graph.output, shapes, free, strict=True):
        for place, (part, size) in enumerate(zip(output.type.tensor_type.shape.dim, shape, strict=True)):
            if place >= len(names) or not names[place]:
                part.dim_value = size
    onnx.save(graph, file)


def _as_tuple(values: Tensor | tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    return values if isinstance(values, tuple) else (values,)


__all__ = ["OPSET", "check_folder", "check_opset", "save_config", "trace"]
