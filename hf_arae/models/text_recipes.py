"""How each family is built and trained on unlabelled sentences: the one place that joins a model to its objective.

The defaults suit some 100 000 captions of at most 15 words; each help text has the published value where it differs.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from transformers import AutoConfig, PreTrainedModel, PreTrainedTokenizerBase

from hf_arae.models.aae.configuration_aae import AaeConfig
from hf_arae.models.aae.modeling_aae import AaeModel
from hf_arae.models.aae.objective_aae import AaeObjective, AaeObjectiveArguments
from hf_arae.models.arae.configuration_arae import AraeConfig
from hf_arae.models.arae.modeling_arae import AraeModel
from hf_arae.models.arae.objective_arae import AraeObjective, AraeObjectiveArguments
from hf_arae.models.base import FamilyConfig
from hf_arae.models.rnn_lm.configuration_rnn_lm import RnnLmConfig
from hf_arae.models.rnn_lm.modeling_rnn_lm import RnnLmForCausalLM
from hf_arae.models.rnn_lm.objective_rnn_lm import RnnLmObjective, RnnLmObjectiveArguments
from hf_arae.models.vae.configuration_vae import VaeConfig
from hf_arae.models.vae.modeling_vae import VaeModel
from hf_arae.models.vae.objective_vae import VaeObjective, VaeObjectiveArguments
from hf_arae.training.objective import Objective


@dataclass
class LanguageModelArguments:
    """Sizes of a language model; see [`RnnLmConfig`]."""

    embedding_size: int = field(default=128, metadata={"help": "Width of the token embeddings. Published: 300."})
    hidden_size: int = field(default=300, metadata={"help": "Width of the state."})
    dropout: float = field(default=0.1, metadata={"help": "Share of the units that are dropped, in [0, 1)."})
    share_embeddings: bool = field(default=True, metadata={"help": "One table for input and output. Published: off."})


@dataclass
class AutoencoderArguments:
    """Sizes and switches of any autoencoder; see [`TextAutoencoderConfig`]."""

    embedding_size: int = field(default=128, metadata={"help": "Width of the token embeddings. Published: 300."})
    hidden_size: int = field(default=300, metadata={"help": "Width of the decoder's state."})
    code_size: int = field(default=100, metadata={"help": "Width of the code. Published: 300."})
    amplify_code: bool = field(
        default=True, metadata={"help": "The decoder reads the code times sqrt(code_size). Published: off."}
    )
    share_embeddings: bool = field(
        default=True, metadata={"help": "One table for encoder, decoder and output. Published: off."}
    )
    initialization: str = field(default="scaled", metadata={"help": "scaled, or published: everything +-0.1."})
    dropout: float = field(default=0.0, metadata={"help": "Share of the decoder's units dropped, in [0, 1)."})


@dataclass
class AraeArguments(AutoencoderArguments):
    """Sizes of an ARAE; see [`AraeConfig`]."""

    encoder_size: int | None = field(
        default=None, metadata={"help": "Width of the encoder's state, where the code is a linear map of it."}
    )
    draw_noise: float = field(
        default=0.0, metadata={"help": "Noise on the codes of new sentences, a coordinate: noise_std, say."}
    )
    latent_size: int = field(default=100, metadata={"help": "Width of the generator's input z."})
    generator_sizes: list[int] = field(
        default_factory=lambda: [300, 300], metadata={"help": "Hidden widths of the generator."}
    )
    generator_batch_norm: bool = field(default=False, metadata={"help": "Batch norm in the generator. Published: on."})
    generator_shortcut: bool = field(default=True, metadata={"help": "A linear path beside them. Published: off."})
    critic_sizes: list[int] = field(default_factory=lambda: [300, 300], metadata={"help": "Of the critic."})
    amplify_adversary: bool = field(
        default=True, metadata={"help": "Critic and generator count codes times sqrt(code_size). Published: off."}
    )


@dataclass
class PriorArguments(AutoencoderArguments):
    """Sizes of an autoencoder whose codes have a normal prior: of the size of 1 a coordinate by themselves."""

    code_size: int = field(default=64, metadata={"help": "Width of the code."})
    amplify_code: bool = field(default=False, metadata={"help": "The decoder reads the code times sqrt(code_size)."})


@dataclass
class VaeArguments(PriorArguments):
    """Sizes and posterior of a VAE; see [`VaeConfig`]."""

    posterior: str = field(
        default="gaussian", metadata={"help": "gaussian, batch_norm (BN-VAE), balanced or committed (delta-VAE)."}
    )


@dataclass
class AeObjectiveArguments(AraeObjectiveArguments):
    """The plain autoencoder: an ARAE without its adversary."""

    adversary: bool = field(default=False, metadata={"help": "Train critic and generator."})
    autoencoder_optimizer: str = field(default="adam", metadata={"help": "sgd (published), adam or adamw."})
    autoencoder_learning_rate: float = field(default=2e-3, metadata={"help": "Published: 1 with sgd."})
    autoencoder_schedule: str = field(default="linear", metadata={"help": "constant (published), linear or cosine."})
    noise_std: float = field(default=0.08, metadata={"help": "Of the noise on codes, a coordinate. Published: 0.05."})
    noise_decay: float = field(
        default=1.0, metadata={"help": "Factor on noise_std every noise_decay_steps. Published: 0.9995."}
    )


@dataclass
class CaptionAraeObjectiveArguments(AeObjectiveArguments):
    """The same autoencoder with its adversary."""

    adversary: bool = field(default=True, metadata={"help": "Train critic and generator."})
    critic_learning_rate: float = field(default=1e-3, metadata={"help": "Published: 1e-4."})
    generator_learning_rate: float = field(default=1e-3, metadata={"help": "Published: 1e-4."})
    adversary_schedule: str = field(default="linear", metadata={"help": "constant (published), linear or cosine."})
    gradient_penalty: float = field(default=10.0, metadata={"help": "Its weight. Published: 1."})
    critic_scale: float = field(
        default=0.3, metadata={"help": "lambda1: scale of the critic's gradient into the encoder. Published: 0.1."}
    )


@dataclass
class CaptionVaeObjectiveArguments(VaeObjectiveArguments):
    """A VAE, for some thousand updates."""

    learning_rate: float = field(default=2e-3, metadata={"help": "Highest learning rate, > 0."})
    schedule: str = field(default="linear", metadata={"help": "constant, linear or cosine: the way down."})
    annealing_steps: int = field(
        default=1000, metadata={"help": "Updates over which the KL's weight rises; with cyclical, of a cycle."}
    )


@dataclass
class CaptionAaeObjectiveArguments(AaeObjectiveArguments):
    """An AAE, for some thousand updates."""

    learning_rate: float = field(default=2e-3, metadata={"help": "Highest learning rate, > 0. Published: 5e-4."})
    schedule: str = field(default="linear", metadata={"help": "constant (published), linear or cosine."})


@dataclass
class CaptionDaaeObjectiveArguments(CaptionAaeObjectiveArguments):
    """The denoising AAE."""

    word_deletion: float = field(
        default=0.3, metadata={"help": "Share of the words that the encoder does not see, in [0, 1)."}
    )


def config_fields(config: type[FamilyConfig], tokenizer: PreTrainedTokenizerBase) -> dict[str, int]:
    """What a config of that class says about the tokenizer: sizes and special tokens."""
    fields = {"vocab_size": len(tokenizer), "max_sequence_length": tokenizer.model_max_length - 2}
    for name in ("pad", "bos", "eos", "unk", "mask"):
        fields[f"{name}_token_id"] = getattr(tokenizer, f"{name}_token_id")
    if config.is_encoder_decoder:
        fields["decoder_start_token_id"] = tokenizer.bos_token_id
    return fields


@dataclass(frozen=True)
class TextRecipe:
    """A family, ready to be built for a tokenizer and trained on sentences.

    Args:
        config, model: the family's classes.
        model_arguments: a dataclass of the config's fields that a user may set, for `HfArgumentParser`.
        objective, objective_arguments: likewise.
        draws_codes: the model learns what its codes are drawn from, or has none (a language model); else new sentences
            are written from a Gaussian that is fitted to codes.
    """

    config: type[FamilyConfig]
    model: type[PreTrainedModel]
    model_arguments: type
    objective: type[Objective]
    objective_arguments: type
    draws_codes: bool = True

    def build(self, arguments: Any, tokenizer: PreTrainedTokenizerBase) -> PreTrainedModel:
        """Builds a new model for the tokenizer's vocabulary and longest sentence, from `model_arguments`."""
        return self.model(self.config(**config_fields(self.config, tokenizer), **asdict(arguments)))

    def load(self, base_model: str, arguments: Any) -> PreTrainedModel:
        """Loads a trained model of the family, to go on with.

        Args:
            base_model: its folder or Hub id.
            arguments: `model_arguments` as the command line has them: what is not a default must be as in the model.

        Raises:
            ValueError: the model is of another family, or arguments ask for another one than it is.
        """
        config = AutoConfig.from_pretrained(base_model)
        if config.model_type != self.config.model_type:
            raise ValueError(
                f"{base_model} is of the family {config.model_type}, not {self.config.model_type}: give its --family"
            )
        given, default = asdict(arguments), asdict(self.model_arguments())
        other = [name for name in given if given[name] != default[name] and given[name] != getattr(config, name)]
        if other:
            listed = ", ".join(f"{name} {getattr(config, name)} (not {given[name]})" for name in other)
            raise ValueError(f"{base_model} was built with {listed}: its sizes cannot be changed")
        return self.model.from_pretrained(base_model)


_ARAE = (AraeConfig, AraeModel, AraeArguments, AraeObjective)
_AAE = (AaeConfig, AaeModel, PriorArguments, AaeObjective)

TEXT_RECIPES = {
    "ae": TextRecipe(*_ARAE, AeObjectiveArguments, draws_codes=False),
    "arae": TextRecipe(*_ARAE, CaptionAraeObjectiveArguments),
    "vae": TextRecipe(VaeConfig, VaeModel, VaeArguments, VaeObjective, CaptionVaeObjectiveArguments),
    "aae": TextRecipe(*_AAE, CaptionAaeObjectiveArguments),
    "daae": TextRecipe(*_AAE, CaptionDaaeObjectiveArguments),
    "lm": TextRecipe(RnnLmConfig, RnnLmForCausalLM, LanguageModelArguments, RnnLmObjective, RnnLmObjectiveArguments),
}
