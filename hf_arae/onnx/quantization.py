"""Weights of an exported graph in 8 bits."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np

from hf_arae.utils.extras import import_extra


def quantize(file: Path) -> None:
    """Replaces a graph by one with 8-bit weights of matrix products, LSTMs and tables, one scale a column.

    Products get their inputs' scale as they run ("dynamic quantization"). The words' log-odds stay: which words are
    masked must not change.

    Args:
        file: the graph's file.

    Raises:
        ImportError: onnx or onnxruntime is not installed.
    """
    onnx, tools = import_extra("onnx", "onnx"), import_extra("onnxruntime.quantization", "onnx")
    graph = onnx.load(file)
    _part_tied_tables(graph)
    kept = [node.name for node in graph.graph.node if any(name.endswith("attribute_log_odds") for name in node.input)]
    log = logging.getLogger()
    level = log.level
    log.setLevel(logging.ERROR)  # it advises, on the root logger, to optimize graphs first; these gain nothing by it
    try:
        tools.quantize_dynamic(
            graph, str(file), nodes_to_exclude=kept, per_channel=True, weight_type=tools.QuantType.QInt8
        )
    finally:
        log.setLevel(level)


def _part_tied_tables(model) -> None:
    """Gives each product of the form `x @ table.T` a table of its own, transposed.

    An embedding table may be the output projection too. The quantizer transposes such a table for the product, and
    the look-up of embeddings would then read the transposed one.
    """
    numpy_helper = import_extra("onnx.numpy_helper", "onnx")
    tables = {tensor.name: tensor for tensor in model.graph.initializer}
    looked_up = {node.input[0] for node in model.graph.node if node.op_type == "Gather"}
    for node in model.graph.node:
        if node.op_type != "Gemm" or node.input[1] not in looked_up & set(tables):
            continue
        table = np.ascontiguousarray(numpy_helper.to_array(tables[node.input[1]]).T)
        node.input[1] += "_transposed"
        model.graph.initializer.append(numpy_helper.from_array(table, node.input[1]))
        for attribute in node.attribute:
            if attribute.name == "transB":
                attribute.i = 0
