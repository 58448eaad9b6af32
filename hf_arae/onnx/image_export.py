"""Classifiers of images written as an ONNX graph, and compared with it."""

from __future__ import annotations

import copy
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from hf_arae.models.images.image_model import ImageModel
from hf_arae.onnx.image_runtime import OnnxImageClassifier
from hf_arae.onnx.layout import CLASSIFIER
from hf_arae.onnx.tracing import OPSET, check_folder, check_opset, save_config, trace
from hf_arae.utils.extras import import_extra


class _Classifier(nn.Module):
    def __init__(self, model: PreTrainedModel):
        super().__init__()
        self.model = model

    def forward(self, pixel_values: Tensor) -> Tensor:
        return self.model(pixel_values).logits


def export_image_classifier(
    model: PreTrainedModel, folder: str | os.PathLike, image_processor: Any | None = None, opset: int = OPSET
) -> Path:
    """Writes a classifier of images as a folder that `OnnxImageClassifier` opens; see [`~hf_arae.onnx.layout`].

    The number of images stays free. A stacked what-where autoencoder is written as its ConvNet and classifier alone.

    Args:
        model: of any family that learns labels of images. It is written in float32 and evaluation mode, and stays as
            it is.
        folder: made if it does not exist. The graph of an earlier export in it is replaced.
        image_processor: saved beside the graph; without it, the folder works on pixel values alone.
        opset: ONNX's version of operators; 13 to 20.

    Returns:
        The graph's file.

    Raises:
        ImportError: onnx is not installed.
        ValueError: another model; the folder holds a checkpoint, whose config would be overwritten; `opset` is out of
            range; the image processor is not the model's.
    """
    import_extra("onnx", "onnx")
    if not isinstance(model, ImageModel) or "AutoModelForImageClassification" not in model.auto_classes:
        raise ValueError(
            f"a {type(model).__name__} is no classifier of images. Accepted: what "
            "AutoModelForImageClassification loads, such as a SwwaeForImageClassification"
        )
    check_opset(opset)
    if image_processor is not None:
        model.check_processor(image_processor)
    folder = check_folder(folder)
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / CLASSIFIER
    file.unlink(missing_ok=True)
    model = copy.deepcopy(model).to("cpu", torch.float32).eval()
    images = model.example_inputs["pixel_values"]
    with torch.no_grad():
        trace(_Classifier(model), (images,), file, {"pixel_values": ("batch",)}, {"logits": ("batch",)}, opset)
    save_config(model, folder)
    if image_processor is not None:
        image_processor.save_pretrained(folder)
    return file


@dataclass(frozen=True)
class ImageExportCheck:
    """How far an exported classifier is from its model.

    Args:
        logit_difference: largest absolute difference of a logit.
        equal_labels: share of images to which both give the same label.
        images: their number.
    """

    logit_difference: float
    equal_labels: float
    images: int


@torch.no_grad()
def check_image_export(
    model: PreTrainedModel,
    image_processor: Any,
    folder: str | os.PathLike,
    images: Sequence[np.ndarray],
    num_threads: int | None = None,
) -> ImageExportCheck:
    """Compares an exported folder with its model, on pictures, which each reads by its own means.

    Args:
        model: the model, in float32 and evaluation mode.
        image_processor: its image processor.
        folder: what `export_image_classifier` wrote, image processor included.
        images: pictures of any size, at least one.
        num_threads: of onnxruntime.
    """
    exported = OnnxImageClassifier.from_pretrained(folder, num_threads=num_threads)
    pixels = image_processor(images=list(images), return_tensors="pt")["pixel_values"]
    wanted = model(pixels.to(model.device, model.dtype)).logits.cpu().numpy()
    found = exported.logits(exported.pixel_values(list(images)))
    return ImageExportCheck(
        float(np.abs(wanted - found).max()), float((wanted.argmax(1) == found.argmax(1)).mean()), len(found)
    )


__all__ = ["ImageExportCheck", "check_image_export", "export_image_classifier"]
