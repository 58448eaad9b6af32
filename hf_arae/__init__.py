"""Autoencoders of text and images with a smooth latent space, and energy-based GANs, native to Hugging Face.

Importing the package registers its models and pipelines: plain `AutoModel.from_pretrained` and
`pipeline("text-style-transfer", ...)` then know them.

Configs, models and objectives of every family are names of the package, such as `hf_arae.AraeModel`; they are what the
families' own files list, see `hf_arae.models.auto`. All names are imported when they are asked for: who only runs a
model does not wait for training and data.
"""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec

from hf_arae.models.auto import modules_of_names
from hf_arae.utils.version import VERSION

__version__ = VERSION

_MODULES = {
    "AraeImageProcessor": "hf_arae.models.images.image_processing",
    "GraphMixer": "hf_arae.nn.graph_mixer",
    "ImageAnomalyDetectionPipeline": "hf_arae.pipelines.image_anomaly_detection",
    "ImageArrays": "hf_arae.data.images.image_arrays",
    "ImageDataArguments": "hf_arae.data.images.loading",
    "LabelledImages": "hf_arae.data.images.labelled_images",
    "LatentSpace": "hf_arae.latent.space",
    "Objective": "hf_arae.training.objective",
    "Phase": "hf_arae.training.objective",
    "PhaseTrainer": "hf_arae.training.trainer",
    "TextStyleTransferPipeline": "hf_arae.pipelines.text_style_transfer",
    "TextSummarizationPipeline": "hf_arae.pipelines.text_summarization",
    "TokenArrays": "hf_arae.data.text.token_arrays",
    "TrainingArguments": "hf_arae.training.arguments",
    "TrainingCallback": "hf_arae.training.callbacks",
    "UnconditionalImageGenerationPipeline": "hf_arae.pipelines.unconditional_image_generation",
    "attach_graphs": "hf_arae.models.glomo.attaching",
    "detach_graphs": "hf_arae.models.glomo.attaching",
    "load_attached": "hf_arae.models.glomo.attached_files",
    "load_images": "hf_arae.data.images.loading",
    "save_attached": "hf_arae.models.glomo.attached_files",
    "train_tokenizer": "hf_arae.data.text.tokenization",
} | modules_of_names()

__all__ = sorted([*_MODULES, "__version__"])


def __getattr__(name: str):
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(_MODULES[name]), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def _register() -> None:
    import_module("hf_arae.models.auto").register()
    import_module("hf_arae.pipelines.auto").register()


if find_spec("torch") is not None:  # hf_arae.onnx runs exported models without it
    _register()
