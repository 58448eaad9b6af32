"""Training of a ladder on few labels, alone or against a generator: EBGAN-LN (thesis, section 3.5.2)."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor
from torch.nn import functional as F

from hf_arae.losses.energy import energy_hinge, reconstruction_energy
from hf_arae.models.ebgan.modeling_ebgan import EbganModel
from hf_arae.nn.batch_norm import still_statistics
from hf_arae.nn.image.ladder import layer_costs
from hf_arae.training.objective import Batch, Objective, OptimizerSettings, Phase, Terms
from hf_arae.utils.validation import check_range

# Running statistics follow a pass without noise in every so many iterations, and remember some twenty such passes.
TRACKING_INTERVAL = 4
TRACKING_MOMENTUM = 0.05


@dataclass
class EbganLadderObjectiveArguments:
    """Settings of the objective, each of them a flag. The defaults are those of a ladder with 100 labels."""

    denoising_cost: list[float] = field(
        default_factory=lambda: [5000.0],
        metadata={
            "help": "lambda: weights, >= 0, of the mean squared error of what the ladder makes of a noisy image; of "
            "the full ladder one for each layer, the image's first."
        },
    )
    adversarial_weight: float = field(
        default=0.0,
        metadata={
            "help": "The hinge on the energy of generated images has this weight in the ladder's loss, >= 0; 0: "
            "there is no generator, and the ladder learns alone."
        },
    )
    margin: float = field(
        default=0.03,
        metadata={
            "help": "m: the energy of generated images, a mean square of pixels, is first pushed up to this, > 0."
        },
    )
    margin_decay_steps: int = field(
        default=0,
        metadata={
            "help": "The margin falls to 0 on a straight line in so many iterations; from then on the ladder learns "
            "alone. 0: the margin stays."
        },
    )
    learning_rate: float = field(default=0.002, metadata={"help": "The ladder's highest learning rate, Adam's, > 0."})
    constant_ratio: float = field(
        default=2 / 3,
        metadata={"help": "The ladder's learning rate begins to fall to 0 after this share of the run, in [0, 1)."},
    )
    generator_learning_rate: float = field(
        default=1e-3, metadata={"help": "The generator's learning rate, Adam's, > 0."}
    )

    def __post_init__(self):
        check_range(self, "(0, inf)", "margin", "learning_rate", "generator_learning_rate")
        check_range(self, "[0, inf)", "adversarial_weight", "margin_decay_steps")
        check_range(self, "[0, 1)", "constant_ratio")
        wrong = [cost for cost in self.denoising_cost if not 0 <= cost < float("inf")]
        if wrong or not self.denoising_cost:
            raise ValueError(f"denoising_cost must hold numbers of at least 0, got {self.denoising_cost!r}")


class EbganLadderObjective(Objective):
    """A ladder on labelled and unlabelled images and, where there is a generator, its game with that.

    The ladder minimises CE(noisy output, labels) + lambda C0(x) + lambda_adv max(0, m_t - C0(G(z))), the generator
    C0(G(z)). C0 is the mean squared error, over pixels, of what the decoder makes of a noisy pass. m_t falls to 0,
    and the generator rests from then on.

    Labelled, unlabelled and generated rows are normalised by statistics of their own.

    Batches: `pixel_values` `(batch, channels, size, size)`, `labelled_pixel_values` `(labelled, channels, size, size)`
    and `labels` `(labelled,)`.

    Args:
        model: an [`EbganModel`] with a ladder; with a generator if, and only if, `adversarial_weight` is above 0.
        settings: see [`EbganLadderObjectiveArguments`].

    Raises:
        ValueError: the model is of another kind, or the costs are neither one nor as many as layers.
    """

    def __init__(self, model: EbganModel, settings: EbganLadderObjectiveArguments | None = None):
        super().__init__(model)
        self.settings = s = settings or EbganLadderObjectiveArguments()
        if model.config.backbone != "ladder":
            raise ValueError(f"the model's backbone must be 'ladder', got {model.config.backbone!r}")
        if (model.generator is not None) != (s.adversarial_weight > 0):
            raise ValueError(
                "a ladder has a generator if it plays against one: adversarial_weight above 0 takes generator_layers, "
                "and adversarial_weight=0 takes none"
            )
        layers = len(model.ladder.combinators)
        if len(s.denoising_cost) not in (1, layers):
            raise ValueError(
                f"denoising_cost must have 1 number, or one for each of {layers} layers, got {len(s.denoising_cost)}"
            )
        self.players = {"discriminator": ("ladder",)}
        if model.generator is not None:
            self.players["generator"] = ("generator",)

    def optimizers(self) -> dict[str, OptimizerSettings]:
        s = self.settings
        falling = {"schedule": "constant_then_linear", "constant_ratio": s.constant_ratio}
        return {
            "discriminator": OptimizerSettings("adam", s.learning_rate, **falling),
            "generator": OptimizerSettings("adam", s.generator_learning_rate, (0.5, 0.999)),
        }

    def phases(self) -> tuple[Phase, ...]:
        phases = [Phase("discriminator", "discriminator", self.discriminate)]
        if self.model.generator is not None:
            stop = self.settings.margin_decay_steps or None
            phases.append(Phase("generator", "generator", self.generate, stop=stop))
        return tuple(phases)

    def margin(self) -> float:
        """m_t at the current step; 0 without a generator."""
        s = self.settings
        if self.model.generator is None:
            return 0.0
        return s.margin * max(0.0, 1 - self.step / s.margin_decay_steps) if s.margin_decay_steps else s.margin

    def discriminate(self, batch: Batch) -> Terms:
        """CE + lambda C0 + lambda_adv hinge, and its parts; `accuracy` is that of the noisy pass on labelled rows."""
        s, ladder, margin = self.settings, self.model.ladder, self.margin()
        labels, unlabelled = batch["labels"], self.model.check_first_batch(batch["pixel_values"]).flatten(1)
        targets = [unlabelled]
        if margin > 0:
            with torch.no_grad(), still_statistics(self.model.generator):
                targets.append(self.model.generator(self.draw_z(unlabelled)).flatten(1))
        if self.step % TRACKING_INTERVAL == 0:
            ladder.track(unlabelled, max(TRACKING_MOMENTUM, 1 / (self.step // TRACKING_INTERVAL + 1)))
        rows = [batch["labelled_pixel_values"].flatten(1), *targets]
        groups, count = list(map(len, rows)), len(labels)
        noisy = ladder.encode(torch.cat(rows), self.randn, groups)
        entropy = F.cross_entropy(noisy.logits[:count], labels)
        laterals = [lateral[count:] for lateral in noisy.laterals]
        guesses = ladder.decode(laterals, noisy.logits[count:], groups[1:])
        costs = reconstruction_energy(torch.cat(targets), guesses[0], "mean_squared").split(groups[1:])
        energy = costs[0].mean()
        terms = {"cross_entropy": entropy, "real_energy": energy}
        terms["loss"] = entropy + s.denoising_cost[0] * energy
        if len(s.denoising_cost) > 1:
            own = [guess[: len(unlabelled)] for guess in guesses]
            for weight, cost in zip(s.denoising_cost[1:], layer_costs(own, ladder.encode(unlabelled)), strict=True):
                terms["loss"] = terms["loss"] + weight * cost
        if margin > 0:
            terms["fake_energy"] = costs[1].detach().mean()
            terms["loss"] = terms["loss"] + s.adversarial_weight * energy_hinge(costs[1], margin)
        with torch.no_grad():
            terms["accuracy"] = (noisy.logits[:count].argmax(1) == labels).float().mean()
        return terms

    def generate(self, batch: Batch) -> Terms:
        """C0(G(z)), with a gradient by both what is reconstructed and what that is compared with."""
        ladder = self.model.ladder
        fake = self.model.generator(self.draw_z(batch["pixel_values"])).flatten(1)
        noisy = ladder.encode(fake, self.randn)
        rebuilt = ladder.decode(noisy.laterals, noisy.logits)[0]
        return {"loss": reconstruction_energy(fake, rebuilt, "mean_squared").mean()}

    def draw_z(self, like: Tensor) -> Tensor:
        """z ~ N(0, I) for each row of `like`, `(len(like), latent_size)`."""
        return self.randn(like.new_empty(len(like), self.model.config.latent_size))


__all__ = ["EbganLadderObjective", "EbganLadderObjectiveArguments"]
