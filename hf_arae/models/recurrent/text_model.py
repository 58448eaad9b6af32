"""What the recurrent text families share: how they are initialised, and how they write."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn
from transformers import GenerationConfig, GenerationMixin, PreTrainedTokenizerBase
from transformers import initialization as init
from transformers.utils import ModelOutput

from hf_arae.models.base import FamilyModel
from hf_arae.models.recurrent.tokenizer_check import check_tokenizer
from hf_arae.models.recurrent.writing_settings import check_writing, room_for_new_tokens
from hf_arae.nn.text.decoding import RecurrentWriter, WriterCell
from hf_arae.nn.text.padding import check_padded_right, padded_after_end
from hf_arae.nn.text.recurrent_cache import RecurrentCache
from hf_arae.nn.text.vocabulary import VocabularyProjection

_DEFAULT_SETTINGS = vars(GenerationConfig())
GENERATE_ARGUMENTS = tuple(name for name in _DEFAULT_SETTINGS if not name.startswith("_"))
# What a `generation_config` may say without a need for `generate()` itself.
_PLAIN_SETTINGS = {
    "bos_token_id",
    "decoder_start_token_id",
    "do_sample",
    "eos_token_id",
    "max_new_tokens",
    "pad_token_id",
    "suppress_tokens",
    "temperature",
    "transformers_version",
}


class RecurrentTextModel(FamilyModel, GenerationMixin):
    """Base of models that write text with an LSTM; their decoding state is a `RecurrentCache`.

    The config has `pad_token_id`, `bos_token_id`, `unk_token_id`, `mask_token_id` and, as long as nothing else is said
    about the longest text, `max_sequence_length`.
    """

    base_model_prefix = ""
    main_input_name = "input_ids"
    _no_split_modules = []

    def check_processor(self, processor: PreTrainedTokenizerBase | None) -> None:
        """Makes sure that a tokenizer is this model's, see `check_tokenizer`.

        Raises:
            ValueError: it is not, or there is none.
        """
        check_tokenizer(processor, self.config)

    def _set_generation_defaults(self) -> None:
        """Texts end after the longest of the training data; special tokens are never written."""
        defaults = self.generation_config
        defaults.max_new_tokens, defaults.max_length = self._longest_text() + 1, None
        defaults.suppress_tokens = self._never_written()

    def _longest_text(self) -> int:
        """Most words of a text that is written, where nothing else is said."""
        return self.config.max_sequence_length

    def _never_written(self) -> list[int]:
        special = {getattr(self.config, f"{name}_token_id") for name in ("pad", "bos", "unk", "mask")}
        return sorted(token for token in special if token is not None)

    def _after_loading(self) -> None:
        """What a checkpoint's `generation_config.json` does not say follows from its config, if need be all."""
        loaded = self.generation_config
        if loaded.max_new_tokens is None and loaded.max_length is None:
            loaded.max_new_tokens = self._longest_text() + 1
        if loaded.suppress_tokens is None:
            loaded.suppress_tokens = self._never_written()
        for name in ("pad_token_id", "bos_token_id", "eos_token_id", "decoder_start_token_id"):
            if getattr(loaded, name, None) is None:
                setattr(loaded, name, getattr(self.config, name, None))

    def words(self, input_ids: Tensor) -> Tensor:
        """Which tokens are words: neither padding nor `<bos>` or `<eos>`; `(batch, sequence)` bool."""
        frame = (self.config.pad_token_id, self.config.bos_token_id, self.config.eos_token_id)
        return ~torch.isin(input_ids, input_ids.new_tensor([token for token in frame if token is not None]))

    def _check_prefixes(self, **given: Tensor | None) -> None:
        """Raises ValueError for token ids, by name, that are padded (with -100 as well) on the left."""
        for name, ids in given.items():
            if ids is not None:
                begun = ((ids != self.config.pad_token_id) & (ids != -100)).cumsum(1) > 0
                check_padded_right(name, begun)

    def _word_tables(self) -> list[tuple[nn.Module, str]]:
        """Modules and names of their tensors that have a row for each word."""
        raise NotImplementedError

    @torch.no_grad()
    def resize_token_embeddings(
        self, new_num_tokens: int | None = None, pad_to_multiple_of: int | None = None, mean_resizing: bool = True
    ) -> nn.Embedding:
        """Gives every table of words `new_num_tokens` rows, in the config too; returns the encoder's, or the writer's.

        Args:
            new_num_tokens: the tokenizer's length. `None` changes nothing.
            pad_to_multiple_of: must be `None`.
            mean_resizing: new words begin as the mean of the others, or else as random as they are. Of no word it is
                known which attribute it speaks for.

        Raises:
            ValueError: fewer words than special tokens, or rows that no word has (`pad_to_multiple_of`): tokenizer and
                model are to know the same words.
        """
        if pad_to_multiple_of is not None:
            raise ValueError("pad_to_multiple_of is not supported: a model has a row for each word of its tokenizer")
        if new_num_tokens is None or new_num_tokens == self.config.vocab_size:
            return self.get_input_embeddings()
        min_tokens = 1 + max(
            token for token in (*self._never_written(), self.config.eos_token_id) if token is not None
        )
        if new_num_tokens < min_tokens:
            raise ValueError(
                f"new_num_tokens must be at least {min_tokens}, for the special tokens; got {new_num_tokens}"
            )
        for module, name in self._word_tables():
            old = getattr(module, name)
            new = old.new_zeros(new_num_tokens, *old.shape[1:])
            new[: len(old)] = old[:new_num_tokens]
            if new_num_tokens > len(old) and isinstance(old, nn.Parameter):
                new[len(old) :] = old.mean(0) if mean_resizing else torch.randn_like(new[len(old) :]) * old.std()
            if isinstance(old, nn.Parameter):
                new = nn.Parameter(new, requires_grad=old.requires_grad)
            setattr(module, name, new)
            for size in ("num_embeddings", "out_features"):
                if hasattr(module, size):
                    setattr(module, size, new_num_tokens)
        self.config.vocab_size = new_num_tokens
        return self.get_input_embeddings()

    @torch.no_grad()
    def _init_weights(self, module: nn.Module) -> None:
        """The published initialisation: tables, LSTMs and the output uniform(-0.1, 0.1), the output's bias zero."""
        if isinstance(module, nn.Embedding):
            init.uniform_(module.weight, -0.1, 0.1)
            if module.padding_idx is not None:
                init.zeros_(module.weight[module.padding_idx])
        elif isinstance(module, nn.LSTM):
            for parameter in module.parameters():
                init.uniform_(parameter, -0.1, 0.1)
        elif isinstance(module, VocabularyProjection):
            module.reset_parameters()

    def prepare_inputs_for_generation(self, input_ids, cache=None, encoder_outputs=None, use_cache=None, **kwargs):
        """What `forward` of an encoder and a decoder takes at the next word; a language model says its own."""
        if use_cache and cache is None:
            cache = RecurrentCache()
        begun = cache is not None and cache.get_seq_length() > 0
        return {
            "decoder_input_ids": input_ids[:, -1:] if begun else input_ids,
            "cache": cache,
            "encoder_outputs": encoder_outputs,
            "use_cache": use_cache,
        }

    def generate(
        self, inputs: Tensor | None = None, generation_config: GenerationConfig | None = None, **arguments
    ) -> Tensor | ModelOutput:
        """As in transformers, but sampling draws from the whole vocabulary unless `top_k` is given.

        The default of transformers keeps the 50 likeliest tokens. It cannot be changed in `generation_config`, whose
        `save_pretrained` refuses a sampling setting where sampling itself is not the default.

        A `max_length` goes before the checkpoint's own `max_new_tokens`.

        Raises:
            TypeError, ValueError: a setting is out of range or not supported, see `check_writing`.
        """
        settings = self.generation_config if generation_config is None else generation_config
        check_writing(vars(settings) | arguments)
        prompt = arguments.get("decoder_input_ids") if self.config.is_encoder_decoder else inputs
        begun = 1 if prompt is None else prompt.shape[1]
        if arguments.get("max_new_tokens") is None:
            if arguments.get("max_length") is not None:
                arguments["max_new_tokens"] = room_for_new_tokens(arguments.pop("max_length"), begun)
            elif generation_config is not None and settings.max_new_tokens is None and settings.max_length is not None:
                generation_config = copy.deepcopy(generation_config)
                generation_config.max_new_tokens = room_for_new_tokens(settings.max_length, begun)
                generation_config.max_length = None
        if arguments.get("do_sample", settings.do_sample) and arguments.get("top_k", settings.top_k) is None:
            if generation_config is None:
                arguments["top_k"] = 0
            else:
                generation_config = copy.deepcopy(generation_config)
                generation_config.top_k = 0
        return super().generate(inputs, generation_config, **arguments)

    def _write(
        self,
        cells: list[WriterCell],
        table: Tensor | None,
        rows: int,
        arguments: dict,
        context: Tensor | None = None,
        attribute: Tensor | None = None,
    ) -> Tensor | None:
        """Writes by [`RecurrentWriter`], or returns `None` where the arguments need `generate()`.

        Args:
            cells: the decoders.
            table: the embedding table that the output projection shares, if it does.
            rows: number of sentences.
            arguments: `precision`, and arguments of `generate`, which take precedence over `generation_config`.
            context, attribute: see `RecurrentWriter.write`.

        Raises:
            ValueError: a precision other than float32 is asked for together with what needs `generate()`.
        """
        precision = arguments.pop("precision", "float32")
        chosen = {k: v for k, v in vars(self.generation_config).items() if v != _DEFAULT_SETTINGS.get(k)}
        given = {k: v for k, v in arguments.items() if v is not None}
        if "max_length" in given and "max_new_tokens" not in given:
            given["max_new_tokens"] = room_for_new_tokens(given.pop("max_length"))
        settings = chosen | given
        check_writing(settings)
        off = {key for key, value in settings.items() if value is None or value is False}
        needed = {key for key in settings if not key.startswith("_")} - _PLAIN_SETTINGS - off
        if settings.get("num_beams", 1) == 1:
            needed.discard("num_beams")
        if not settings.get("do_sample") or settings.get("top_k") == 0:
            needed.discard("top_k")
        if needed or settings.get("max_new_tokens") is None:
            if precision != "float32":
                raise ValueError(
                    f"precision={precision!r} is for greedy decoding and plain sampling; not together with "
                    f"{', '.join(sorted(needed)) or 'max_new_tokens=None'}"
                )
            return None
        temperature = settings.get("temperature", 1.0) if settings.get("do_sample") else None
        projection = self.projection
        writer = RecurrentWriter(
            cells,
            projection.bottleneck if table is not None else None,
            projection.weight if table is None else table,
            projection.bias,
            self.config.eos_token_id,
            self.config.pad_token_id,
            settings.get("suppress_tokens", ()),
            precision,
        )
        begin = torch.full((rows,), self.config.bos_token_id, device=self.device)
        return writer.write(begin, settings["max_new_tokens"], context, attribute, temperature)

    def _padded_after_end(self, written: Tensor | ModelOutput) -> Tensor | ModelOutput:
        """What `generate()` has returned, with padding after the end of each text.

        Beam search in transformers takes the padding token 0 for none and fills ended rows with `<eos>`.
        """
        if not isinstance(written, Tensor) or self.config.eos_token_id is None:
            return written
        return padded_after_end(written, self.config.eos_token_id, self.config.pad_token_id)

    def _supports_default_dynamic_cache(self) -> bool:
        return False  # the decoding state is a RecurrentCache, made in prepare_inputs_for_generation
