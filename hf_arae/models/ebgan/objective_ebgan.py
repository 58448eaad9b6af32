"""Training of an EBGAN and of its rivals: discriminate; generate (thesis, sections 3.2 and 3.4)."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor
from transformers.utils import logging

from hf_arae.losses.energy import energy_hinge, highest_energy
from hf_arae.losses.least_squares import distance_to_fake, distance_to_real
from hf_arae.losses.logistic import taken_for_fake, taken_for_real
from hf_arae.losses.pulling_away import pulling_away
from hf_arae.losses.wasserstein import gradient_penalty
from hf_arae.models.ebgan.modeling_ebgan import EbganModel
from hf_arae.models.images.image_config import VALUE_RANGES
from hf_arae.nn.across_processes import rows_of_all_processes
from hf_arae.nn.batch_norm import still_statistics
from hf_arae.training.objective import OPTIMIZERS, Batch, Objective, OptimizerSettings, Phase, Terms
from hf_arae.training.schedules import SCHEDULES
from hf_arae.utils.validation import check_choice, check_range

logger = logging.get_logger(__name__)

GAMES = ("ebgan", "gan", "lsgan", "wgan_gp")


@dataclass
class EbganObjectiveArguments:
    """Settings of the objective, each of them a flag."""

    game: str = field(
        default="ebgan",
        metadata={
            "help": "Discriminator and generator play this game: ebgan, of energies; or that of the original gan, "
            "of least squares (lsgan), or of the Wasserstein distance with a gradient penalty (wgan_gp).",
            "choices": GAMES,
        },
    )
    margin: float = field(
        default=10.0,
        metadata={
            "help": "m: the energy of generated images is pushed up to this, > 0, on the scale that the model's "
            "energy has. Of ebgan alone."
        },
    )
    pulling_away_weight: float | None = field(
        default=None,
        metadata={
            "help": "The pulling-away term has this weight in the generator's loss, >= 0; 0: plain EBGAN. none: 0.3 "
            "times the margin in ebgan, 0 in the others."
        },
    )
    discriminator_optimizer: str = field(
        default="adam", metadata={"help": "The discriminator is updated by this optimizer.", "choices": OPTIMIZERS}
    )
    generator_optimizer: str = field(
        default="adam", metadata={"help": "The generator is updated by this optimizer.", "choices": OPTIMIZERS}
    )
    discriminator_learning_rate: float = field(
        default=1e-3, metadata={"help": "The discriminator's highest learning rate, > 0."}
    )
    generator_learning_rate: float = field(
        default=1e-3, metadata={"help": "The generator's highest learning rate, > 0."}
    )
    beta1: float = field(
        default=0.5, metadata={"help": "Adam's decay of the mean gradient, in [0, 1), for both players."}
    )
    schedule: str = field(
        default="constant",
        metadata={"help": f"The learning rates have one of the courses {', '.join(SCHEDULES)}.", "choices": SCHEDULES},
    )
    discriminator_steps: int = field(
        default=1, metadata={"help": "An iteration has so many updates of the discriminator, all on its images."}
    )
    gradient_penalty: float = field(
        default=10.0, metadata={"help": "The gradient penalty has this weight, >= 0. Of wgan_gp alone."}
    )

    def __post_init__(self):
        check_choice(self, "game", GAMES)
        check_choice(self, "discriminator_optimizer", OPTIMIZERS)
        check_choice(self, "generator_optimizer", OPTIMIZERS)
        check_choice(self, "schedule", SCHEDULES)
        check_range(self, "(0, inf)", "margin", "discriminator_learning_rate", "generator_learning_rate")
        check_range(self, "[0, 1)", "beta1")
        check_range(self, "[1, inf)", "discriminator_steps")
        check_range(self, "[0, inf)", "gradient_penalty")
        if self.pulling_away_weight is not None:
            check_range(self, "[0, inf)", "pulling_away_weight")

    @property
    def discriminator(self) -> str:
        """What the game needs for a discriminator, a field of the model's config."""
        return "autoencoder" if self.game == "ebgan" else "critic"

    def weight_of_pulling_away(self) -> float:
        """The weight of the pulling-away term, chosen or by the margin."""
        if self.pulling_away_weight is not None:
            return self.pulling_away_weight
        return 0.3 * self.margin if self.game == "ebgan" else 0.0


