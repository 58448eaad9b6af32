"""Text autoencoders: an encoder to one continuous code, decoders by attribute, and the verbs on both."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from transformers import GenerationConfig
from transformers import initialization as init
from transformers.modeling_outputs import BaseModelOutput
from transformers.utils import ModelOutput

from hf_arae.models.recurrent.autoencoder_config import TextAutoencoderConfig
from hf_arae.models.recurrent.text_model import RecurrentTextModel
from hf_arae.nn.text.decoding import WriterCell
from hf_arae.nn.text.linear_cross_entropy import linear_cross_entropy
from hf_arae.nn.text.padding import padded_right
from hf_arae.nn.text.recurrent_cache import RecurrentCache
from hf_arae.nn.text.rnn import RecurrentDecoder, RecurrentEncoder
from hf_arae.nn.text.token_log_probs import token_log_probs
from hf_arae.nn.text.vocabulary import VocabularyProjection
from hf_arae.utils.seeding import seeded


@dataclass
class TextAutoencoderOutput(ModelOutput):
    """Output of a [`TextAutoencoder`].

    Args:
        encoder_last_hidden_state: the code, `(batch, 1, code_size)`. First, so that the feature-extraction pipeline
            returns it.
        loss: reconstruction cross-entropy in nats per token, if `labels` were given.
        logits: `(batch, sequence, vocab_size)`, if `decoder_input_ids` or `labels` were given.
        cache: the decoder's state after the last token, if `use_cache`.
    """

    encoder_last_hidden_state: Tensor | None = None
    loss: Tensor | None = None
    logits: Tensor | None = None
    cache: RecurrentCache | None = None


class TextAutoencoder(RecurrentTextModel):
    """Base of the autoencoders: tables, encoder, decoders, output projection, and the words that tell an attribute.

    Sentences are token ids as the tokenizer gives them: `<bos> w1 ... wn <eos>`, padded on the right. A subclass says
    how a sentence becomes a code (`encode`) and where codes of new sentences come from (`draw_codes`); its `__init__`
    ends with `post_init()` and `_set_generation_defaults()`.

    Args:
        config: sizes and switches. `num_attributes=1` has one decoder; `num_attributes=k` has k decoders (each with
            its own LSTM and, unless `share_embeddings`, its own table) and a common output projection.
        state_size: width of what the encoder gives.
        normalize: project that onto the unit sphere.
        inner_size: width of the encoder's state where `state_size` is a linear map of it, else `None`.
    """

    config: TextAutoencoderConfig
    config_class = TextAutoencoderConfig
    auto_classes = ("AutoModel", "AutoModelForSeq2SeqLM")

    def __init__(self, config: TextAutoencoderConfig, state_size: int, normalize: bool, inner_size: int | None = None):
        super().__init__(config)
        attributes = config.num_attributes
        tables = 1 if config.share_embeddings else 1 + attributes
        self.embeddings = nn.ModuleList(
            nn.Embedding(config.vocab_size, config.embedding_size, padding_idx=config.pad_token_id)
            for _ in range(tables)
        )
        self.encoder = RecurrentEncoder(config.embedding_size, state_size, config.num_layers, normalize, inner_size)
        self.decoders = nn.ModuleList(
            RecurrentDecoder(
                config.embedding_size,
                config.code_size,
                config.hidden_size,
                config.num_layers,
                config.code_size**0.5 if config.amplify_code else 1.0,
            )
            for _ in range(attributes)
        )
        self.projection = VocabularyProjection(
            config.hidden_size, config.vocab_size, config.embedding_size if config.share_embeddings else None
        )
        self.dropout = nn.Dropout(config.dropout)
        if attributes > 1:
            self.register_buffer("attribute_log_odds", torch.zeros(config.vocab_size, attributes))

    @torch.no_grad()
    def _init_weights(self, module: nn.Module) -> None:
        """Published, or scaled to keep signals at their size; see `TextAutoencoderConfig.initialization`."""
        super()._init_weights(module)
        published = self.config.initialization == "published"
        if isinstance(module, nn.Embedding) and not published:
            init.normal_(module.weight, 0.0, 0.5)
            if module.padding_idx is not None:
                init.zeros_(module.weight[module.padding_idx])
        elif isinstance(module, nn.LSTM) and not published:
            for name, parameter in module.named_parameters():
                if name.startswith("weight_ih"):
                    init.uniform_(parameter, -(parameter.shape[1] ** -0.5), parameter.shape[1] ** -0.5)
                elif name.startswith("weight_hh"):
                    for gate in parameter.chunk(4):
                        init.orthogonal_(gate)
                else:
                    init.zeros_(parameter)
                    if name.startswith("bias_ih"):
                        init.ones_(parameter.chunk(4)[1])  # the forget gate begins open
        elif isinstance(module, nn.Linear):
            init.normal_(module.weight, 0.0, 0.02 if published else (2 / module.in_features) ** 0.5)
            if module.bias is not None:
                init.zeros_(module.bias)
        elif isinstance(module, nn.BatchNorm1d):
            if module.affine:
                init.ones_(module.weight)
                init.zeros_(module.bias)
            init.zeros_(module.running_mean)
            init.ones_(module.running_var)
            init.zeros_(module.num_batches_tracked)
        elif isinstance(module, TextAutoencoder) and self.config.num_attributes > 1:
            init.zeros_(module.attribute_log_odds)

    @property
    def example_inputs(self) -> dict[str, Tensor]:
        """Small valid inputs of `forward`, the same at each call: for tracing, exporting and trying things.

        Two made-up sentences, the second one padded; on the model's device:

        - `input_ids` `(2, 6)` int64: `<bos> w1 w2 w3 w4 <eos>`, and `<bos> w1 w2 <eos>` with two tokens of padding;
        - `attention_mask` `(2, 6)` int64: 1 for tokens, 0 for padding;
        - `decoder_input_ids` `(2, 5)` int64: the tokens before each one that is to be predicted;
        - `attribute` `(2,)` int64: a model with several decoders writes the two with its first and its last.
        """
        config = self.config
        special = {getattr(config, f"{name}_token_id") for name in ("pad", "bos", "eos", "unk", "mask")}
        words = [token for token in range(min(config.vocab_size, 16)) if token not in special] or [config.unk_token_id]
        first, second = ([words[place % len(words)] for place in range(*ends)] for ends in ((0, 4), (4, 6)))
        rows = [
            [config.bos_token_id, *first, config.eos_token_id],
            [config.bos_token_id, *second, config.eos_token_id, config.pad_token_id, config.pad_token_id],
        ]
        ids = torch.tensor(rows, device=self.device)
        inputs = {
            "input_ids": ids,
            "attention_mask": (ids != config.pad_token_id).long(),
            "decoder_input_ids": ids[:, :-1],
        }
        if config.num_attributes > 1:
            inputs["attribute"] = torch.tensor([0, config.num_attributes - 1], device=self.device)
        return inputs

    # What a subclass says

    def encode(self, input_ids: Tensor, attention_mask: Tensor | None = None) -> Tensor:
        """Maps token ids `(batch, sequence)` to codes `(batch, code_size)`.

        Args:
            input_ids: `<bos> ... <eos>`, padded; on the right, as the tokenizer does, is fastest.
            attention_mask: 1 for tokens, 0 for what is not to be read; derived from the padding token if `None`.
        """
        raise NotImplementedError

    def draw_codes(self, num_samples: int, generator: torch.Generator | None = None) -> Tensor:
        """Draws codes of new sentences, `(num_samples, code_size)`; from torch's generator of the CPU if `None`."""
        raise NotImplementedError

    # The parts, on tensors

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
        """The encoder's last state of each sentence, `(batch, state_size)`; the arguments are those of `encode`."""
        input_ids, attention_mask = self._padded_right(input_ids, attention_mask)
        embedded = self.embeddings[0](self.hide_attribute_words(input_ids))
        return self.encoder(embedded, attention_mask.sum(1))

    def _padded_right(self, input_ids: Tensor, attention_mask: Tensor | None) -> tuple[Tensor, Tensor]:
        """Sentences and their mask, which the padding token tells if `None`, with all padding on the right."""
        if attention_mask is None:
            attention_mask = input_ids != self.config.pad_token_id
        return padded_right(input_ids, attention_mask, self.config.pad_token_id)

    def words(self, input_ids: Tensor) -> Tensor:
        """Which tokens are words: neither padding nor `<bos>` or `<eos>`; `(batch, sequence)` bool."""
        frame = (self.config.pad_token_id, self.config.bos_token_id, self.config.eos_token_id)
        return ~torch.isin(input_ids, input_ids.new_tensor([token for token in frame if token is not None]))

    def decoder_states(
        self,
        code: Tensor,
        decoder_input_ids: Tensor,
        attribute: Tensor | None = None,
        state: tuple[Tensor, Tensor] | None = None,
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Runs each sentence through the decoder of its attribute value.

        Args:
            code: `(batch, code_size)`.
            decoder_input_ids: previous tokens, `(batch, sequence)`.
            attribute: attribute values `(batch,)`; may be left out with one decoder only.
            state: state to continue from, each part `(num_layers, batch, hidden_size)`.

        Returns:
            States `(batch, sequence, hidden_size)` and the state after the last token.
        """
        if len(self.decoders) == 1:
            states, state = self.decoders[0](self.dropout(self.embeddings[-1](decoder_input_ids)), code, state)
            return self.dropout(states), state
        if attribute is None:
            raise ValueError(f"attribute is needed: this model has {len(self.decoders)} decoders, one a value")
        states, hidden, cell, order = [], [], [], []
        for value, decoder in enumerate(self.decoders):
            rows = (attribute == value).nonzero().squeeze(1)
            if rows.numel() == 0:
                continue
            table = self.decoder_embeddings(value)
            begin = None if state is None else tuple(part.index_select(1, rows) for part in state)
            part, (h, c) = decoder(self.dropout(table(decoder_input_ids[rows])), code[rows], begin)
            states.append(self.dropout(part))
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

    def project(self, states: Tensor) -> Tensor:
        """Maps decoder states `(..., hidden_size)` to logits `(..., vocab_size)`."""
        return self.projection(states, self._shared_table())

    def reconstruction_loss(
        self, code: Tensor, labels: Tensor, attribute: Tensor | None = None, given: Tensor | None = None
    ) -> tuple[Tensor, int]:
        """Summed cross-entropy (nats) of `labels` `(batch, sequence)`, `<bos>` first, and the number of tokens.

        `<bos>` itself is given; positions that hold the padding token or -100 are not counted.

        Args:
            given: the words before each, as the decoder reads them, `(batch, sequence - 1)`; those of `labels` if
                `None`.
        """
        states, weight, bias, wanted = self._projection_operands(code, labels, attribute, given)
        return linear_cross_entropy(states, weight, bias, wanted)

    def log_probability(self, code: Tensor, labels: Tensor, attribute: Tensor | None = None) -> Tensor:
        """log p(labels | code) of each sentence in nats, `(batch,)`; the arguments as in `reconstruction_loss`."""
        return token_log_probs(*self._projection_operands(code, labels, attribute)).sum(1)

    def _projection_operands(
        self, code: Tensor, labels: Tensor, attribute: Tensor | None, given: Tensor | None = None
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """States, weight and bias of the logits, and the wanted tokens, -100 where none is."""
        wanted = labels[:, 1:].masked_fill(labels[:, 1:] == self.config.pad_token_id, -100)
        given = labels[:, :-1].clamp(min=0) if given is None else given
        states, _ = self.decoder_states(code, given, attribute)
        return (*self.projection.operands(states, self._shared_table()), wanted)

    def decoder_embeddings(self, value: int) -> nn.Embedding:
        """The embedding table that the decoder of an attribute value reads."""
        return self.embeddings[0 if self.config.share_embeddings else 1 + value]

    def _shared_table(self) -> Tensor | None:
        return self.embeddings[0].weight if self.config.share_embeddings else None

    def _word_tables(self) -> list[tuple[nn.Module, str]]:
        tables = [*((table, "weight") for table in self.embeddings), (self.projection, "bias")]
        if not self.config.share_embeddings:
            tables.append((self.projection, "weight"))
        return tables + ([(self, "attribute_log_odds")] if self.config.num_attributes > 1 else [])

    # transformers' interface -----------------------------------------------------------------------------------------

    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        attribute: Tensor | None = None,
        decoder_input_ids: Tensor | None = None,
        labels: Tensor | None = None,
        encoder_outputs: ModelOutput | tuple | None = None,
        cache: RecurrentCache | None = None,
        use_cache: bool | None = None,
        return_dict: bool | None = None,
        **kwargs,
    ) -> TextAutoencoderOutput | tuple:
        """Encodes and, if `decoder_input_ids` or `labels` are given, decodes with teacher forcing.

        Args:
            input_ids: sentences to encode, `(batch, sequence)`.
            attention_mask: `(batch, sequence)`.
            attribute: value that the decoder is chosen by, `(batch,)`.
            decoder_input_ids: previous tokens `(batch, sequence)`.
            labels: sentences to reconstruct, `<bos>` first; the loss is the mean over their tokens.
            encoder_outputs: codes `(batch, 1, code_size)` from an earlier call, in place of `input_ids`.
            cache: decoder state to continue from and to update.
            use_cache: return the decoder's state.
            return_dict: a tuple instead of a [`TextAutoencoderOutput`] if `False`.
            kwargs: what transformers hands to any model; nothing of it is used.

        Raises:
            TypeError: an argument is unknown.
            ValueError: `labels` or `decoder_input_ids` are padded on the left; an attribute value is missing or out of
                range.
        """
        self._refuse_unknown(kwargs)
        if cache is None:
            self._check_prefixes(labels=labels, decoder_input_ids=decoder_input_ids)
            if labels is not None or decoder_input_ids is not None:
                given = input_ids if encoder_outputs is None else encoder_outputs[0]
                attribute = self._attribute_tensor(attribute, len(given))
        code = self.encode(input_ids, attention_mask) if encoder_outputs is None else encoder_outputs[0].squeeze(1)
        loss = logits = None
        if labels is not None:
            total, count = self.reconstruction_loss(code, labels, attribute)
            loss = total / max(count, 1)
            if decoder_input_ids is None:
                decoder_input_ids = labels[:, :-1].clamp(min=0)
        if decoder_input_ids is not None:
            state = None if cache is None else cache.state
            states, state = self.decoder_states(code, decoder_input_ids, attribute, state)
            logits = self.project(states)
            if use_cache:
                cache = cache if cache is not None else RecurrentCache()
                cache.advance(state, decoder_input_ids.shape[1])
        output = TextAutoencoderOutput(code.unsqueeze(1), loss, logits, cache if use_cache else None)
        return output if return_dict is not False else output.to_tuple()

    def prepare_inputs_for_generation(
        self, input_ids, cache=None, encoder_outputs=None, attribute=None, use_cache=None, **kwargs
    ):
        if use_cache and cache is None:
            cache = RecurrentCache()
        begun = cache is not None and cache.get_seq_length() > 0
        return {
            "decoder_input_ids": input_ids[:, -1:] if begun else input_ids,
            "cache": cache,
            "encoder_outputs": encoder_outputs,
            "attribute": attribute,
            "use_cache": use_cache,
        }

    def get_input_embeddings(self) -> nn.Embedding:
        """The encoder's table of words, `(vocab_size, embedding_size)`; with `share_embeddings` there is no other."""
        return self.embeddings[0]

    def set_input_embeddings(self, value: nn.Embedding) -> None:
        """Puts another table in the place of the encoder's."""
        self.embeddings[0] = value

    @torch.no_grad()
    def generate(
        self, inputs: Tensor | None = None, generation_config: GenerationConfig | None = None, **arguments
    ) -> Tensor | ModelOutput:
        """As in transformers, for sentences `(batch, sequence)` or `encoder_outputs`, and `attribute` as in `decode`.

        Raises:
            ValueError: neither sentences nor `encoder_outputs`; an attribute value is missing or out of range.
        """
        mask = arguments.pop("attention_mask", None)
        if arguments.get("encoder_outputs") is None:
            inputs = arguments.pop("input_ids", None) if inputs is None else inputs
            if inputs is None:
                raise ValueError("give input_ids to reconstruct, or encoder_outputs; sample() writes new sentences")
            code = self.encode(inputs, mask)
            arguments["encoder_outputs"] = BaseModelOutput(last_hidden_state=code.unsqueeze(1))
        rows = arguments["encoder_outputs"][0].shape[0]
        arguments["attribute"] = self._attribute_tensor(arguments.pop("attribute", None), rows)
        return super().generate(None, generation_config, **arguments)

    # Verbs

    @torch.no_grad()
    def decode(self, code: Tensor, attribute: Tensor | int | None = None, **generate_arguments) -> Tensor:
        """Writes sentences from codes `(batch, code_size)`; returns token ids `(batch, sequence)`, `<bos>` first.

        Greedy decoding and plain sampling take a path of their own, many times as fast as `generate` and, when greedy,
        with the same result.

        Args:
            code: codes, from `encode` or `draw_codes`.
            attribute: a value for all sentences, or one each `(batch,)`.
            generate_arguments: anything that `generate` takes (`num_beams`, `do_sample`, `temperature`, ...); on that
                path also `precision`: `"float32"`, or `"bfloat16"` or `"int8"`, faster and approximate.

        Raises:
            TypeError: an attribute value is no whole number.
            ValueError: an attribute value is missing or out of range, or `precision` does not go with the others.
        """
        values = self._attribute_tensor(attribute, code.shape[0])
        parts = enumerate(self.decoders)
        cells = [WriterCell(self.decoder_embeddings(value).weight, part.lstm, part.code_gain) for value, part in parts]
        written = self._write(cells, self._shared_table(), code.shape[0], generate_arguments, code, values)
        if written is not None:
            return written
        encoded = BaseModelOutput(last_hidden_state=code.unsqueeze(1))
        written = self.generate(encoder_outputs=encoded, attribute=values, **generate_arguments)
        if not isinstance(written, Tensor) or self.config.eos_token_id is None:
            return written
        # Beam search in transformers takes the padding token 0 for none and fills ended rows with <eos>.
        ends = (written == self.config.eos_token_id).int()
        return written.masked_fill(ends.cumsum(1) > ends, self.config.pad_token_id)

    @torch.no_grad()
    def reconstruct(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        attribute: Tensor | int | None = None,
        **generate_arguments,
    ) -> Tensor:
        """Encodes and decodes with the sentences' own attribute; returns token ids `(batch, sequence)`."""
        low = generate_arguments.get("precision") == "bfloat16"
        with torch.autocast(self.device.type, torch.bfloat16, enabled=low):
            code = self.encode(input_ids, attention_mask)
        return self.decode(code, attribute, **generate_arguments)

    @torch.no_grad()
    def transfer(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        target: Tensor | int | None = None,
        **generate_arguments,
    ) -> Tensor:
        """Rewrites sentences with another attribute value; returns token ids `(batch, sequence)`, `<bos>` first.

        Args:
            input_ids: `(batch, sequence)`.
            attention_mask: `(batch, sequence)`.
            target: wanted value, one for all or `(batch,)`.

        Raises:
            ValueError: the model has one decoder only, there is no target, or a value is out of range.
        """
        if len(self.decoders) == 1:
            raise ValueError("this model was trained without attributes (num_attributes=1): it cannot transfer")
        if target is None:
            raise ValueError(f"target is needed: an attribute value, 0 to {len(self.decoders) - 1}")
        return self.reconstruct(input_ids, attention_mask, target, **generate_arguments)

    @torch.no_grad()
    def sample(
        self,
        num_samples: int,
        attribute: Tensor | int | None = None,
        seed: int | None = None,
        **generate_arguments,
    ) -> Tensor:
        """Writes new sentences from drawn codes; returns token ids `(num_samples, sequence)`, `<bos>` first.

        Args:
            num_samples: at least 1.
            attribute: value to write with (needed with several decoders).
            seed: makes the draws of codes and words repeatable and leaves the global generators as they were.
        """
        if num_samples < 1:
            raise ValueError(f"num_samples must be at least 1, got {num_samples}")
        with seeded(seed, self.device):
            return self.decode(self.draw_codes(num_samples), attribute, **generate_arguments)

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


__all__ = ["TextAutoencoder", "TextAutoencoderOutput"]
