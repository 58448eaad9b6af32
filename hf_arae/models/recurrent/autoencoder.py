"""Text autoencoders: an encoder to one continuous code, a decoder, and the verbs on both.

Decoders by label are a part of their own, `hf_arae.models.recurrent.labelled_decoders`.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from transformers import GenerationConfig
from transformers.modeling_outputs import BaseModelOutput
from transformers.utils import ModelOutput

from hf_arae.models.recurrent.autoencoder_config import TextAutoencoderConfig
from hf_arae.models.recurrent.autoencoder_output import TextAutoencoderOutput
from hf_arae.models.recurrent.initialization import initialize
from hf_arae.models.recurrent.text_model import RecurrentTextModel
from hf_arae.models.text.example_sentences import example_sentences
from hf_arae.nn.text.decoding import WriterCell
from hf_arae.nn.text.linear_cross_entropy import linear_cross_entropy
from hf_arae.nn.text.padding import padded_right, words_to_predict
from hf_arae.nn.text.recurrent_cache import RecurrentCache
from hf_arae.nn.text.rnn import RecurrentDecoder, RecurrentEncoder
from hf_arae.nn.text.token_log_probs import token_log_probs
from hf_arae.nn.text.vocabulary import VocabularyProjection
from hf_arae.utils.seeding import seeded


class TextAutoencoder(RecurrentTextModel):
    """Base of the autoencoders: tables, encoder, decoder and output projection.

    Sentences are token ids as the tokenizer gives them: `<bos> w1 ... wn <eos>`, padded on the right. A subclass says
    where codes of new sentences come from (`sample_codes`), if it knows, and how a sentence becomes a code (`encode`),
    if that is not what the encoder gives; its `__init__` ends with `post_init()` and `_set_generation_defaults()`.

    Every verb takes an `attribute`, the label of each sentence. It says something to encoders and decoders that depend
    on one; those here do not, see [`~hf_arae.models.recurrent.labelled_decoders.LabelledDecoders`].

    Args:
        config: sizes and switches.
        encoder_size: width of the encoder's LSTM.
        normalize: project what the encoder gives onto the unit sphere.
        code_size: width of what the encoder gives, a linear map of the LSTM's last state; `None`: it is that state.
    """

    config: TextAutoencoderConfig
    config_class = TextAutoencoderConfig
    auto_classes = ("AutoModel", "AutoModelForSeq2SeqLM")
    draws_codes = True  # `sample_codes` knows where codes of new sentences lie

    def __init__(
        self, config: TextAutoencoderConfig, encoder_size: int, normalize: bool = False, code_size: int | None = None
    ):
        super().__init__(config)
        decoders = config.num_attributes  # 1 without labels
        tables = 1 if config.share_embeddings else 1 + decoders
        self.embeddings = nn.ModuleList(
            nn.Embedding(config.vocab_size, config.embedding_size, padding_idx=config.pad_token_id)
            for _ in range(tables)
        )
        self.encoder = RecurrentEncoder(config.embedding_size, encoder_size, config.num_layers, normalize, code_size)
        self.decoders = nn.ModuleList(
            RecurrentDecoder(
                config.embedding_size,
                config.code_size,
                config.hidden_size,
                config.num_layers,
                config.code_size**0.5 if config.amplify_code else 1.0,
            )
            for _ in range(decoders)
        )
        self.projection = VocabularyProjection(
            config.hidden_size, config.vocab_size, config.embedding_size if config.share_embeddings else None
        )
        self.dropout = nn.Dropout(config.dropout)

    @torch.no_grad()
    def _init_weights(self, module: nn.Module) -> None:
        """Published, or scaled to keep signals at their size; see `TextAutoencoderConfig.initialization`."""
        super()._init_weights(module)
        initialize(module, published=self.config.initialization == "published")

    @property
    def example_inputs(self) -> dict[str, Tensor]:
        """Small valid inputs of `forward`, the same at each call: for tracing, exporting and trying things.

        Two made-up sentences, the second one padded; on the model's device:

        - `input_ids` `(2, 6)` int64: `<bos> w1 w2 w3 w4 <eos>`, and `<bos> w1 w2 <eos>` with two tokens of padding;
        - `attention_mask` `(2, 6)` int64: 1 for tokens, 0 for padding;
        - `decoder_input_ids` `(2, 5)` int64: the tokens before each one that is to be predicted.
        """
        ids = torch.tensor(example_sentences(self.config), device=self.device)
        mask = (ids != self.config.pad_token_id).long()
        return {"input_ids": ids, "attention_mask": mask, "decoder_input_ids": ids[:, :-1]}

    # What a subclass may say

    def encode(
        self, input_ids: Tensor, attention_mask: Tensor | None = None, attribute: Tensor | None = None
    ) -> Tensor:
        """Maps token ids `(batch, sequence)` to codes `(batch, code_size)`: what the encoder gives.

        Args:
            input_ids: `<bos> ... <eos>`, padded; on the right, as the tokenizer does, is fastest.
            attention_mask: 1 for tokens, 0 for what is not to be read; derived from the padding token if `None`.
            attribute: labels of the sentences `(batch,)`, for an encoder that reads them.
        """
        return self.encoder_state(input_ids, attention_mask)

    def sample_codes(self, num_samples: int, generator: torch.Generator | None = None) -> Tensor:
        """Draws codes of new sentences, `(num_samples, code_size)`; from torch's generator of the CPU if `None`.

        Raises:
            ValueError: the family does not know what codes are drawn from.
        """
        raise ValueError(
            f"{type(self).__name__} draws no codes of new sentences. encode() sentences, and decode() what lies "
            "between or around their codes"
        )

    # The parts, on tensors

    def encoder_state(self, input_ids: Tensor, attention_mask: Tensor | None = None) -> Tensor:
        """What the encoder gives of each sentence, `(batch, encoder_size)` or, of a linear map, `(batch, code_size)`.

        The arguments are those of `encode`.
        """
        input_ids, attention_mask = self._padded_right(input_ids, attention_mask)
        embedded = self.embeddings[0](input_ids)  # (batch, sequence, embedding_size)
        return self.encoder(embedded, attention_mask.sum(1))

    def _padded_right(self, input_ids: Tensor, attention_mask: Tensor | None) -> tuple[Tensor, Tensor]:
        """Sentences and their mask, which the padding token tells if `None`, with all padding on the right."""
        if attention_mask is None:
            attention_mask = input_ids != self.config.pad_token_id
        return padded_right(input_ids, attention_mask, self.config.pad_token_id)

    def decoder_states(
        self,
        code: Tensor,
        decoder_input_ids: Tensor,
        attribute: Tensor | None = None,
        state: tuple[Tensor, Tensor] | None = None,
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Runs the decoder over each sentence.

        Args:
            code: `(batch, code_size)`.
            decoder_input_ids: previous tokens, `(batch, sequence)`.
            attribute: labels `(batch,)`, where decoders depend on them.
            state: state to continue from, each part `(num_layers, batch, hidden_size)`.

        Returns:
            States `(batch, sequence, hidden_size)` and the state after the last token.
        """
        return self._run_decoder(0, code, decoder_input_ids, state)

    def _run_decoder(
        self, number: int, code: Tensor, ids: Tensor, state: tuple[Tensor, Tensor] | None
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        embedded = self.dropout(self.decoder_embeddings(number)(ids))  # (batch, sequence, embedding_size)
        states, state = self.decoders[number](embedded, code, state)  # (batch, sequence, hidden_size)
        return self.dropout(states), state

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

    def encoder_inputs(self, batch: dict[str, Tensor]) -> tuple[Tensor, Tensor | None]:
        """What `encode` takes of a training's batch: ids and attention mask, `(batch, sequence)`."""
        return batch["input_ids"], batch.get("attention_mask")

    def batch_loss(self, codes: Tensor, batch: dict[str, Tensor], given: Tensor | None = None) -> tuple[Tensor, int]:
        """`reconstruction_loss` of a training's batch."""
        return self.reconstruction_loss(codes, batch["input_ids"], batch.get("attribute"), given)

    def log_probability(self, code: Tensor, labels: Tensor, attribute: Tensor | None = None) -> Tensor:
        """log p(labels | code) of each sentence in nats, `(batch,)`; the arguments as in `reconstruction_loss`."""
        return token_log_probs(*self._projection_operands(code, labels, attribute)).sum(1)

    def _projection_operands(
        self, code: Tensor, labels: Tensor, attribute: Tensor | None, given: Tensor | None = None
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """States, weight and bias of the logits, and the wanted tokens, -100 where none is."""
        wanted = words_to_predict(labels, self.config.pad_token_id)
        given = labels[:, :-1].clamp(min=0) if given is None else given
        states, _ = self.decoder_states(code, given, attribute)
        return (*self.projection.operands(states, self._shared_table()), wanted)

    def decoder_embeddings(self, number: int = 0) -> nn.Embedding:
        """The embedding table that a decoder reads."""
        return self.embeddings[0 if self.config.share_embeddings else 1 + number]

    def _shared_table(self) -> Tensor | None:
        return self.embeddings[0].weight if self.config.share_embeddings else None

    def _word_tables(self) -> list[tuple[nn.Module, str]]:
        tables = [*((table, "weight") for table in self.embeddings), (self.projection, "bias")]
        if not self.config.share_embeddings:
            tables.append((self.projection, "weight"))
        return tables

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
            attribute: labels `(batch,)`, where the model has them.
            decoder_input_ids: previous tokens `(batch, sequence)`.
            labels: sentences to reconstruct, `<bos>` first; the loss is the mean over their tokens.
            encoder_outputs: codes `(batch, 1, code_size)` from an earlier call, in place of `input_ids`.
            cache: decoder state to continue from and to update.
            use_cache: return the decoder's state.
            return_dict: a tuple instead of a [`TextAutoencoderOutput`] if `False`.
            kwargs: what transformers hands to any model; nothing of it is used.

        Raises:
            TypeError: an argument is unknown.
            ValueError: `labels` or `decoder_input_ids` are padded on the left; an attribute is missing or unknown.
        """
        self._refuse_unknown(kwargs)
        if cache is None:
            self._check_prefixes(labels=labels, decoder_input_ids=decoder_input_ids)
            if labels is not None or decoder_input_ids is not None:
                given = input_ids if encoder_outputs is None else encoder_outputs[0]
                attribute = self._attribute_tensor(attribute, len(given))
        if encoder_outputs is None:
            code = self.encode(input_ids, attention_mask, attribute)  # (batch, code_size)
        else:
            code = encoder_outputs[0].squeeze(1)
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

    def prepare_inputs_for_generation(self, input_ids, attribute=None, **kwargs):
        return {**super().prepare_inputs_for_generation(input_ids, **kwargs), "attribute": attribute}

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
            ValueError: neither sentences nor `encoder_outputs`; an attribute is missing or out of range.
        """
        mask, encoded = arguments.pop("attention_mask", None), arguments.get("encoder_outputs")
        inputs = arguments.pop("input_ids", None) if inputs is None else inputs
        if encoded is None and inputs is None:
            raise ValueError("give input_ids to reconstruct, or encoder_outputs; sample() writes new sentences")
        rows = len(inputs) if encoded is None else len(encoded[0])
        attribute = arguments["attribute"] = self._attribute_tensor(arguments.pop("attribute", None), rows)
        if encoded is None:
            code = self.encode(inputs, mask, attribute)  # (batch, code_size)
            arguments["encoder_outputs"] = BaseModelOutput(last_hidden_state=code.unsqueeze(1))
        return super().generate(None, generation_config, **arguments)

    # Verbs

    @torch.no_grad()
    def decode(self, code: Tensor, attribute: Tensor | int | None = None, **generate_arguments) -> Tensor:
        """Writes sentences from codes `(batch, code_size)`; returns token ids `(batch, sequence)`, `<bos>` first.

        Greedy decoding and plain sampling take a path of their own, many times as fast as `generate` and, when greedy,
        with the same result.

        Args:
            code: codes, from `encode` or `sample_codes`.
            attribute: a label for all sentences, or one each `(batch,)`, where the model has labels.
            generate_arguments: anything that `generate` takes (`num_beams`, `do_sample`, `temperature`, ...); on that
                path also `precision`: `"float32"`, or `"bfloat16"` or `"int8"`, faster and approximate.

        Raises:
            TypeError: an attribute is no whole number.
            ValueError: an attribute is missing or out of range, or `precision` does not go with the others.
        """
        values = self._attribute_tensor(attribute, code.shape[0])
        cells = [
            WriterCell(self.decoder_embeddings(number).weight, decoder.lstm, decoder.code_gain)
            for number, decoder in enumerate(self.decoders)
        ]
        written = self._write(cells, self._shared_table(), code.shape[0], generate_arguments, code, values)
        if written is not None:
            return written
        encoded = BaseModelOutput(last_hidden_state=code.unsqueeze(1))
        return self._padded_after_end(self.generate(encoder_outputs=encoded, attribute=values, **generate_arguments))

    @torch.no_grad()
    def reconstruct(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        attribute: Tensor | int | None = None,
        **generate_arguments,
    ) -> Tensor:
        """Encodes and decodes with the sentences' own attribute; returns token ids `(batch, sequence)`."""
        attribute = self._attribute_tensor(attribute, len(input_ids))
        code = self._encode_at(generate_arguments.get("precision"), input_ids, attention_mask, attribute)
        return self.decode(code, attribute, **generate_arguments)

    def _encode_at(
        self, precision: str | None, input_ids: Tensor, attention_mask: Tensor | None, attribute: Tensor | None
    ) -> Tensor:
        """As `encode`, in bfloat16 if that is the precision."""
        with torch.autocast(self.device.type, torch.bfloat16, enabled=precision == "bfloat16"):
            return self.encode(input_ids, attention_mask, attribute)

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
            attribute: label to write with, where the model has labels.
            seed: makes the draws of codes and words repeatable and leaves the global generators as they were.
        """
        if num_samples < 1:
            raise ValueError(f"num_samples must be at least 1, got {num_samples}")
        with seeded(seed, self.device):
            return self.decode(self.sample_codes(num_samples), attribute, **generate_arguments)

    def _attribute_tensor(self, attribute: Tensor | int | None, batch_size: int) -> Tensor | None:
        """The labels of a batch as every method takes them, `(batch,)`; `None` for a model without labels."""
        return None


__all__ = ["TextAutoencoder"]
