"""A text autoencoder with a decoder for each label: hiding of words, guess of the label, transfer."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from transformers import initialization as init

from hf_arae.models.recurrent.autoencoder_config import LabelledDecodersConfig


class LabelledDecoders:
    """Mixed into a [`~hf_arae.models.recurrent.autoencoder.TextAutoencoder`], before it: one decoder for each label.

    With `num_attributes=1` there is one decoder and no label, and attributes are passed over. With k there are k
    decoders, each with its own LSTM and, unless `share_embeddings`, its own table, and a common output projection.
    The buffer `attribute_log_odds` `(vocab_size, k)` says how much each word tells of the label; it is filled before
    training.
    """

    config: LabelledDecodersConfig

    def __init__(self, config: LabelledDecodersConfig, *sizes, **switches):
        super().__init__(config, *sizes, **switches)
        if config.num_attributes > 1:
            self.register_buffer("attribute_log_odds", torch.zeros(config.vocab_size, config.num_attributes))

    @torch.no_grad()
    def _init_weights(self, module: nn.Module) -> None:
        """As the base does, and no word tells anything."""
        super()._init_weights(module)
        if isinstance(module, LabelledDecoders) and self.config.num_attributes > 1:
            init.zeros_(module.attribute_log_odds)

    def _word_tables(self) -> list[tuple[nn.Module, str]]:
        tables = super()._word_tables()
        return [*tables, (self, "attribute_log_odds")] if self.config.num_attributes > 1 else tables

    @property
    def example_inputs(self) -> dict[str, Tensor]:
        """As the base's, with `attribute` `(2,)` int64 where there are labels: the first and the last."""
        inputs = super().example_inputs
        if self.config.num_attributes > 1:
            inputs["attribute"] = torch.tensor([0, self.config.num_attributes - 1], device=self.device)
        return inputs

    # Words that tell the label

    def hide_attribute_words(self, input_ids: Tensor) -> Tensor:
        """Replaces the tokens that give the attribute away by the mask token, where the config asks for it."""
        if not self.config.mask_attribute_words:
            return input_ids
        telling = self.attribute_log_odds[input_ids].amax(-1) > self.config.salience_threshold
        return input_ids.masked_fill(telling, self.config.mask_token_id)

    def predict_attribute(self, input_ids: Tensor) -> Tensor:
        """Guesses the attribute value of sentences from their words; returns values `(batch,)`.

        The value with the largest sum of `attribute_log_odds` over the tokens: naive Bayes on the words that are
        there, with equal priors. Special tokens do not count, so padding changes nothing. The code is not looked at:
        the classifier on codes is an adversary, and the encoder is trained to make it fail. A sentence without any
        telling word gets value 0.

        Args:
            input_ids: `(batch, sequence)`.

        Raises:
            ValueError: the model has no attributes, or its log-odds were never filled.
        """
        if self.config.num_attributes < 2:
            raise ValueError("this model was trained without attributes (num_attributes=1): there is none to predict")
        if not self.attribute_log_odds.any():
            raise ValueError("this model cannot tell attributes apart: its attribute_log_odds were never filled")
        return self.attribute_scores(input_ids).argmax(-1)

    def attribute_scores(self, input_ids: Tensor) -> Tensor:
        """Sums of `attribute_log_odds` over the tokens of sentences `(batch, sequence)`: `(batch, num_attributes)`."""
        return self.attribute_log_odds[input_ids].float().sum(1)

    def encoder_state(self, input_ids: Tensor, attention_mask: Tensor | None = None) -> Tensor:
        """As the base's, of sentences whose telling words are hidden."""
        if attention_mask is None:  # before words are hidden: the mask token is no padding
            attention_mask = input_ids != self.config.pad_token_id
        return super().encoder_state(self.hide_attribute_words(input_ids), attention_mask)

    # Decoders by label

    def decoder_states(
        self,
        code: Tensor,
        decoder_input_ids: Tensor,
        attribute: Tensor | None = None,
        state: tuple[Tensor, Tensor] | None = None,
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """As the base's, each sentence by the decoder of its label; `attribute` may be left out where there is one.

        Raises:
            ValueError: it was left out, and there are several decoders.
        """
        if len(self.decoders) == 1:
            return super().decoder_states(code, decoder_input_ids, attribute, state)
        if attribute is None:
            raise ValueError(f"attribute is needed: this model has {len(self.decoders)} decoders, one a value")
        states, hidden, cell, order = [], [], [], []
        for value in range(len(self.decoders)):
            rows = (attribute == value).nonzero().squeeze(1)
            if rows.numel() == 0:
                continue
            begin = None if state is None else tuple(part.index_select(1, rows) for part in state)
            part, (h, c) = self._run_decoder(value, code[rows], decoder_input_ids[rows], begin)
            states.append(part)
            hidden.append(h)
            cell.append(c)
            order.append(rows)
        if len(order) == 1:
            return states[0], (hidden[0], cell[0])
        back = torch.cat(order).argsort()
        return (
            torch.cat(states)[back],
            (torch.cat(hidden, 1).index_select(1, back), torch.cat(cell, 1).index_select(1, back)),
        )

    @torch.no_grad()
    def transfer(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        target: Tensor | int | None = None,
        source: Tensor | int | None = None,
        **generate_arguments,
    ) -> Tensor:
        """Rewrites sentences with another attribute value; returns token ids `(batch, sequence)`, `<bos>` first.

        Args:
            input_ids: `(batch, sequence)`.
            attention_mask: `(batch, sequence)`.
            target: wanted value, one for all or `(batch,)`.
            source: values of the sentences as they are, for an encoder that reads them.

        Raises:
            ValueError: the model has one decoder only, there is no target, or a value is out of range.
        """
        if len(self.decoders) == 1:
            raise ValueError("this model was trained without attributes (num_attributes=1): it cannot transfer")
        if target is None:
            raise ValueError(f"target is needed: an attribute value, 0 to {len(self.decoders) - 1}")
        source = None if source is None else self._attribute_tensor(source, len(input_ids))
        code = self._encode_at(generate_arguments.get("precision"), input_ids, attention_mask, source)
        return self.decode(code, target, **generate_arguments)

    def _attribute_tensor(self, attribute: Tensor | int | None, batch_size: int) -> Tensor | None:
        if len(self.decoders) == 1:
            return None
        if attribute is None:
            raise ValueError(f"attribute is needed: this model has {len(self.decoders)} decoders, one a value")
        if isinstance(attribute, str) or (isinstance(attribute, (list, tuple)) and str in map(type, attribute)):
            raise TypeError(f"attribute must be ids, which config.label2id has for the labels; got {attribute!r}")
        values = torch.as_tensor(attribute, device=self.device)
        if values.is_floating_point() or values.is_complex() or values.dtype == torch.bool:
            raise TypeError(f"attribute values must be whole numbers, got {values.dtype}")
        if values.shape not in ((), (batch_size,)):
            raise ValueError(
                f"attribute must be one value, or one for each of {batch_size} sentences; got the shape "
                f"{tuple(values.shape)}"
            )
        if ((values < 0) | (values >= len(self.decoders))).any():
            raise ValueError(
                f"attribute values must lie in 0..{len(self.decoders) - 1}, got {values.unique().tolist()}"
            )
        return values.expand(batch_size) if values.ndim == 0 else values


__all__ = ["LabelledDecoders"]
