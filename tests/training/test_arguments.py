"""What makes no sense is refused before any training, and names the argument."""

from __future__ import annotations

import math

import pytest
from huggingface_hub.errors import StrictDataclassError
from transformers import AutoConfig, AutoModel

from hf_arae.data.text.salience import attribute_log_odds
from hf_arae.data.text.tokenization import train_tokenizer
from hf_arae.models.aae.configuration_aae import AaeConfig
from hf_arae.models.aae.objective_aae import AaeObjectiveArguments
from hf_arae.models.arae.configuration_arae import AraeConfig
from hf_arae.models.arae.modeling_arae import AraeModel
from hf_arae.models.arae.objective_arae import AraeObjectiveArguments
from hf_arae.models.arae.objective_pairs import AraePairObjectiveArguments
from hf_arae.models.headline_selector.configuration_headline_selector import HeadlineSelectorConfig
from hf_arae.models.headline_selector.objective_headline_selector import HeadlineSelectorObjectiveArguments
from hf_arae.models.rnn_lm.configuration_rnn_lm import RnnLmConfig
from hf_arae.models.rnn_lm.objective_rnn_lm import RnnLmObjectiveArguments
from hf_arae.models.ursae.configuration_ursae import UrsaeConfig
from hf_arae.models.ursae.objective_ursae import UrsaeObjectiveArguments
from hf_arae.models.vae.configuration_vae import VaeConfig
from hf_arae.models.vae.objective_vae import VaeObjectiveArguments
from hf_arae.training import OptimizerSettings, TrainingArguments

INF, NAN = math.inf, math.nan
TRAINING = [
    ("max_steps", (-2, 2.5, NAN, "5", True)),
    ("num_train_epochs", (0.0, -1.0, NAN, INF)),
    ("per_device_train_batch_size", (0, -8, 1.5)),
    ("seed", (-1, 2**32, 0.5)),
    ("logging_steps", (0, -1, 0.5)),
    ("eval_steps", (-1, 0.5, NAN)),
    ("save_steps", (-1, 0.5)),
    ("save_total_limit", (0, -1, NAN)),
    ("early_stopping_patience", (-1, 2)),
    ("max_time", (-1.0, NAN, INF, "soon")),
    ("max_skipped_updates", (-1, 0.5)),
    ("non_finite", ("ignore", "")),
    ("report_to", ("excel", "all", "none,wandb")),
    ("ema_decay", (-0.1, 1.0, NAN)),
    ("gradient_accumulation_steps", (0, -1, 1.5)),
    ("hub_strategy", ("always",)),
    ("output_dir", ("",)),
]
SIZES = (0, -1, 10**12, 2.5, NAN, INF)
RATES = (0.0, -1.0, NAN, INF, "fast")
WEIGHTS = (-1.0, NAN, INF)
SHARES = (-0.1, 1.0, NAN, INF)
WIDTHS = ([0], [-1], [8, 10**12], [2.5])
OTHER = [
    (OptimizerSettings, "learning_rate", RATES),
    (OptimizerSettings, "betas", ((0.9,), (0.9, 1.0), (NAN, 0.9))),
    (OptimizerSettings, "momentum", SHARES),
    (OptimizerSettings, "constant_ratio", (-0.1, 1.0, NAN)),
    (OptimizerSettings, "schedule", ("step",)),
    (OptimizerSettings, "name", ("lion",)),
    (AraeObjectiveArguments, "critic_steps", (0, -1, 1.5)),
    (AraeObjectiveArguments, "classifier_steps", (-1,)),
    (AraeObjectiveArguments, "noise_std", WEIGHTS),
    (AraeObjectiveArguments, "noise_decay", (-0.5, NAN)),
    (AraeObjectiveArguments, "noise_decay_steps", (0,)),
    (AraeObjectiveArguments, "gradient_penalty", (-5.0, NAN)),
    (AraeObjectiveArguments, "weight_clip", (-0.01, 0.0)),
    (AraeObjectiveArguments, "critic_scale", WEIGHTS),
    (AraeObjectiveArguments, "classifier_scale", WEIGHTS),
    (AraeObjectiveArguments, "max_grad_norm", WEIGHTS),
    (AraeObjectiveArguments, "autoencoder_learning_rate", RATES),
    (AraeObjectiveArguments, "critic_learning_rate", RATES),
    (AraeObjectiveArguments, "autoencoder_schedule", ("typo",)),
    (AraePairObjectiveArguments, "reader_learning_rate", RATES),
    (AraePairObjectiveArguments, "method", ("other",)),
    (AaeObjectiveArguments, "adversarial_weight", WEIGHTS),
    (AaeObjectiveArguments, "shuffle_distance", (-1, 1.5)),
    (AaeObjectiveArguments, "word_deletion", SHARES),
    (RnnLmObjectiveArguments, "learning_rate", RATES),
    (RnnLmObjectiveArguments, "max_grad_norm", RATES),
    (VaeObjectiveArguments, "beta", WEIGHTS),
    (VaeObjectiveArguments, "annealing_steps", (0, 1.5)),
    (HeadlineSelectorObjectiveArguments, "learning_rate", RATES),
    (UrsaeObjectiveArguments, "temperature", RATES),
    (UrsaeObjectiveArguments, "samples", (0, 1.5)),
    (UrsaeObjectiveArguments, "length_penalty", (NAN, INF)),
    (UrsaeObjectiveArguments, "entropy_weight", WEIGHTS),
    (UrsaeObjectiveArguments, "momentum", SHARES),
    (UrsaeObjectiveArguments, "reader_start", (-1, 0.5)),
    *((config, name, SIZES) for config in (AraeConfig, AaeConfig, VaeConfig) for name in ("code_size", "vocab_size")),
    *((config, name, SIZES) for config in (AraeConfig, RnnLmConfig, UrsaeConfig) for name in ("embedding_size",)),
    *((config, "num_layers", (0, 10**9)) for config in (AraeConfig, AaeConfig, VaeConfig, RnnLmConfig, UrsaeConfig)),
    *((config, "dropout", SHARES) for config in (AraeConfig, VaeConfig, RnnLmConfig, UrsaeConfig)),
    (AraeConfig, "num_attributes", (0, 10**9)),
    (AraeConfig, "salience_threshold", (NAN, INF)),
    (AraeConfig, "draw_noise", WEIGHTS),
    (AraeConfig, "latent_size", SIZES),
    (AraeConfig, "encoder_size", SIZES),
    (AraeConfig, "critic_sizes", WIDTHS),
    (AraeConfig, "generator_sizes", WIDTHS),
    (AraeConfig, "classifier_sizes", WIDTHS),
    (AaeConfig, "discriminator_sizes", WIDTHS),
    (AaeConfig, "prior_sparsity", SHARES),
    (VaeConfig, "batch_norm_scale", RATES),
    (VaeConfig, "bag_of_words_sizes", WIDTHS),
    (VaeConfig, "delta_rate", RATES),
    (UrsaeConfig, "reader_kernel", (0, 2, 10**9)),
    (HeadlineSelectorConfig, "hidden_size", (-1, 10**12)),
]


