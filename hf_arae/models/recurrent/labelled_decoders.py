"""A text autoencoder with a decoder for each label: hiding of words, guess of the label, transfer."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from transformers import initialization as init

from hf_arae.data.text.attribute_labels import SHARE_OF_LOG_ODDS
from hf_arae.models.recurrent.autoencoder_config import LabelledDecodersConfig
from hf_arae.models.text.attribute_values import attribute_tensor


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
        self._check_attributes_told()
        return self.attribute_scores(input_ids).argmax(-1)

    def _check_attributes_told(self) -> None:
        if self.config.num_attributes < 2:
            raise ValueError("this model was trained without attributes (num_attributes=1): there is none to predict")
        if not self.attribute_log_odds.any():
            raise ValueError("this model cannot tell attributes apart: its attribute_log_odds were never filled")

    def attribute_probabilities(self, input_ids: Tensor) -> Tensor:
        """How likely sentences have each attribute value, by their words alone; `(batch, num_attributes)` float32.

        The softmax of a third of `attribute_scores`, which sums to 1 a sentence: the likeliest value is that of
        `predict_attribute`. A sentence without any telling word is as likely of one value as of another.

        Args:
            input_ids: `(batch, sequence)`.

        Raises:
            ValueError: as `predict_attribute`.
        """
        self._check_attributes_told()
        return (SHARE_OF_LOG_ODDS * self.attribute_scores(input_ids)).softmax(-1)

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

    @torch.no_grad()
    def transfer_scores(
        self, input_ids: Tensor, attention_mask: Tensor | None, output_ids: Tensor, target: Tensor | int
    ) -> dict[str, Tensor]:
        """What the model itself thinks of rewritten sentences: no judge's verdict, since the model wrote them.

        - `style`: how likely the output has the target, `attribute_probabilities` of its words; NaN where the model's
          log-odds were never filled.
        - `content`: the share of words that source and output have in common, 2 |both| / (|source| + |output|), each
          word as often as it occurs. It counts by how rare it is, -log softmax of the output layer's bias, times how
          little it tells of the style, 2 sigmoid(-its largest log-odds): nothing for words that carry the style alone.
          1 if no word counts.
        - `fluency`: the geometric mean of the probabilities of the output's tokens, its end included, by the
          decoder of the target from the output's own code: 1 / perplexity. What reads like the training data is
          rebuilt well from its code, and words in an odd order are not.

        Args:
            input_ids: the sources, `(batch, sequence)`.
            attention_mask: theirs, `(batch, sequence)`.
            output_ids: the outputs as `transfer` gives them, `<bos>` first and padded on the right, `(batch, length)`.
            target: the value that was wanted, one for all or `(batch,)`.

        Returns:
            `style`, `content` and `fluency`, each `(batch,)` float32 in [0, 1].

        Raises:
            ValueError: the model has no attributes, or a target is out of range.
        """
        if len(self.decoders) == 1:
            raise ValueError("this model was trained without attributes (num_attributes=1): it cannot transfer")
        target = self._attribute_tensor(target, len(output_ids))
        if self.attribute_log_odds.any():
            style = self.attribute_probabilities(output_ids).gather(1, target.unsqueeze(1)).squeeze(1)
        else:
            style = torch.full((len(output_ids),), torch.nan, device=self.device)
        if attention_mask is not None:
            input_ids = input_ids.masked_fill(attention_mask == 0, self.config.pad_token_id)
        code = self.encode(output_ids, None, target)
        tokens = (output_ids[:, 1:] != self.config.pad_token_id).sum(1).clamp(min=1)
        log_probability = self.log_probability(code, output_ids, target).float() / tokens
        return {
            "style": style.float(),
            "content": self._shared_content(input_ids, output_ids),
            "fluency": log_probability.exp().clamp(max=1),
        }

    def _shared_content(self, source: Tensor, output: Tensor) -> Tensor:
        """See `transfer_scores`; `(batch,)`."""
        rarity = -self.projection.bias.float().log_softmax(-1)
        weight = rarity * (2 * torch.sigmoid(-self.attribute_log_odds.float().amax(-1))).clamp(max=1)
        ours, theirs = (weight[ids] * self.words(ids) for ids in (source, output))
        earlier = (source.unsqueeze(2) == source.unsqueeze(1)).tril(-1).sum(2)  # the same word before, in the source
        found = (source.unsqueeze(2) == output.unsqueeze(1)).sum(2) > earlier
        total = ours.sum(1) + theirs.sum(1)
        return torch.where(total > 0, 2 * (ours * found).sum(1) / total.clamp(min=1e-6), 1.0)

    def _attribute_tensor(self, attribute: Tensor | int | None, batch_size: int) -> Tensor | None:
        if len(self.decoders) == 1:
            return None
        return attribute_tensor(attribute, batch_size, len(self.decoders), self.device)


__all__ = ["LabelledDecoders"]
