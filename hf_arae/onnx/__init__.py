"""Text autoencoders and classifiers of images in ONNX: the export, and a runtime without torch and transformers.

`python -m hf_arae.onnx --model MODEL --output_dir FOLDER` exports. Where torch is not installed, this package can be
imported all the same; where it is, importing `hf_arae` loads it.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

_MODULES = {
    "OnnxImageClassifier": "hf_arae.onnx.image_runtime",
    "OnnxLatentModel": "hf_arae.onnx.latent",
    "OnnxStyleTransfer": "hf_arae.onnx.style_transfer",
    "OnnxTextAutoencoder": "hf_arae.onnx.runtime",
    "export_image_classifier": "hf_arae.onnx.image_export",
    "export_onnx": "hf_arae.onnx.export",
}

if TYPE_CHECKING:
    from hf_arae.onnx.export import export_onnx
    from hf_arae.onnx.image_export import export_image_classifier
    from hf_arae.onnx.image_runtime import OnnxImageClassifier
    from hf_arae.onnx.latent import OnnxLatentModel
    from hf_arae.onnx.runtime import OnnxTextAutoencoder
    from hf_arae.onnx.style_transfer import OnnxStyleTransfer

__all__ = [
    "OnnxImageClassifier",
    "OnnxLatentModel",
    "OnnxStyleTransfer",
    "OnnxTextAutoencoder",
    "export_image_classifier",
    "export_onnx",
]


def __getattr__(name: str):
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(_MODULES[name]), name)
    return value
