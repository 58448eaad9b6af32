"""The infilling model: infiller, rewriter, language model and classifier, and the verbs on them."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from transformers import GenerationConfig
from transformers import initialization as init
from transformers.cache_utils import Cache
from transformers.modeling_outputs import BaseModelOutput, Seq2SeqLMOutput
from transformers.models.mbart.modeling_mbart import MBartDecoder, MBartEncoder
from transformers.utils import ModelOutput

from hf_arae.models.infilling.configuration_infilling import InfillingConfig
from hf_arae.models.infilling.copied_words import CopiedWords
from hf_arae.models.infilling.language_model import LabelledLanguageModel
from hf_arae.models.infilling.search import InfillingSearch
from hf_arae.models.text.attribute_values import attribute_tensor
from hf_arae.models.text.example_sentences import example_sentences
from hf_arae.models.text.text_model import TextModel
from hf_arae.nn.text.linear_cross_entropy import linear_cross_entropy
from hf_arae.nn.text.padding import padded_right, words_to_predict
from hf_arae.nn.text.sentence_classifier import SentenceClassifier
from hf_arae.nn.text.token_log_probs import token_log_probs


class InfillingModel(InfillingSearch, TextModel):
    """Rewrites sentences with another label, by filling gaps, by rewriting, or by the best of many of both.

    Sentences are token ids as the tokenizer gives them: `<bos> w1 ... wn <eos>`. Before training
    [`~hf_arae.models.infilling.preparation.prepare_model`] fills the buffers: `attribute_log_odds`
    `(vocab_size, num_attributes)`, how much each word tells of a label; `word_kinds` `(vocab_size,)`, see
    [`~hf_arae.data.text.word_kinds.WordKind`]; after it, `usualness` `(101,)`, percentiles of the fluency of real
    sentences.

    Args:
        config: sizes, and how is chosen.
    """

    config: InfillingConfig
    config_class = InfillingConfig
    auto_classes = ("AutoModel", "AutoModelForSeq2SeqLM")

    def __init__(self, config: InfillingConfig):
        super().__init__(config)
        network = config.network()
        self.table = nn.Embedding(network.vocab_size, config.hidden_size, padding_idx=config.pad_token_id)
        self.encoder, self.decoder = MBartEncoder(network), MBartDecoder(network)
        for part in (self.encoder, self.decoder):
            del part.embed_tokens  # the table is common to all
        self.language_model = LabelledLanguageModel(config.hidden_size, config.language_model_dropout)
        self.biases = nn.ParameterDict(
            {name: nn.Parameter(torch.zeros(config.vocab_size)) for name in ("editor", "language_model")}
        )
        self.classifier = SentenceClassifier(
            config.vocab_size,
            config.num_attributes,
            config.classifier_embedding_size,
            config.classifier_maps,
            padding=config.pad_token_id,
        )
        self.register_buffer("attribute_log_odds", torch.zeros(config.vocab_size, config.num_attributes))
        self.register_buffer("word_kinds", torch.zeros(config.vocab_size, dtype=torch.uint8))
        self.register_buffer("usualness", torch.zeros(101))
        self.post_init()
        self._set_generation_defaults()

    @torch.no_grad()
    def _init_weights(self, module: nn.Module) -> None:
        """As transformers does it for the attention layers; the LSTM as torch does it, and no word tells anything."""
        if isinstance(module, nn.Embedding):
            init.normal_(module.weight, 0.0, 0.02 if module is self.table else 1.0)
            init.zeros_(module.weight[module.padding_idx])
        elif isinstance(module, (nn.LSTM, nn.Conv1d, nn.Linear)):
            module.reset_parameters()
        elif isinstance(module, InfillingModel):
            for tensor in (*self.biases.values(), self.attribute_log_odds, self.word_kinds, self.usualness):
                init.zeros_(tensor)

    def _never_written(self) -> list[int]:
        """As the base says, but for the unknown word, which a source may have: see `CopiedWords`."""
        return [token for token in super()._never_written() if token != self.config.unk_token_id]

    def _word_tables(self) -> list[tuple[nn.Module, str]]:
        raise ValueError(
            "the vocabulary of an infilling model is fixed: its table has the labels' tokens after the words'"
        )

    @property
    def example_inputs(self) -> dict[str, Tensor]:
        """Small valid inputs of `forward`, the same at each call: for tracing, exporting and trying things.

        `input_ids` and `attention_mask` `(2, 6)`, `decoder_input_ids` `(2, 5)` and `attribute` `(2,)`, all int64.
        """
        ids = torch.tensor(example_sentences(self.config), device=self.device)
        mask = (ids != self.config.pad_token_id).long()
        labels = torch.tensor([0, self.config.num_attributes - 1], device=self.device)
        return {"input_ids": ids, "attention_mask": mask, "attribute": labels, "decoder_input_ids": ids[:, :-1]}

    # The parts, on tensors

    def embed(self, input_ids: Tensor) -> Tensor:
        """Words and labels' tokens `(batch, sequence)` as attention layers read them, `(batch, sequence, width)`."""
        return self.table(input_ids) * self.config.hidden_size**0.5

    def label_tokens(self, attribute: Tensor, rewrite: bool) -> Tensor:
        """The tokens that ask for sentences of a label, `(batch,)`: to fill gaps, or to rewrite a whole one."""
        return self.config.vocab_size + self.config.num_attributes * int(rewrite) + attribute

    def encode(self, input_ids: Tensor, attention_mask: Tensor, attribute: Tensor, rewrite: bool = True) -> Tensor:
        """States `(batch, sequence, width)` of sentences, in which the label's token takes the place of `<bos>`."""
        asked = torch.cat([self.label_tokens(attribute, rewrite).unsqueeze(1), input_ids[:, 1:]], 1)
        return self.encoder(inputs_embeds=self.embed(asked), attention_mask=attention_mask).last_hidden_state

    def sequence_loss(self, states: Tensor, attention_mask: Tensor, labels: Tensor) -> tuple[Tensor, int]:
        """Summed cross-entropy (nats) of `labels` `(batch, sequence)`, `<bos>` first, and the number of tokens."""
        given = self.decoder(
            inputs_embeds=self.embed(labels[:, :-1].clamp(min=0)),
            encoder_hidden_states=states,
            encoder_attention_mask=attention_mask,
        ).last_hidden_state
        return linear_cross_entropy(given, *self._output(), words_to_predict(labels, self.config.pad_token_id))

    def language_loss(self, input_ids: Tensor, attribute: Tensor) -> tuple[Tensor, int]:
        """Summed cross-entropy of sentences under the language model of their label, and the number of tokens."""
        states, wanted = self._language_states(input_ids, attribute)
        return linear_cross_entropy(states, *self._language_output(), wanted)

    def language_log_probs(self, input_ids: Tensor, attribute: Tensor) -> Tensor:
        """log p(word | words before, label) in nats, `(batch, sequence - 1)`; 0 at padding."""
        states, wanted = self._language_states(input_ids, attribute)
        return token_log_probs(states, *self._language_output(), wanted)

    def _language_states(self, input_ids: Tensor, attribute: Tensor) -> tuple[Tensor, Tensor]:
        begun = torch.cat([self.label_tokens(attribute, False).unsqueeze(1), input_ids[:, 1:-1]], 1)
        return self.language_model(self.embed(begun)), words_to_predict(input_ids, self.config.pad_token_id)

    def _output(self) -> tuple[Tensor, Tensor]:
        return self.table.weight[: self.config.vocab_size], self.biases["editor"]

    def _language_output(self) -> tuple[Tensor, Tensor]:
        return self.table.weight[: self.config.vocab_size], self.biases["language_model"]

    def classify(self, input_ids: Tensor) -> Tensor:
        """The classifier's logits `(batch, num_attributes)` of sentences `(batch, sequence)`, framed or not."""
        words, mask = padded_right(input_ids, self.words(input_ids), self.config.pad_token_id)
        return self.classifier(words.masked_fill(~mask, self.config.pad_token_id))

    def attribute_probabilities(self, input_ids: Tensor) -> Tensor:
        """How likely each label is for sentences `(batch, sequence)`, `(batch, num_attributes)`, rows sum to 1."""
        return self.classify(input_ids).float().softmax(1)

    def predict_attribute(self, input_ids: Tensor) -> Tensor:
        """The likeliest label of sentences `(batch, sequence)`, `(batch,)`."""
        return self.classify(input_ids).argmax(1)

    # transformers' interface -----------------------------------------------------------------------------------------

    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        attribute: Tensor | None = None,
        decoder_input_ids: Tensor | None = None,
        labels: Tensor | None = None,
        encoder_outputs: ModelOutput | tuple | None = None,
        cache: Cache | None = None,
        use_cache: bool | None = None,
        return_dict: bool | None = None,
        **kwargs,
    ) -> Seq2SeqLMOutput | tuple:
        """The rewriter: reads sentences, and writes them with a label.

        Args:
            input_ids: sentences `(batch, sequence)`, `<bos>` first.
            attention_mask: `(batch, sequence)`; derived from the padding token if `None`.
            attribute: labels to write with, `(batch,)`; needed with `input_ids`.
            decoder_input_ids: previous tokens `(batch, sequence)`.
            labels: what is to be written, `<bos>` first; the loss is the mean over their tokens.
            encoder_outputs: states from an earlier call, in place of `input_ids`.
            cache: the decoder's state, to continue from and to update.
            use_cache: return the decoder's state.
            return_dict: a tuple instead of a `Seq2SeqLMOutput` if `False`.
            kwargs: what transformers hands to any model; nothing of it is used.

        Raises:
            TypeError: an argument is unknown.
            ValueError: `labels` or `decoder_input_ids` are padded on the left; a label is missing or unknown; a
                sentence is missing or too long.
        """
        self._refuse_unknown(kwargs)
        if cache is None:
            self._check_prefixes(labels=labels, decoder_input_ids=decoder_input_ids)
        if encoder_outputs is None:
            if input_ids is None:
                raise ValueError("give input_ids, the sentences to rewrite, or encoder_outputs")
            attribute = attribute_tensor(attribute, len(input_ids), self.config.num_attributes, self.device)
            input_ids, attention_mask = self._read(input_ids, attention_mask)
            states = self.encode(input_ids, attention_mask, attribute)
        else:
            states = encoder_outputs[0]
        loss = logits = None
        if labels is not None:
            total, count = self.sequence_loss(states, attention_mask, labels)
            loss = total / max(count, 1)
            if decoder_input_ids is None:
                decoder_input_ids = labels[:, :-1].clamp(min=0)
        if decoder_input_ids is not None:
            self._check_length(decoder_input_ids, 0 if cache is None else cache.get_seq_length())
            written = self.decoder(
                inputs_embeds=self.embed(decoder_input_ids),
                encoder_hidden_states=states,
                encoder_attention_mask=attention_mask,
                cache=cache,
                use_cache=use_cache,
            )
            logits, cache = nn.functional.linear(written.last_hidden_state, *self._output()), written.cache
        output = Seq2SeqLMOutput(
            loss=loss, logits=logits, cache=cache if use_cache else None, encoder_last_hidden_state=states
        )
        return output if return_dict is not False else output.to_tuple()

    def _read(self, input_ids: Tensor, attention_mask: Tensor | None) -> tuple[Tensor, Tensor]:
        self._check_length(input_ids)
        mask = input_ids != self.config.pad_token_id if attention_mask is None else attention_mask
        return padded_right(input_ids, mask, self.config.pad_token_id)

    def _check_length(self, ids: Tensor, before: int = 0) -> None:
        """Raises ValueError for token ids `(batch, sequence)` that reach beyond the table of places."""
        length, most = before + ids.shape[1], self.config.longest_input
        if length > most:
            raise ValueError(
                f"sentences of {length} tokens are too long: this model reads and writes at most {most}, made for "
                f"{self.config.max_sequence_length} words. Cut them, or ask for fewer max_new_tokens"
            )

    def prepare_inputs_for_generation(
        self, input_ids, cache=None, encoder_outputs=None, attention_mask=None, use_cache=None, **kwargs
    ):
        """What `forward` takes at the next word."""
        begun = cache is not None and cache.get_seq_length() > 0
        return {
            "decoder_input_ids": input_ids[:, -1:] if begun else input_ids,
            "cache": cache,
            "encoder_outputs": encoder_outputs,
            "attention_mask": attention_mask,
            "use_cache": use_cache,
        }

    def _supports_default_dynamic_cache(self) -> bool:
        return True

    def get_input_embeddings(self) -> nn.Embedding:
        """The table of words, `(vocab_size + 2 num_attributes, hidden_size)`; there is no other."""
        return self.table

    def get_encoder(self, modality: str | None = None) -> nn.Module:
        """The encoder, which reads embedded words."""
        return self.encoder

    @torch.no_grad()
    def generate(
        self, inputs: Tensor | None = None, generation_config: GenerationConfig | None = None, **arguments
    ) -> Tensor | ModelOutput:
        """As in transformers, for sentences `(batch, sequence)` and the `attribute` to write each with.

        A word that stands for what the tokenizer does not know, or for a number, is written as often as it was read.

        Raises:
            ValueError: there are no sentences; a label is missing or out of range.
        """
        mask, attribute = arguments.pop("attention_mask", None), arguments.pop("attribute", None)
        inputs = arguments.pop("input_ids", None) if inputs is None else inputs
        if inputs is None:
            raise ValueError("give input_ids, the sentences to rewrite")
        attribute = attribute_tensor(attribute, len(inputs), self.config.num_attributes, self.device)
        inputs, mask = self._read(inputs, mask)
        states = self.encode(inputs, mask, attribute)
        processors = [CopiedWords(inputs, self._fixed_words()), *(arguments.pop("logits_processor", None) or [])]
        return super().generate(
            None,
            generation_config,
            encoder_outputs=BaseModelOutput(last_hidden_state=states),
            attention_mask=mask.long(),
            logits_processor=processors,
            **arguments,
        )


__all__ = ["InfillingModel"]
