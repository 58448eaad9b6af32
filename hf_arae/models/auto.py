"""The families of this package, and their registration with transformers' Auto classes."""

from __future__ import annotations

from dataclasses import dataclass

import transformers
from transformers import AutoConfig
from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

from hf_arae.models.aae.configuration_aae import AaeConfig
from hf_arae.models.aae.modeling_aae import AaeModel
from hf_arae.models.arae.configuration_arae import AraeConfig
from hf_arae.models.arae.modeling_arae import AraeForSequenceClassification, AraeModel
from hf_arae.models.base import FamilyConfig, FamilyModel
from hf_arae.models.rnn_lm.configuration_rnn_lm import RnnLmConfig
from hf_arae.models.rnn_lm.modeling_rnn_lm import RnnLmForCausalLM
from hf_arae.models.ursae.configuration_ursae import UrsaeConfig
from hf_arae.models.ursae.modeling_ursae import UrsaeForConditionalGeneration
from hf_arae.models.vae.configuration_vae import VaeConfig
from hf_arae.models.vae.modeling_vae import VaeModel


@dataclass(frozen=True)
class Family:
    """A config class and the model class that each Auto class, by its name in transformers, builds from it."""

    config: type[FamilyConfig]
    models: dict[str, type[FamilyModel]]


FAMILIES = (
    Family(
        AraeConfig,
        {
            "AutoModel": AraeModel,
            "AutoModelForSeq2SeqLM": AraeModel,
            "AutoModelForSequenceClassification": AraeForSequenceClassification,
        },
    ),
    Family(VaeConfig, {"AutoModel": VaeModel, "AutoModelForSeq2SeqLM": VaeModel}),
    Family(AaeConfig, {"AutoModel": AaeModel, "AutoModelForSeq2SeqLM": AaeModel}),
    Family(RnnLmConfig, {"AutoModelForCausalLM": RnnLmForCausalLM}),
    Family(UrsaeConfig, {"AutoModelForSeq2SeqLM": UrsaeForConditionalGeneration}),
)


def register() -> None:
    """Makes `AutoConfig`, `AutoModel` and the others know every family. Calling it again changes nothing."""
    for family in FAMILIES:
        AutoConfig.register(family.config.model_type, family.config, exist_ok=True)
        for name, model_class in family.models.items():
            getattr(transformers, name).register(family.config, model_class, exist_ok=True)
            if name == "AutoModelForCausalLM":  # by this list of names its Trainer shifts labels that it smooths
                MODEL_FOR_CAUSAL_LM_MAPPING_NAMES[family.config.model_type] = model_class.__name__
