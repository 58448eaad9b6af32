"""Training of a VAE: the evidence lower bound, with what keeps the code from being ignored."""

from __future__ import annotations

from dataclasses import dataclass, field

from torch import Tensor

from hf_arae.models.objectives.elbo import ElboArguments, ElboObjective
from hf_arae.models.recurrent.disturbed_words import rand_words
from hf_arae.models.vae.modeling_vae import VaeModel
from hf_arae.nn.text.word_noise import replace_words
from hf_arae.training.objective import Batch, Terms
from hf_arae.utils.validation import check_range


@dataclass
class VaeObjectiveArguments(ElboArguments):
    """Settings of the objective, each of them a flag; those of [`ElboArguments`], and two for text.

    What papers have, where it differs from the defaults (the posterior and its scales stand in `VaeConfig`):

    - Bowman et al. (2016): the defaults; word dropout of 0.25 to 0.38 (keep rates 0.75 and 0.62).
    - Zhu et al. (2020), BN-VAE and delta-VAE: `optimizer="sgd"`, `learning_rate=1`, halved on plateaus,
      `annealing="linear"`, `beta_start=0.1` over 10 epochs, `word_dropout=0`; their free bits are `free_bits=4` to 9;
      their beta-VAE has `beta=0.4`.
    - Fu et al. (2019), cyclical: `annealing="cyclical"`, `cycles=4`, `rising_share=0.5`, and `annealing_steps` a
      quarter of the run.
    - Mathieu et al. (2019), decomposed: `beta=1`, `mmd_weight` of 0 or 100, Adam at 5e-4, with `prior_sparsity` 0 or
      0.8 in the config.
    """

    word_dropout: float = field(
        default=0.25, metadata={"help": "The decoder reads this share of the previous words as <unk>, in [0, 1]."}
    )
    bag_of_words_weight: float = field(
        default=0.0, metadata={"help": "The bag-of-words loss has this weight, >= 0; it needs bag_of_words_sizes."}
    )

    def __post_init__(self):
        super().__post_init__()
        check_range(self, "[0, inf)", "bag_of_words_weight")
        check_range(self, "[0, 1]", "word_dropout")


class VaeObjective(ElboObjective):
    """The phase of [`ElboObjective`], with the bag-of-words loss (Zhao et al. 2017): it lowers, a sentence, in nats,

        E[-log p(x | z)] + w KL(q(z | x) || p(z)) + b E[-log p_bow(x | z)] + alpha MMD(q(z), p(z))

    The prior p(z) and the family of q(z | x) stand in the model's config. The decoder may read some of the previous
    words as `<unk>` (Bowman et al. 2016).

    Batches: `input_ids`, `attention_mask` `(batch, sequence)`.

    Args:
        model: a [`VaeModel`].
        settings: see [`VaeObjectiveArguments`].

    Raises:
        ValueError: the settings ask for what the model lacks: a bag of words, an unknown word, or a closed form of the
            KL for free bits.
    """

    settings: VaeObjectiveArguments

    def __init__(self, model: VaeModel, settings: VaeObjectiveArguments | None = None):
        super().__init__(model, settings or VaeObjectiveArguments())
        s, config = self.settings, model.config
        parts = ["embeddings", "encoder", "posterior_head", "decoders", "projection"]
        if s.bag_of_words_weight and config.bag_of_words_sizes is None:
            raise ValueError("bag_of_words_weight needs bag_of_words_sizes in the model's config, [] for one layer")
        if s.word_dropout and config.unk_token_id is None:
            raise ValueError("word_dropout needs unk_token_id in the model's config, the token that replaces words")
        if s.free_bits and config.prior_sparsity:
            raise ValueError("free_bits needs prior_sparsity=0: at one draw, the KL to a sparse prior can be negative")
        if s.bag_of_words_weight:
            parts.append("bag_of_words")
        self.players = {"autoencoder": tuple(parts)}

    def reconstruction(self, code: Tensor, batch: Batch) -> tuple[Tensor, Terms]:
        """As the base's, at the words that dropout leaves; `reconstruction_per_token` is logged too."""
        total, count = self.model.batch_loss(code, batch, given=self.given_words(batch["input_ids"]))
        mean = total / len(code)
        return mean, {"reconstruction": mean, "reconstruction_per_token": self.mean(total, count)}

    def more_losses(self, code: Tensor, batch: Batch) -> dict[str, tuple[float, Tensor]]:
        """`bag_of_words`, a sentence, where it is trained."""
        weight = self.settings.bag_of_words_weight
        if not weight:
            return {}
        return {"bag_of_words": (weight, self.model.bag_of_words_loss(code, batch["input_ids"]) / len(code))}

    def given_words(self, ids: Tensor) -> Tensor | None:
        """The previous words as the decoder reads them, `(batch, sequence - 1)`, some `<unk>`; `None`: as they are."""
        rate, config = self.settings.word_dropout, self.model.config
        if not rate:
            return None
        given = ids[:, :-1]
        draws = rand_words(self, given, config.max_sequence_length + 1)
        return replace_words(given, draws, self.model.words(given), rate, config.unk_token_id)


__all__ = ["VaeObjective", "VaeObjectiveArguments"]
