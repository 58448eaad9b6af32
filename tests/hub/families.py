"""A tiny checkpoint of every family, with tokenizer and card, as a training would leave it."""

from __future__ import annotations

from pathlib import Path

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from hf_arae.hub.cards import write_run_card
from hf_arae.models.aae.configuration_aae import AaeConfig
from hf_arae.models.aae.modeling_aae import AaeModel
from hf_arae.models.arae.configuration_arae import AraeConfig
from hf_arae.models.arae.modeling_arae import AraeForSequenceClassification, AraeModel
from hf_arae.models.rnn_lm.configuration_rnn_lm import RnnLmConfig
from hf_arae.models.rnn_lm.modeling_rnn_lm import RnnLmForCausalLM
from hf_arae.models.ursae.configuration_ursae import UrsaeConfig
from hf_arae.models.ursae.modeling_ursae import UrsaeForConditionalGeneration
from hf_arae.models.vae.configuration_vae import VaeConfig
from hf_arae.models.vae.modeling_vae import VaeModel


def tiny_models(vocab_size: int) -> dict[str, tuple[str, PreTrainedModel]]:
    """By the name of its repository: the Auto class that loads it, and the model."""
    torch.manual_seed(0)
    narrow = {"vocab_size": vocab_size, "embedding_size": 4, "hidden_size": 6}
    coded = narrow | {"code_size": 4}
    labels = {0: "negative", 1: "positive"}
    models = {
        "arae-transfer": ("AutoModel", AraeModel(AraeConfig(**coded, num_attributes=2, id2label=labels))),
        "arae-plain": ("AutoModel", AraeModel(AraeConfig(**coded))),
        "arae-pairs": ("AutoModelForSequenceClassification", AraeForSequenceClassification(AraeConfig(**coded))),
        "vae": ("AutoModel", VaeModel(VaeConfig(**coded, posterior="batch_norm"))),
        "aae": ("AutoModel", AaeModel(AaeConfig(**coded))),
        "rnn-lm": ("AutoModelForCausalLM", RnnLmForCausalLM(RnnLmConfig(**narrow))),
        "ursae": (
            "AutoModelForSeq2SeqLM",
            UrsaeForConditionalGeneration(UrsaeConfig(**narrow, conv_size=4, selector_size=4)),
        ),
    }
    for _, model in models.values():
        for parameter in model.parameters():
            torch.nn.init.normal_(parameter, std=0.7)  # else all outputs are alike
        model.eval()
    return models


def save_family(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, folder: Path) -> Path:
    """Writes the folder of a run that has ended."""
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    write_run_card(folder, f"alice/{folder.name}")
    return folder