def accepted(call, name: str, values) -> list:
    """Which of the values are not refused by name."""
    wrong = []
    for value in values:
        try:
            call(**{name: value})
        except (ValueError, StrictDataclassError) as error:
            if name not in str(error):
                wrong.append((name, value, str(error)))
        except Exception as error:
            wrong.append((name, value, repr(error)))
        else:
            wrong.append((name, value))
    return wrong


def test_training_arguments_out_of_range_are_refused_by_name():
    assert sum(len(values) for _, values in TRAINING) >= 39
    assert not [case for name, values in TRAINING for case in accepted(TrainingArguments, name, values)]


def test_settings_of_families_out_of_range_are_refused_by_name():
    wrong = [(owner.__name__, *case) for owner, name, values in OTHER for case in accepted(owner, name, values)]
    assert not wrong, wrong


def test_settings_of_words_out_of_range_are_refused_by_name():
    for length in (0, -3):
        with pytest.raises(ValueError, match="max_length"):
            train_tokenizer(["the food was good ."], max_length=length)
    for smoothing in (0.0, NAN, INF):
        with pytest.raises(ValueError, match="smoothing"):
            attribute_log_odds([[1, 5, 2], [1, 6, 2]], [0, 1], vocab_size=9, num_attributes=2, smoothing=smoothing)


def test_what_is_at_the_edge_is_accepted():
    TrainingArguments(max_steps=1, num_train_epochs=0.0, seed=2**32 - 1, max_time=0.0, save_steps=0, eval_steps=0)
    TrainingArguments(num_train_epochs=0.1, per_device_train_batch_size=1, save_total_limit=1)
    AraeObjectiveArguments(noise_std=0, gradient_penalty=0, noise_decay=1, critic_scale=0, critic_steps=1)
    AraeConfig(critic_sizes=[], encoder_size=None, salience_threshold=0, dropout=0, num_layers=1)


def test_an_argument_that_no_config_has_is_refused_and_transformers_own_ones_are_not(tmp_path):
    sizes = {"vocab_size": 12, "embedding_size": 4, "hidden_size": 4, "code_size": 4}
    AraeModel(AraeConfig(**sizes)).save_pretrained(tmp_path)
    for auto, options in ((AutoConfig, {}), (AutoConfig, {"trust_remote_code": True}), (AraeConfig, {})):
        with pytest.raises(ValueError, match=r"cod_size.*code_size"):
            auto.from_pretrained(tmp_path, cod_size=5, **options)
    with pytest.raises((TypeError, ValueError), match="cod_size"):
        AutoModel.from_pretrained(tmp_path, cod_size=5)
    own = {"cache_dir": tmp_path, "force_download": False, "local_files_only": True, "revision": "main", "token": None}
    own |= {"trust_remote_code": True, "code_revision": None, "dtype": "float32", "output_hidden_states": False}
    own |= {"attn_implementation": "eager", "name_or_path": "x"}
    assert AutoConfig.from_pretrained(tmp_path, draw_noise=0.5, **own).draw_noise == 0.5
    config, unused = AutoConfig.from_pretrained(tmp_path, cod_size=5, return_unused_kwargs=True)
    assert config.code_size == 4 and unused["cod_size"] == 5
    AutoModel.from_pretrained(tmp_path, attn_implementation="eager", id2label={0: "a"})