class EbganObjective(Objective):
    """The two phases of a game of discriminator and generator, on images x and G(z), z ~ N(0, I).

    EBGAN: the discriminator minimises D(x) + max(0, m - D(G(z))), the generator D(G(z)), with a gradient through both
    places where G(z) enters D: what is reconstructed, and what that is compared with. EBGAN-PT adds the pulling-away
    term of the generated images' codes to the generator's loss. The rivals' losses are those of a critic f.

    Statistics of batch norm follow what a network is for, in its own phase: the discriminator's real images, the
    generator's draws.

    Batches: `pixel_values` `(batch, channels, size, size)`.

    Args:
        model: an [`EbganModel`] with a generator and the game's kind of discriminator.
        settings: see [`EbganObjectiveArguments`].

    Raises:
        ValueError: the model is of another kind.
    """

    def __init__(self, model: EbganModel, settings: EbganObjectiveArguments | None = None):
        super().__init__(model)
        self.settings = s = settings or EbganObjectiveArguments()
        config = model.config
        if model.generator is None:
            raise ValueError("the model was made without a generator: set generator_layers")
        if config.backbone == "ladder":
            raise ValueError("a ladder learns labels too: train it with EbganLadderObjective")
        if config.discriminator != s.discriminator:
            raise ValueError(
                f"{s.game} takes a model whose discriminator is {s.discriminator!r}, this one's is "
                f"{config.discriminator!r}"
            )
        if s.game == "wgan_gp" and config.discriminator_batch_norm:
            raise ValueError(
                "the gradient penalty is each image's own, and batch norm ties a batch's images together: wgan_gp "
                "takes discriminator_batch_norm=False"
            )
        if s.game == "ebgan":
            low, high = VALUE_RANGES[config.value_range]
            highest = highest_energy(config.energy, config.num_pixels, high - low)
            if s.margin >= highest:
                logger.warning(
                    "margin=%g is out of reach: the energy %r of such images is at most %g, so the hinge never closes "
                    "and generated images are pushed away without end.",
                    s.margin,
                    config.energy,
                    highest,
                )
        self.pulling_away_weight = s.weight_of_pulling_away()
        parts = ("encoder", "decoder" if s.game == "ebgan" else "head")
        self.players = {"discriminator": parts, "generator": ("generator",)}
        self.parts = [model.get_submodule(name) for name in parts]

    def optimizers(self) -> dict[str, OptimizerSettings]:
        s, more = self.settings, {"betas": (self.settings.beta1, 0.999), "schedule": self.settings.schedule}
        return {
            "discriminator": OptimizerSettings(s.discriminator_optimizer, s.discriminator_learning_rate, **more),
            "generator": OptimizerSettings(s.generator_optimizer, s.generator_learning_rate, **more),
        }

    def phases(self) -> tuple[Phase, ...]:
        repeat = self.settings.discriminator_steps
        return (
            Phase("discriminator", "discriminator", self.discriminate, repeat=repeat),
            Phase("generator", "generator", self.generate),
        )

    def discriminate(self, batch: Batch) -> Terms:
        """The discriminator's loss, and its mean energies (of a critic, ratings) of real and generated images."""
        s, model = self.settings, self.model
        real = model.check_first_batch(batch["pixel_values"])
        with torch.no_grad(), still_statistics(model.generator):
            fake = model.generator(self.draw_z(real))
        if model.config.discriminator_batch_norm:  # each is normalised by itself
            real_energies = model.rate(real)[1]
            with still_statistics(*self.parts):
                fake_energies = model.rate(fake)[1]
        else:
            real_energies, fake_energies = model.rate(torch.cat([real, fake]))[1].split(len(real))
        if s.game == "ebgan":
            real_energy = real_energies.mean()
            terms = {"loss": real_energy + energy_hinge(fake_energies, s.margin), "real_energy": real_energy}
            return terms | {"fake_energy": fake_energies.detach().mean()}
        real_ratings, fake_ratings = -real_energies, -fake_energies
        terms = {"real_rating": real_ratings.mean(), "fake_rating": fake_ratings.mean()}
        if s.game == "gan":
            return terms | {"loss": taken_for_real(real_ratings) + taken_for_fake(fake_ratings)}
        if s.game == "lsgan":
            return terms | {"loss": distance_to_real(real_ratings) + distance_to_fake(fake_ratings)}
        distance = terms["real_rating"] - terms["fake_rating"]
        penalty = gradient_penalty(self, real, fake, self.rand(real[:, :1, :1, :1]))
        loss = s.gradient_penalty * penalty - distance
        return {"loss": loss, "wasserstein_distance": distance, "gradient_penalty": penalty}

    def generate(self, batch: Batch) -> Terms:
        """The generator's loss; `pulling_away`, the mean squared cosine of its images' codes, where it has a part."""
        s, model = self.settings, self.model
        fake = model.generator(self.draw_z(batch["pixel_values"]))
        with still_statistics(*self.parts):
            codes, energies = model.rate(fake)
        if s.game == "gan":
            loss = taken_for_real(-energies)
        elif s.game == "lsgan":
            loss = distance_to_real(-energies)
        else:
            loss = energies.mean()
        if not self.pulling_away_weight:
            return {"loss": loss}
        alike = pulling_away(rows_of_all_processes(codes))
        return {"loss": loss + self.pulling_away_weight * alike, "pulling_away": alike}

    def draw_z(self, like: Tensor) -> Tensor:
        """z ~ N(0, I) for each row of `like`, `(len(like), latent_size)`."""
        return self.randn(like.new_empty(len(like), self.model.config.latent_size))

    def input_gradient(self, inputs: Tensor) -> Tensor:
        """Gradient of the rating by each image, of their shape, differentiable by the parameters."""
        inputs = inputs.detach().requires_grad_()
        (gradient,) = torch.autograd.grad(-self.model.rate(inputs)[1].sum(), inputs, create_graph=True)
        return gradient


__all__ = ["EbganObjective", "EbganObjectiveArguments"]
