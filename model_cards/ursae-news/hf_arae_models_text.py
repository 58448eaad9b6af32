# SPDX-License-Identifier: Apache-2.0
# Exported from hf_arae/models/text.py of hf_arae 0.1.0.
# Edits belong there: the next save_pretrained overwrites this file.
"""What the recurrent text families share: how they are initialised, and how they write."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn
from transformers import GenerationConfig, GenerationMixin
from transformers import initialization as init
from transformers.utils import ModelOutput

from .hf_arae_models_base import FamilyModel
from .hf_arae_nn_decoding import RecurrentWriter, WriterCell
from .hf_arae_nn_vocabulary import VocabularyProjection

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

    def _set_generation_defaults(self, longest: int | None = None) -> None:
        """Texts end after `longest` words, by default those of the training data; special tokens are never written."""
        config, defaults = self.config, self.generation_config
        defaults.max_new_tokens = (config.max_sequence_length if longest is None else longest) + 1
        defaults.max_length = None
        special = {config.pad_token_id, config.bos_token_id, config.unk_token_id, config.mask_token_id}
        defaults.suppress_tokens = sorted(token for token in special if token is not None)

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

    def generate(
        self, inputs: Tensor | None = None, generation_config: GenerationConfig | None = None, **arguments
    ) -> Tensor | ModelOutput:
        """As in transformers, but sampling draws from the whole vocabulary unless `top_k` is given.

        The default of transformers keeps the 50 likeliest tokens. It cannot be changed in `generation_config`, whose
        `save_pretrained` refuses a sampling setting where sampling itself is not the default.
        """
        settings = self.generation_config if generation_config is None else generation_config
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
        which: Tensor | None = None,
    ) -> Tensor | None:
        """Writes by [`RecurrentWriter`], or returns `None` where the arguments need `generate()`.

        Args:
            cells: the decoders.
            table: the embedding table that the output projection shares, if it does.
            rows: number of sentences.
            arguments: `precision`, and arguments of `generate`, which take precedence over `generation_config`.
            context, which: see `RecurrentWriter.write`.

        Raises:
            ValueError: a precision other than float32 is asked for together with what needs `generate()`.
        """
        precision = arguments.pop("precision", "float32")
        chosen = {k: v for k, v in vars(self.generation_config).items() if v != _DEFAULT_SETTINGS.get(k)}
        settings = chosen | {k: v for k, v in arguments.items() if v is not None}
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
        if settings["max_new_tokens"] < 1:
            raise ValueError(f"max_new_tokens must be at least 1, got {settings['max_new_tokens']}")
        temperature = settings.get("temperature", 1.0) if settings.get("do_sample") else None
        if temperature is not None and temperature <= 0:
            raise ValueError(f"temperature must be above 0, got {temperature}")
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
        return writer.write(begin, settings["max_new_tokens"], context, which, temperature)

    def _supports_default_dynamic_cache(self) -> bool:
        return False  # the decoding state is a RecurrentCache, made in prepare_inputs_for_generation
