"""An ARAE whose encoder labels pairs of sentences."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from transformers import PreTrainedTokenizerBase
from transformers.modeling_outputs import SequenceClassifierOutput

from hf_arae.losses.classification import label_loss
from hf_arae.models.arae.configuration_arae import AraeConfig
from hf_arae.models.arae.modeling_arae import AraeModel
from hf_arae.models.base import FamilyModel
from hf_arae.nn.mlp import Mlp
from hf_arae.utils.validation import check_tells_apart


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
        check_tells_apart(config.num_labels, config.problem_type)
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
        return torch.cat([u, v, (u - v).abs(), u * v], dim=1)  # (batch, 4 * code_size)

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
            labels: `(batch,)`; the loss is the cross-entropy, mean over pairs (nats); -100: the pair has none.
            return_dict: a tuple instead of a [`SequenceClassifierOutput`] if `False`.
            kwargs: what transformers hands to any model; nothing of it is used.

        Returns:
            `loss`, if there are labels, and `logits` `(batch, num_labels)`.

        Raises:
            TypeError: an argument is unknown.
            ValueError: a row does not hold two sentences, or a label is none of the model's.
        """
        self._refuse_unknown(kwargs)
        logits = self.pair_classifier(self.pair_features(input_ids, attention_mask))
        loss = None if labels is None else label_loss(logits, labels)
        output = SequenceClassifierOutput(loss=loss, logits=logits)
        return output if return_dict is not False else output.to_tuple()


__all__ = ["AraeForSequenceClassification"]
