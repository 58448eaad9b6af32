"""Text autoencoders with a smooth latent space, native to Hugging Face.

Importing the package registers its models and pipelines: plain `AutoModel.from_pretrained` and
`pipeline("text-style-transfer", ...)` then know them.
"""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING

__version__ = "0.1.0"

# Training and data are imported when they are asked for: who only runs a model does not wait for them.
_MODULES = {
    "AaeConfig": "hf_arae.models.aae.configuration_aae",
    "AaeModel": "hf_arae.models.aae.modeling_aae",
    "AaeObjective": "hf_arae.models.aae.objective_aae",
    "AaeObjectiveArguments": "hf_arae.models.aae.objective_aae",
    "PhaseTrainer": "hf_arae.training.trainer",
    "AraeConfig": "hf_arae.models.arae.configuration_arae",
    "AraeForSequenceClassification": "hf_arae.models.arae.modeling_arae",
    "AraeModel": "hf_arae.models.arae.modeling_arae",
    "AraeObjective": "hf_arae.models.arae.objective_arae",
    "AraeObjectiveArguments": "hf_arae.models.arae.objective_arae",
    "AraePairObjective": "hf_arae.models.arae.objective_pairs",
    "AraePairObjectiveArguments": "hf_arae.models.arae.objective_pairs",
    "LatentSpace": "hf_arae.latent.space",
    "Objective": "hf_arae.training.objective",
    "Phase": "hf_arae.training.objective",
    "RnnLmConfig": "hf_arae.models.rnn_lm.configuration_rnn_lm",
    "RnnLmForCausalLM": "hf_arae.models.rnn_lm.modeling_rnn_lm",
    "TextStyleTransferPipeline": "hf_arae.pipelines.text_style_transfer",
    "TextSummarizationPipeline": "hf_arae.pipelines.text_summarization",
    "TrainingArguments": "hf_arae.training.arguments",
    "UrsaeConfig": "hf_arae.models.ursae.configuration_ursae",
    "UrsaeForConditionalGeneration": "hf_arae.models.ursae.modeling_ursae",
    "UrsaeObjective": "hf_arae.models.ursae.objective_ursae",
    "UrsaeObjectiveArguments": "hf_arae.models.ursae.objective_ursae",
    "VaeConfig": "hf_arae.models.vae.configuration_vae",
    "VaeModel": "hf_arae.models.vae.modeling_vae",
    "VaeObjective": "hf_arae.models.vae.objective_vae",
    "VaeObjectiveArguments": "hf_arae.models.vae.objective_vae",
    "train_tokenizer": "hf_arae.data.text.tokenization",
}

if TYPE_CHECKING:
    from hf_arae.data.text.tokenization import train_tokenizer
    from hf_arae.latent.space import LatentSpace
    from hf_arae.models.aae.configuration_aae import AaeConfig
    from hf_arae.models.aae.modeling_aae import AaeModel
    from hf_arae.models.aae.objective_aae import AaeObjective, AaeObjectiveArguments
    from hf_arae.models.arae.configuration_arae import AraeConfig
    from hf_arae.models.arae.modeling_arae import AraeForSequenceClassification, AraeModel
    from hf_arae.models.arae.objective_arae import AraeObjective, AraeObjectiveArguments
    from hf_arae.models.arae.objective_pairs import AraePairObjective, AraePairObjectiveArguments
    from hf_arae.models.rnn_lm.configuration_rnn_lm import RnnLmConfig
    from hf_arae.models.rnn_lm.modeling_rnn_lm import RnnLmForCausalLM
    from hf_arae.models.ursae.configuration_ursae import UrsaeConfig
    from hf_arae.models.ursae.modeling_ursae import UrsaeForConditionalGeneration
    from hf_arae.models.ursae.objective_ursae import UrsaeObjective, UrsaeObjectiveArguments
    from hf_arae.models.vae.configuration_vae import VaeConfig
    from hf_arae.models.vae.modeling_vae import VaeModel
    from hf_arae.models.vae.objective_vae import VaeObjective, VaeObjectiveArguments
    from hf_arae.pipelines.text_style_transfer import TextStyleTransferPipeline
    from hf_arae.pipelines.text_summarization import TextSummarizationPipeline
    from hf_arae.training.arguments import TrainingArguments
    from hf_arae.training.objective import Objective, Phase
    from hf_arae.training.trainer import PhaseTrainer

__all__ = [
    "AaeConfig",
    "AaeModel",
    "AaeObjective",
    "AaeObjectiveArguments",
    "AraeConfig",
    "AraeForSequenceClassification",
    "AraeModel",
    "AraeObjective",
    "AraeObjectiveArguments",
    "AraePairObjective",
    "AraePairObjectiveArguments",
    "LatentSpace",
    "Objective",
    "Phase",
    "PhaseTrainer",
    "RnnLmConfig",
    "RnnLmForCausalLM",
    "TextStyleTransferPipeline",
    "TextSummarizationPipeline",
    "TrainingArguments",
    "UrsaeConfig",
    "UrsaeForConditionalGeneration",
    "UrsaeObjective",
    "UrsaeObjectiveArguments",
    "VaeConfig",
    "VaeModel",
    "VaeObjective",
    "VaeObjectiveArguments",
    "__version__",
    "train_tokenizer",
]


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
