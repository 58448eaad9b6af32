"""Adversarially regularized autoencoder for text: one continuous code, a generator of codes, decoders by attribute."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import PreTrainedTokenizerBase
from transformers import initialization as init
from transformers.modeling_outputs import SequenceClassifierOutput

from hf_arae.models.arae.configuration_arae import AraeConfig
from hf_arae.models.base import FamilyModel
from hf_arae.models.recurrent.autoencoder import TextAutoencoder
from hf_arae.models.recurrent.labelled_decoders import LabelledDecoders
from hf_arae.nn.mlp import Mlp


class AraeModel(LabelledDecoders, TextAutoencoder):
    """ARAE for text (thesis, chapter 4): encoder, decoders, generator, critic and, for transfer, a code classifier.

    Args:
        config: sizes and switches; with two or more attributes there is a classifier of codes.
    """

    config: AraeConfig
    config_class = AraeConfig
    base_model_prefix = "arae"  # its name in models that are built around it
    _other_heads = ("pair_classifier",)

    def __init__(self, config: AraeConfig):
        wider = config.encoder_size is not None  # than the code, which is then a linear map of the encoder's state
        super().__init__(
            config,
            encoder_size=config.encoder_size if wider else config.code_size,
            normalize=config.normalize_code,
            code_size=config.code_size if wider else None,
        )
        gain = config.code_size**0.5 if config.amplify_adversary else 1.0
        self.generator = Mlp(
            config.latent_size,
            config.generator_sizes,
            config.code_size,
            "relu",
            batch_norm=config.generator_batch_norm,
            bounded=True,
            output_scale=1 / gain,
            shortcut=config.generator_shortcut,
        )
        self.critic = Mlp(config.code_size, config.critic_sizes, 1, input_scale=gain)
        if config.num_attributes > 1:
            self.classifier = Mlp(config.code_size, config.classifier_sizes, config.num_attributes)
        self.post_init()
        self._set_generation_defaults()

    @torch.no_grad()
    def _init_weights(self, module: nn.Module) -> None:
        """As the base does, with a small output layer of the generator."""
        if module is self.generator.output_layer:
            # Generated codes begin inside the sphere that real ones lie on. At the scale of 1 a coordinate they would
            # be code_size ** 0.5 long, and the critic's first lesson would be their length alone.
            init.normal_(module.weight, 0.0, 0.02)
            init.zeros_(module.bias)
        elif module is self.generator.shortcut:  # what it gives begins as long as real codes are
            length = 1 if self.config.amplify_adversary else self.config.code_size**-0.5
            init.normal_(module.weight, 0.0, length * module.in_features**-0.5)
        else:
            super()._init_weights(module)

    @property
    def draws_codes(self) -> bool:
        """Whether the generator was trained."""
        return self.config.trained_generator

    def encode(
        self, input_ids: Tensor, attention_mask: Tensor | None = None, attribute: Tensor | None = None
    ) -> Tensor:
        """Maps token ids `(batch, sequence)` to codes `(batch, code_size)`, of norm 1 if `normalize_code`.

        Args:
            input_ids: `<bos> ... <eos>`, padded; on the right, as the tokenizer does, is fastest.
            attention_mask: 1 for tokens, 0 for what is not to be read; derived from the padding token if `None`.
            attribute: not read: codes are to be those of any label.
        """
        return self.encoder_state(input_ids, attention_mask)

    def generate_codes(self, latent: Tensor) -> Tensor:
        """Maps z `(batch, latent_size)` to generated codes `(batch, code_size)` in (-1, 1).

        Raises:
            ValueError: the generator was never trained (`trained_generator`).
        """
        self._check_generator()
        return self.generator(latent)

    def _check_generator(self) -> None:
        if not self.config.trained_generator:
            raise ValueError(
                "this model was trained without its adversary: it is a plain autoencoder, whose generator has learned "
                "nothing, so that it draws no codes of new sentences. encode() sentences, and decode() what lies "
                "between or around their codes"
            )

    def sample_codes(self, num_samples: int, generator: torch.Generator | None = None) -> Tensor:
        """Draws z ~ N(0, I) and maps it to codes, `(num_samples, code_size)`, with noise if `draw_noise` is set.

        Raises:
            ValueError: the generator was never trained (`trained_generator`).
        """
        latent = torch.randn(num_samples, self.config.latent_size, generator=generator).to(self.device)
        codes = self.generate_codes(latent.to(self.dtype))
        if self.config.draw_noise:
            codes = codes + self.config.draw_noise * torch.randn(codes.shape, generator=generator).to(codes)
        return codes


class AraeForSequenceClassification(FamilyModel):
    """Labels pairs of sentences by their codes (thesis, section 4.6.2): an ARAE, and a classifier of pairs.

    Pairs are token ids as the tokenizer gives them for two texts: `<bos> ... <eos> <bos> ... <eos>`, padded on the
    right. The classifier reads [u; v; |u - v|; u * v] of the two codes u and v (Mou et al. 2016; the thesis does not
    say what it reads); codes count `sqrt(code_size)` times if `amplify_code`, as for the decoder.

    Args:
        config: `num_labels` or `id2label` are those of the pairs; the classifier has `classifier_sizes`.

    Raises:
        ValueError: `num_attributes` is above 1: the labels would have to be both the attributes' and the pairs'.
    """

    config: AraeConfig
    config_class = AraeConfig
    base_model_prefix = "arae"
    auto_classes = ("AutoModelForSequenceClassification",)
    _own_head = "pair_classifier"
    main_input_name = "input_ids"
    _no_split_modules = []

    def __init__(self, config: AraeConfig):
        super().__init__(config)
        if config.num_attributes > 1:
            raise ValueError(f"pairs are labelled by a model with num_attributes=1, got {config.num_attributes}")
        self.arae = AraeModel(config)
        self.pair_classifier = Mlp(4 * config.code_size, config.classifier_sizes, config.num_labels)
        self.post_init()

    @torch.no_grad()
    def _init_weights(self, module: nn.Module) -> None:
        """The classifier's weights as the base initialises its own."""
        self.arae._init_weights(module)

    def check_processor(self, processor: PreTrainedTokenizerBase | None) -> None:
        """As the base model does."""
        self.arae.check_processor(processor)

    def get_input_embeddings(self) -> nn.Embedding:
        """The table of words, `(vocab_size, embedding_size)`."""
        return self.arae.get_input_embeddings()

    def set_input_embeddings(self, value: nn.Embedding) -> None:
        """Puts another table in its place."""
        self.arae.set_input_embeddings(value)

    def resize_token_embeddings(self, *arguments, **options) -> nn.Embedding:
        """As the base model does."""
        return self.arae.resize_token_embeddings(*arguments, **options)

    def split_pairs(self, input_ids: Tensor, attention_mask: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """First and second sentences of pairs, each `(batch, its longest)`, padded on the right.

        Raises:
            ValueError: a row does not hold two sentences.
        """
        config = self.config
        input_ids, _ = self.arae._padded_right(input_ids, attention_mask)
        begins = input_ids == config.bos_token_id
        found = begins.sum(1)
        if (found != 2).any():
            row = int((found != 2).int().argmax())
            raise ValueError(
                f"row {row} holds {found[row]} sentence(s), not two: a pair is <bos> ... <eos> <bos> ... <eos>, which "
                "tokenizer(first, second) gives (the text-classification pipeline takes text and text_pair)"
            )
        cut = (begins.cumsum(1) == 2).int().argmax(1, keepdim=True)
        ends = (input_ids != config.pad_token_id).sum(1, keepdim=True)
        places = torch.arange(input_ids.shape[1], device=input_ids.device)
        first = input_ids.masked_fill(places >= cut, config.pad_token_id)[:, : cut.max()]
        moved = (places + cut).clamp(max=input_ids.shape[1] - 1)
        second = input_ids.gather(1, moved).masked_fill(places >= ends - cut, config.pad_token_id)
        return first, second[:, : (ends - cut).max()]

    def pair_features(self, input_ids: Tensor, attention_mask: Tensor | None = None) -> Tensor:
        """[u; v; |u - v|; u * v] of pairs `(batch, sequence)`: `(batch, 4 * code_size)`."""
        gain = self.config.code_size**0.5 if self.config.amplify_code else 1.0
        u, v = (gain * self.arae.encode(ids) for ids in self.split_pairs(input_ids, attention_mask))
        return torch.cat([u, v, (u - v).abs(), u * v], dim=1)

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        labels: Tensor | None = None,
        return_dict: bool | None = None,
        **kwargs,
    ) -> SequenceClassifierOutput | tuple:
        """Labels pairs.

        Args:
            input_ids: `(batch, sequence)`, two sentences a row.
            attention_mask: `(batch, sequence)`; the padding token tells, if `None`.
            labels: `(batch,)`; the loss is the cross-entropy, mean over pairs (nats).
            return_dict: a tuple instead of a [`SequenceClassifierOutput`] if `False`.
            kwargs: what transformers hands to any model; nothing of it is used.

        Returns:
            `loss`, if there are labels, and `logits` `(batch, num_labels)`.

        Raises:
            TypeError: an argument is unknown.
            ValueError: a row does not hold two sentences.
        """
        self._refuse_unknown(kwargs)
        logits = self.pair_classifier(self.pair_features(input_ids, attention_mask))
        loss = None if labels is None else F.cross_entropy(logits, labels)
        output = SequenceClassifierOutput(loss=loss, logits=logits)
        return output if return_dict is not False else output.to_tuple()


__all__ = ["AraeForSequenceClassification", "AraeModel"]
